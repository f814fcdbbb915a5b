//! What the members of a hub notice: who reads what, live events, search.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::BTreeSet;

use crypto::hub::{
    Change, EVENT_BUCKETS_BYTES, EVENT_TIME_BUCKET_S, EventEnvelope, HubError, HubKey, HubKeyWrap,
    IndexField, MAX_CHANGES, MAX_EVENT_BYTES, MIN_TERM_CHARS, Role, RoleFlags, RoleId, Roster,
    RosterError, SearchRoot, Sigchains, Visibility,
};
use crypto::identity::{DeviceKeys, Puk, Sigchain};
use crypto::{DeviceId, HubId, OsEntropy, UserId};
use proptest::prelude::*;

const ADMIN: RoleId = RoleId(1);
const VOLUNTEER: RoleId = RoleId(2);
const REVIEWER: RoleId = RoleId(3);
const REPORTER: RoleId = RoleId(4);

fn hub() -> HubId {
    HubId::from_bytes([0xaa; 16])
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

fn person(number: u8, chains: &mut Sigchains) -> (DeviceKeys, Puk) {
    let device = DeviceId::from_bytes([number; 16]);
    let keys = DeviceKeys::from_seed(user(number), device, &[number; 32]);
    let mut chain = Sigchain::create(&keys, 1).unwrap();
    let puk = chain.rotate_puk(&keys, None, 2, &mut OsEntropy).unwrap();
    chains.insert(user(number), chain);
    (keys, puk)
}

fn define(id: RoleId, admin: bool, reviewer: bool) -> Change {
    let flags = RoleFlags { admin, reviewer };
    let permissions = u64::from(id.0) << 40;
    Change::DefineRole(id, Role { flags, permissions })
}

fn join(chains: &Sigchains, number: u8, role: RoleId) -> Change {
    let (user, head) = (user(number), chains[&user(number)].head());
    Change::AddMember { user, role, head }
}

/// Person 1 is an admin, 2 and 3 are volunteers, 4 a reviewer, 5 a reporter.
fn founded() -> (DeviceKeys, Sigchains, Roster) {
    let mut chains = Sigchains::new();
    let (admin, _) = person(1, &mut chains);
    (2..=5).for_each(|number| drop(person(number, &mut chains)));
    let changes = vec![
        define(ADMIN, true, false),
        define(VOLUNTEER, false, false),
        define(REVIEWER, false, true),
        define(REPORTER, false, false),
        join(&chains, 1, ADMIN),
        join(&chains, 2, VOLUNTEER),
        join(&chains, 3, VOLUNTEER),
        join(&chains, 4, REVIEWER),
        join(&chains, 5, REPORTER),
    ];
    let roster = Roster::create(hub(), &admin, changes, &chains, 10).unwrap();
    (admin, chains, roster)
}

#[test]
fn who_reads_is_what_the_roles_say() {
    let (admin, chains, mut roster) = founded();
    let readers = |roster: &Roster, visibility, author: u8| -> Vec<u8> {
        let readers = roster.state().readers(visibility, user(author)).unwrap();
        readers.iter().map(|user| user.as_bytes()[0]).collect()
    };
    assert_eq!(readers(&roster, Visibility::Private, 2), [2]);
    assert_eq!(readers(&roster, Visibility::Case, 2), [1, 2]);
    assert_eq!(readers(&roster, Visibility::Reporter, 5), [1, 4, 5]);
    assert_eq!(readers(&roster, Visibility::Case, 1), [1]);
    let promotion = Change::ChangeRole {
        user: user(3),
        role: ADMIN,
    };
    let removal = Change::RemoveMember { user: user(4) };
    roster
        .change(&admin, vec![promotion, removal], &chains, 11)
        .unwrap();
    assert_eq!(readers(&roster, Visibility::Case, 2), [1, 2, 3]);
    assert_eq!(readers(&roster, Visibility::Reporter, 5), [1, 3, 5]);
    let left = roster.state().readers(Visibility::Case, user(4));
    assert_eq!(left, Err(RosterError::NotMember(user(4))));
    let existing = |visibility, author: u8| {
        let readers = roster.state().readers_of_existing(visibility, user(author));
        let numbers = |set: &BTreeSet<UserId>| set.iter().map(|user| user.as_bytes()[0]).collect();
        (numbers(&readers.allowed), numbers(&readers.former))
    };
    let same = |left: (Vec<u8>, Vec<u8>), allowed: &[u8], former: &[u8]| {
        assert_eq!((left.0.as_slice(), left.1.as_slice()), (allowed, former));
    };
    // 4, the reviewer, has left; the promoted 3 reads what was there before.
    same(existing(Visibility::Case, 2), &[1, 2, 3], &[]);
    same(existing(Visibility::Reporter, 5), &[1, 3, 5], &[4]);
    same(existing(Visibility::Case, 4), &[1, 3], &[4]);
    same(existing(Visibility::Private, 4), &[], &[4]);
    same(existing(Visibility::Case, 9), &[1, 3], &[]);
    let volunteers = roster.state().members();
    let volunteers = volunteers.filter(|(_, member)| member.role == VOLUNTEER);
    let volunteers: Vec<_> = volunteers.map(|(user, _)| user).collect();
    assert_eq!(volunteers, [user(2)]);
    assert_eq!(
        roster.state().role_of(user(5)).unwrap().permissions,
        4 << 40
    );

    let keys = roster
        .state()
        .reader_keys(Visibility::Case, user(2), &chains);
    let keys: Vec<_> = keys.unwrap().iter().map(|reader| reader.key).collect();
    let expected = [1, 2, 3].map(|number| chains[&user(number)].state().reader().unwrap().key);
    assert_eq!(keys, expected);
}

#[test]
fn a_record_is_not_sealed_to_fewer_readers_in_silence() {
    let (_, mut chains, roster) = founded();
    let keys = |chains: &Sigchains| {
        let case = Visibility::Case;
        roster
            .state()
            .reader_keys(case, user(2), chains)
            .map(|_| ())
    };
    let admins = chains.remove(&user(1)).unwrap();
    assert_eq!(keys(&chains), Err(RosterError::SigchainMissing(user(1))));
    chains.insert(user(1), admins);
    assert_eq!(keys(&chains), Ok(()));
    // A member who has not made a key yet.
    let links: Vec<_> = chains[&user(2)]
        .links()
        .take(1)
        .map(<[u8]>::to_vec)
        .collect();
    let young = Sigchain::from_links(links).unwrap();
    let admin = DeviceKeys::from_seed(user(1), DeviceId::from_bytes([1; 16]), &[1; 32]);
    chains.insert(user(2), young);
    let changes = vec![
        define(ADMIN, true, false),
        join(&chains, 1, ADMIN),
        join(&chains, 2, ADMIN),
    ];
    let roster = Roster::create(hub(), &admin, changes, &chains, 10).unwrap();
    assert_eq!(
        roster.state().member_keys(&chains),
        Err(RosterError::NoReader(user(2)))
    );
}

#[test]
fn a_roster_survives_storage_and_refuses_damage() {
    let (admin, chains, mut roster) = founded();
    let key = HubKey::generate(hub(), 1, &mut OsEntropy).unwrap();
    let (epoch, commitment) = (1, key.commitment());
    let head = chains[&user(2)].head();
    let changes = vec![
        Change::HubKey { epoch, commitment },
        Change::NoteHead {
            user: user(2),
            head,
        },
        Change::RemoveMember { user: user(3) },
    ];
    roster.change(&admin, changes, &chains, 11).unwrap();
    let bytes = roster.encode();
    assert_eq!(Roster::decode(&bytes, &chains).unwrap(), roster);
    for end in 0..bytes.len() {
        assert!(Roster::decode(&bytes[..end], &chains).is_err(), "{end}");
    }
    assert!(Roster::decode(&[&bytes[..], &[0]].concat(), &chains).is_err());
    for place in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[place] ^= 0x10;
        assert!(Roster::decode(&altered, &chains).is_err(), "byte {place}");
    }
    // Who signed must be known for ever, who only left need not.
    let mut fewer = chains.clone();
    fewer.remove(&user(3));
    Roster::decode(&bytes, &fewer).unwrap();
    fewer.remove(&user(1));
    let missing = Roster::decode(&bytes, &fewer).unwrap_err();
    assert_eq!(missing, RosterError::SigchainMissing(user(1)));
}

#[test]
fn a_roster_does_not_grow_for_ever() {
    let file = [&b"HLRO\x01\x20\x01"[..], &[0; 9_000]].concat();
    let refused = Roster::decode(&file, &Sigchains::new());
    assert_eq!(refused, Err(RosterError::TooLong));
}

#[test]
fn an_entry_has_at_least_one_change_and_not_too_many() {
    let (admin, chains, mut roster) = founded();
    for count in [0, MAX_CHANGES + 1] {
        let changes = vec![define(VOLUNTEER, false, false); count];
        let refused = roster.change(&admin, changes, &chains, 11);
        assert!(matches!(refused, Err(RosterError::Malformed(_))));
    }
    let changes = vec![join(&chains, 2, VOLUNTEER)];
    let again = roster.change(&admin, changes, &chains, 11);
    assert_eq!(again, Err(RosterError::AlreadyMember(user(2))));
    let changes = vec![define(VOLUNTEER, false, false); MAX_CHANGES];
    roster.change(&admin, changes, &chains, 11).unwrap();
}

fn envelope(sender: &DeviceKeys, created_at_s: u64) -> EventEnvelope {
    EventEnvelope {
        sender: sender.device(),
        transport_key: sender.transport_key(hub(), 1).public_key(),
        kind: 20_001,
        created_at_s,
    }
}

#[test]
fn an_event_opens_in_its_own_envelope_only() {
    let mut chains = Sigchains::new();
    let [(one, _), (two, _)] = [1, 2].map(|number| person(number, &mut chains));
    let key = HubKey::generate(hub(), 1, &mut OsEntropy).unwrap();
    let sent = envelope(&one, 600);
    let sealed = key.seal_event(&sent, b"ring", &mut OsEntropy).unwrap();
    assert_eq!(HubKey::epoch_of_event(&sealed), Ok(1));
    let opened = |envelope: &EventEnvelope| key.open_event(envelope, &sealed);
    assert_eq!(*opened(&sent).unwrap(), b"ring");
    let same_minute = envelope(&one, 600 + EVENT_TIME_BUCKET_S - 1);
    assert_eq!(*opened(&same_minute).unwrap(), b"ring");
    for other in [
        envelope(&one, 600 + EVENT_TIME_BUCKET_S),
        EventEnvelope {
            kind: 20_002,
            ..sent
        },
        EventEnvelope {
            sender: two.device(),
            ..sent
        },
        EventEnvelope {
            transport_key: envelope(&two, 600).transport_key,
            ..sent
        },
    ] {
        assert_eq!(opened(&other).unwrap_err(), HubError::EventRefused);
    }
    let next = HubKey::generate(hub(), 2, &mut OsEntropy).unwrap();
    let refused = next.open_event(&sent, &sealed).unwrap_err();
    assert_eq!(refused, HubError::OtherEpoch(1));
    let same_number = HubKey::generate(hub(), 1, &mut OsEntropy).unwrap();
    let refused = same_number.open_event(&sent, &sealed).unwrap_err();
    assert_eq!(refused, HubError::EventRefused);
}

#[test]
fn the_relay_sees_one_of_four_sizes() {
    let (sender, _) = person(1, &mut Sigchains::new());
    let key = HubKey::generate(hub(), 1, &mut OsEntropy).unwrap();
    let sent = envelope(&sender, 600);
    for (length, bucket) in [
        (0, 256),
        (254, 256),
        (255, 1_024),
        (4_094, 4_096),
        (MAX_EVENT_BYTES, 8_192),
    ] {
        let event = vec![0; length];
        let sealed = key.seal_event(&sent, &event, &mut OsEntropy).unwrap();
        assert_eq!(sealed.len(), 9 + 40 + bucket);
        assert!(EVENT_BUCKETS_BYTES.contains(&bucket));
        assert_eq!(*key.open_event(&sent, &sealed).unwrap(), event);
    }
    let long = vec![0; MAX_EVENT_BYTES + 1];
    let refused = key.seal_event(&sent, &long, &mut OsEntropy);
    assert_eq!(refused, Err(HubError::EventTooLong));
}

#[test]
fn a_term_is_found_however_it_is_written_and_nothing_else_is() {
    let root = SearchRoot::generate(hub(), &mut OsEntropy).unwrap();
    let name = |term| root.token(IndexField::NAME_WORD, term).unwrap();
    assert_eq!(name("  ÁNGELA \u{a0} pérez\n"), name("Ángela Pérez"));
    assert_ne!(name("Ángela Pérez"), name("Angela Perez"));
    assert_ne!(name("ángela"), name("ángel"));
    let email = root.token(IndexField::EMAIL, "Ángela Pérez").unwrap();
    assert_ne!(name("Ángela Pérez"), email);
    let own = IndexField::declared(0, MIN_TERM_CHARS).unwrap();
    let other = IndexField::declared(1, MIN_TERM_CHARS).unwrap();
    let [own, other] = [own, other].map(|field| root.token(field, "ángela").unwrap());
    assert_ne!(own, other);
    let elsewhere = SearchRoot::generate(hub(), &mut OsEntropy).unwrap();
    let theirs = elsewhere.token(IndexField::NAME_WORD, "ángela").unwrap();
    assert_ne!(name("ángela"), theirs);
}

#[test]
fn a_field_or_term_that_could_be_guessed_is_refused() {
    let declared = IndexField::declared(0, MIN_TERM_CHARS - 1);
    assert_eq!(declared, Err(HubError::FieldTooShort));
    let root = SearchRoot::generate(hub(), &mut OsEntropy).unwrap();
    let field = IndexField::declared(0, 5).unwrap();
    let refused = Some(HubError::TermLength);
    for short in ["", "yes", " no  ", "éééé", "    a    "] {
        assert_eq!(root.token(field, short).err(), refused, "{short}");
    }
    assert!(root.token(field, "ééééé").is_ok());
    // Each of these grows to three bytes in lower case.
    for long in ["x".repeat(257), "İ".repeat(86), "x".repeat(5_000)] {
        assert_eq!(root.token(field, &long).err(), refused);
    }
    assert!(root.token(field, &"x".repeat(256)).is_ok());
}

#[test]
fn a_search_root_is_for_the_members_of_its_hub() {
    let root = SearchRoot::generate(hub(), &mut OsEntropy).unwrap();
    let key = HubKey::generate(hub(), 1, &mut OsEntropy).unwrap();
    let sealed = root.seal(&key, &mut OsEntropy).unwrap();
    assert_eq!(sealed.len(), SearchRoot::SEALED_BYTES);
    let opened = SearchRoot::open(&key, &sealed).unwrap();
    let token = |root: &SearchRoot| root.token(IndexField::PHONE_NUMBER, "+4930123456").unwrap();
    assert_eq!(token(&root), token(&opened));
    let other = HubKey::generate(hub(), 1, &mut OsEntropy).unwrap();
    let refused = SearchRoot::open(&other, &sealed).unwrap_err();
    assert_eq!(refused, HubError::WrapRefused);
    for place in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[place] ^= 1;
        assert!(SearchRoot::open(&key, &altered).is_err(), "byte {place}");
    }
}

#[test]
fn no_secret_is_shown() {
    let key = HubKey::generate(hub(), 1, &mut OsEntropy).unwrap();
    let root = SearchRoot::generate(hub(), &mut OsEntropy).unwrap();
    let token = root.token(IndexField::NAME_WORD, "ángela").unwrap();
    let id = hub();
    assert_eq!(
        format!("{key:?} {root:?} {token:?}"),
        format!("HubKey(… epoch 1 of {id}) SearchRoot(… of {id}) IndexToken(…)")
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_and_never_panic(
        magic in prop::sample::select(vec![&b"HLRO"[..], b"HLRL", b"HLHK", b"HLHE", b"HLSR", b""]),
        version in 0_u8..3,
        rest in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let bytes = [magic, &[version], &rest].concat();
        let mut chains = Sigchains::new();
        let (keys, _) = person(1, &mut chains);
        prop_assert!(Roster::decode(&bytes, &chains).is_err());
        prop_assert!(Roster::from_links([&bytes], &chains).is_err());
        let key = HubKey::generate(hub(), 1, &mut OsEntropy).unwrap();
        prop_assert!(key.open_event(&envelope(&keys, 1), &bytes).is_err());
        prop_assert!(SearchRoot::open(&key, &bytes).is_err());
        if let Ok(wrap) = HubKeyWrap::decode(&bytes) {
            prop_assert_eq!(wrap.encode(), bytes);
        }
    }

    #[test]
    fn an_event_with_one_bit_changed_is_refused(at in any::<prop::sample::Index>(), bit in 0..8) {
        let (keys, _) = person(1, &mut Sigchains::new());
        let key = HubKey::generate(hub(), 1, &mut OsEntropy).unwrap();
        let sent = envelope(&keys, 1);
        let mut sealed = key.seal_event(&sent, b"ring", &mut OsEntropy).unwrap();
        let place = at.index(sealed.len());
        sealed[place] ^= 1_u8 << bit;
        prop_assert!(key.open_event(&sent, &sealed).is_err());
    }

    #[test]
    fn any_text_is_normalised_alike_the_second_time(term in "\\PC{4,40}") {
        let root = SearchRoot::generate(hub(), &mut OsEntropy).unwrap();
        let lower: String = term.chars().flat_map(char::to_lowercase).collect();
        let [one, two] = [&term, &lower].map(|term| root.token(IndexField::NAME_WORD, term).ok());
        prop_assert_eq!(one, two);
    }
}
