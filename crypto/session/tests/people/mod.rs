//! The people of the tests, and what they write.

#![allow(dead_code, reason = "each test uses a part")]

use std::collections::BTreeSet;

use crypto::provisioning::InvitationKind;
use crypto::record::{RecordKind, RecordPlace};
use crypto::transparency::{LogSigner, NoteName, WitnessSigner};
use crypto::{HubId, OsEntropy, RecordId, SigningKey, UserId};
use crypto_session::{Code, Expectation, NewPairing, OldPairing, People, Pinned, Refusal, Session};

pub const NOW_MS: u64 = 1_763_690_000_000;

pub fn person() -> Session {
    let mut session = Session::create(None).unwrap();
    session.begin_sigchain(NOW_MS).unwrap();
    session
}

pub fn knowing(sessions: &[&Session]) -> People {
    let mut people = People::default();
    for session in sessions {
        let chain = session.sigchain().unwrap();
        people.add(session.user(), &chain, None).unwrap();
    }
    people
}

pub fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Code {
    result.unwrap_err().code()
}

pub fn place() -> RecordPlace {
    RecordPlace {
        kind: RecordKind::Note,
        hub: HubId::generate(&mut OsEntropy).unwrap(),
        record: RecordId::generate(&mut OsEntropy).unwrap(),
    }
}

pub fn expected(place: RecordPlace, author: &Session, readers: &[&Session]) -> Expectation {
    let readers: BTreeSet<UserId> = readers.iter().map(|session| session.user()).collect();
    Expectation::new(place, author.user().into(), readers)
}

pub fn pinned() -> Pinned {
    let key = |byte| SigningKey::from_seed(&[byte; 32]);
    let name = |text| NoteName::new(text).unwrap();
    let log = LogSigner::new(name("hotline.example/log"), key(1));
    let witness = WitnessSigner::new(name("partner.example"), key(2));
    Pinned::new(log.key().to_string(), vec![witness.key().to_string()]).unwrap()
}

pub fn pair(old: &mut Session, kind: InvitationKind, mistype: bool) -> Result<Session, Refusal> {
    let mut new = NewPairing::invite(Session::create(Some(old.user()))?, kind)?;
    let (mut helping, commit) = OldPairing::join(old, kind, new.invitation())?;
    assert_eq!(helping.room(), new.room());
    let share = new.receive(&commit)?;
    let reveal = helping.receive_share(&share)?;
    let hello = new.receive(&reveal)?;
    helping.receive_hello(&hello)?;
    let shown = new.digits().unwrap();
    let typed = if mistype { "000 00x" } else { &shown };
    helping.confirm(typed)?;
    let payload = helping.admit(old, Some(&pinned()), NOW_MS)?;
    new.finish(&payload)
}
