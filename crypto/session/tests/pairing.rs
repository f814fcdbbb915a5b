//! A second device of a person, from its invitation until it is put out.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod people;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crypto::provisioning::InvitationKind;
use crypto::{Entropy, EntropyError, HubId, OsEntropy};
use crypto_session::{Code, NewPairing, OldPairing, People, Pinned, Refusal, Session};
use people::{NOW_MS, code, expected, pair, person, pinned, place};

#[test]
fn what_is_pinned_goes_to_the_next_device_as_it_is_or_not_at_all() {
    let pinned = pinned();
    let text = pinned.to_string();
    assert_eq!(text.parse::<Pinned>().unwrap(), pinned);
    let turned = format!("{}\n{}", pinned.witnesses()[0], pinned.log());
    for wrong in ["", "\n", &text[1..], &turned, &format!("{text}\n")] {
        assert_eq!(code(wrong.parse::<Pinned>()), Code::Malformed, "{wrong:?}");
    }
    let many = vec![pinned.witnesses()[0].clone(); 33];
    let refused = Pinned::new(pinned.log().to_owned(), many.clone());
    assert_eq!(code(refused), Code::Limit);
    let text = format!("{}\n{}", pinned.log(), many.join("\n"));
    assert_eq!(code(text.parse::<Pinned>()), Code::Limit);
}

#[test]
fn a_second_device_reads_what_the_first_has_sealed() {
    for kind in [InvitationKind::Scanned, InvitationKind::Typed] {
        let mut old = person();
        let people = People::default();
        let place = place();
        let note = old.seal_note(place, b"mine", &[], &people).unwrap();
        let before = old.sigchain().unwrap();
        let mut new = pair(&mut old, kind, false).unwrap();
        assert_eq!(new.pinned(), Some(&pinned()));
        assert_eq!(code(new.follow_sigchain(&before, None)), Code::Rollback);
        new.follow_sigchain(&old.sigchain().unwrap(), None).unwrap();
        let expectation = expected(place, &old, &[&old]);
        assert_eq!(
            code(new.open_note(&note.record, &expectation, &people)),
            Code::KeyNeeded
        );
        new.open_items_key(&old.sealed_items_key().unwrap())
            .unwrap();
        let opened = new.open_note(&note.record, &expectation, &people).unwrap();
        assert_eq!(*opened.plaintext, b"mine");
    }
}

#[test]
fn nobody_comes_in_by_wrong_digits() {
    let mut old = person();
    let before = old.sigchain().unwrap();
    let refused = pair(&mut old, InvitationKind::Typed, true);
    assert_eq!(code(refused), Code::Interference);
    assert_eq!(old.sigchain().unwrap(), before);
}

/// One person lets two devices in at once. Message number `swapped` of either
/// room is delivered in the other.
fn crossed(old: &mut Session, kind: InvitationKind, swapped: usize) -> Result<(), Refusal> {
    let mut new = [(); 2].map(|()| {
        let fresh = Session::create(Some(old.user())).unwrap();
        NewPairing::invite(fresh, kind).unwrap()
    });
    assert_ne!(new[0].room(), new[1].room());
    let joined = new.each_ref();
    let [one, other] = joined.map(|new| OldPairing::join(old, kind, new.invitation()).unwrap());
    let (mut helping, commits) = ([one.0, other.0], [one.1, other.1]);
    let carried = |number: usize, mut messages: [Vec<u8>; 2]| {
        if number == swapped {
            messages.reverse();
        }
        messages
    };
    let commits = carried(0, commits);
    let shares = [new[0].receive(&commits[0])?, new[1].receive(&commits[1])?];
    let shares = carried(1, shares);
    let [one, other] = &mut helping;
    let reveals = [
        one.receive_share(&shares[0])?,
        other.receive_share(&shares[1])?,
    ];
    let reveals = carried(2, reveals);
    let hellos = [new[0].receive(&reveals[0])?, new[1].receive(&reveals[1])?];
    let hellos = carried(3, hellos);
    for (place, helping) in helping.iter_mut().enumerate() {
        helping.receive_hello(&hellos[place])?;
        helping.confirm(&new[place].digits().unwrap())?;
    }
    let [one, other] = helping;
    let payloads = [
        one.admit(old, None, NOW_MS)?,
        other.admit(old, None, NOW_MS)?,
    ];
    let payloads = carried(4, payloads);
    for (new, payload) in new.into_iter().zip(payloads) {
        new.finish(&payload)?;
    }
    Ok(())
}

#[test]
fn a_message_of_another_room_ends_the_pairing() {
    for kind in [InvitationKind::Scanned, InvitationKind::Typed] {
        crossed(&mut person(), kind, usize::MAX).unwrap();
        for swapped in 0..5 {
            let mut old = person();
            let before = old.sigchain().unwrap();
            let refused = crossed(&mut old, kind, swapped);
            assert_eq!(code(refused), Code::Interference, "{swapped}");
            // The last message is made when the device is on the list already.
            let listed = old.sigchain().unwrap() != before;
            assert_eq!(listed, swapped == 4, "{swapped}");
        }
    }
}

#[test]
fn a_new_device_learns_whose_it_is_and_a_lie_about_it_brings_nobody_in() {
    let (mut old, other) = (person(), person());
    for told in [old.user(), other.user()] {
        let kind = InvitationKind::Scanned;
        let mut new = NewPairing::invite(Session::create(None).unwrap(), kind).unwrap();
        let (mut helping, commit) = OldPairing::join(&mut old, kind, new.invitation()).unwrap();
        let share = new.receive(&commit).unwrap();
        new.name_person(told).unwrap();
        let hello = new
            .receive(&helping.receive_share(&share).unwrap())
            .unwrap();
        assert_eq!(code(new.name_person(old.user())), Code::OutOfTurn);
        helping.receive_hello(&hello).unwrap();
        helping.confirm(&new.digits().unwrap()).unwrap();
        let before = old.sigchain().unwrap();
        match helping.admit(&mut old, None, NOW_MS) {
            Ok(payload) => {
                assert_eq!(told, old.user());
                let mut session = new.finish(&payload).unwrap();
                assert_eq!(session.user(), old.user());
                assert_eq!(session.pinned(), None);
                let chain = old.sigchain().unwrap();
                session.follow_sigchain(&chain, None).unwrap();
            }
            Err(refused) => {
                assert_eq!((refused.code(), told), (Code::Altered, other.user()));
                assert_eq!(old.sigchain().unwrap(), before);
            }
        }
    }
}

#[test]
fn a_revoked_device_opens_nothing_new_and_its_notes_are_marked() {
    let mut old = person();
    let mut new = pair(&mut old, InvitationKind::Scanned, false).unwrap();
    new.follow_sigchain(&old.sigchain().unwrap(), None).unwrap();
    let people = People::default();
    let place = place();
    let note = new.seal_note(place, b"before", &[], &people).unwrap();
    let both = BTreeSet::from([old.device(), new.device()]);
    assert_eq!(BTreeSet::from_iter(old.devices().unwrap()), both);
    old.revoke_device(new.device(), NOW_MS).unwrap();
    assert_eq!(old.devices().unwrap(), [old.device()]);
    let expectation = expected(place, &old, &[&old]);
    let late = [
        old.seal_note(place, b"after", &[], &people).map(drop),
        old.seal_file(place, 5, &[], &people).map(drop),
        old.revise_note(&note.record, &expectation, b"after", &[], &people)
            .map(drop),
        old.seal_export(HubId::from_bytes([7; 16]), b"after", None, NOW_MS)
            .map(drop),
        old.sealed_items_key().map(drop),
    ];
    for sealed in late {
        assert_eq!(code(sealed), Code::OutOfTurn);
    }
    old.rotate_key(NOW_MS).unwrap();
    old.seal_note(place, b"after", &[], &people).unwrap();
    let opened = old.open_note(&note.record, &expectation, &people).unwrap();
    assert_eq!(
        (&**opened.plaintext, opened.author_revoked),
        (&b"before"[..], true)
    );
    let chain = old.sigchain().unwrap();
    assert_eq!(code(new.follow_sigchain(&chain, None)), Code::NotForYou);
}

/// Randomness that comes to an end.
struct Ending(Arc<AtomicUsize>);

impl Entropy for Ending {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        match left {
            0 => Err(EntropyError),
            _ => OsEntropy.fill(out),
        }
    }
}

#[test]
fn a_device_that_cannot_be_told_is_not_on_the_list() {
    let mut failed = 0;
    for fills in 0.. {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let mut old = Session::create_with(None, Box::new(Ending(left.clone()))).unwrap();
        old.begin_sigchain(NOW_MS).unwrap();
        let before = old.sigchain().unwrap();
        let fresh = Session::create(Some(old.user())).unwrap();
        let mut new = NewPairing::invite(fresh, InvitationKind::Typed).unwrap();
        let joined = OldPairing::join(&mut old, InvitationKind::Typed, new.invitation());
        let (mut helping, commit) = joined.unwrap();
        let reveal = helping.receive_share(&new.receive(&commit).unwrap());
        helping
            .receive_hello(&new.receive(&reveal.unwrap()).unwrap())
            .unwrap();
        helping.confirm(&new.digits().unwrap()).unwrap();
        left.store(fills, Ordering::Relaxed);
        match helping.admit(&mut old, None, NOW_MS) {
            Ok(_) => break,
            Err(refused) => assert_eq!(refused.code(), Code::NoRandomness),
        }
        assert_eq!(old.sigchain().unwrap(), before);
        failed += 1;
    }
    // For the device's wrap and for the message to it, at the least.
    assert!(failed >= 2, "{failed}");
}
