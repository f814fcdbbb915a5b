//! What a person's devices do, from the first key to the last.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod people;

use std::collections::BTreeSet;
use std::process::Command;

use crypto::provisioning::InvitationKind;
use crypto::record::{RecordKind, RecordPlace};
use crypto::vault::{AuthSecret, BackupSet};
use crypto::{RecordId, UserId};
use crypto_session::{
    Code, Expectation, People, Rewrap, Session, Unlocking, VaultFacts, VaultShares,
};
use people::{NOW_MS, code, expected, knowing, pair, person, place};

const PIN: &str = "493027";
const SHARE: [u8; 32] = [7; 32];
const DEVICE_SHARE: VaultShares<'static> = VaultShares {
    device: Some(&SHARE),
    server: false,
    prf: None,
};

/// Sealed with PBKDF2 by `vault_peer.py`: under a code that could be chosen then,
/// the share of the device, and that of the server.
const OLD_VAULT: &str = "\
    484c5654010103a46effed995f3f816687e00b9b6b1f1a19fef484276897747464ad5494e854d0ee4dcf\
    74cab835a390f7b7a3720b7979837e4738e1d2b172a4ef0e5743351a12cfd88afbb42f509f216ac85089\
    76fee7273a663a13241b43fe599d32ccc09e15fb4a0511603d559f357e17fabea153f69740cb3fe0e871\
    6a";
const OLD_CODE: &str = "111111";
const OLD_SERVER_SHARE: [u8; 32] = [9; 32];

fn unhex(text: &str) -> Vec<u8> {
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    let pairs = pairs.iter().map(|pair| str::from_utf8(pair).unwrap());
    let bytes = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap());
    bytes.collect()
}

#[test]
fn a_note_is_read_by_whom_it_was_sealed_to() {
    let (mut ana, ben, eve) = (person(), person(), person());
    let people = knowing(&[&ana, &ben, &eve]);
    let place = place();
    let note = ana.seal_note(place, b"called twice", &[ben.user()], &people);
    let note = note.unwrap();
    let mut expectation = expected(place, &ana, &[&ana, &ben]);
    for reader in [&ana, &ben] {
        let opened = reader.open_note(&note.record, &expectation, &people);
        assert_eq!(*opened.unwrap().plaintext, b"called twice");
    }
    assert_eq!(
        code(eve.open_note(&note.record, &expectation, &people)),
        Code::NotForYou
    );
    expectation.place.record = RecordId::from_bytes([1; 16]);
    assert_eq!(
        code(ben.open_note(&note.record, &expectation, &people)),
        Code::Moved
    );
}

#[test]
fn readers_come_and_go() {
    let (mut ana, ben, eve) = (person(), person(), person());
    let people = knowing(&[&ana, &ben, &eve]);
    let place = place();
    let first = ana
        .seal_note(place, b"one", &[ben.user()], &people)
        .unwrap();
    let mut expectation = expected(place, &ana, &[&ana, &ben]);
    let added = ana.add_reader(&first.record, &expectation, eve.user(), &people);
    assert_eq!(code(added), Code::ReaderNotAllowed);
    expectation.readers.insert(eve.user());
    let added = ana.add_reader(&first.record, &expectation, eve.user(), &people);
    let added = added.unwrap();
    let opened = eve.open_note(&added.record, &expectation, &people).unwrap();
    assert_eq!(*opened.plaintext, b"one");
    expectation.at_least = added.position;
    assert_eq!(
        code(ben.open_note(&first.record, &expectation, &people)),
        Code::Rollback
    );
    let removed = ana.remove_reader(&added.record, &expectation, eve.user(), &people);
    let removed = removed.unwrap().record;
    assert_eq!(
        code(eve.open_note(&removed, &expectation, &people)),
        Code::NotForYou
    );
    let second = ana.revise_note(&removed, &expectation, b"two", &[ben.user()], &people);
    let second = second.unwrap();
    assert_eq!(second.position.revision, 2);
    let opened = ben
        .open_note(&second.record, &expectation, &people)
        .unwrap();
    assert_eq!(*opened.plaintext, b"two");
}

#[test]
fn a_locked_device_does_nothing_until_the_pin_is_right() {
    let mut ana = person();
    let chain = ana.sigchain().unwrap();
    let vault = ana.seal_vault(PIN, DEVICE_SHARE).unwrap().vault;
    let (user, device) = (ana.user(), ana.device());
    ana.lock();
    assert!(ana.is_locked());
    assert_eq!(code(ana.sigchain()), Code::Locked);
    assert_eq!(code(ana.seal_vault(PIN, DEVICE_SHARE)), Code::Locked);
    assert_eq!(code(ana.make_recovery_key(NOW_MS)), Code::Locked);
    let enter = |pin: &str| {
        let unlocking = Unlocking::begin(&vault, pin, Some(&SHARE), None).unwrap();
        unlocking.finish(None, user, device)
    };
    assert_eq!(code(enter("493028")), Code::WrongCode);
    let mut again = enter(PIN).unwrap();
    again.follow_sigchain(&chain, None).unwrap();
    let note = again.seal_note(place(), b"back", &[], &People::default());
    assert!(note.is_ok());
    assert_eq!(
        code(again.seal_vault("123456", DEVICE_SHARE)),
        Code::WeakCode
    );
    assert_eq!(
        code(again.seal_vault(PIN, VaultShares::default())),
        Code::Share
    );
}

#[test]
fn the_server_gives_its_share_for_the_right_proof() {
    let mut ana = person();
    let shares = VaultShares {
        server: true,
        ..VaultShares::default()
    };
    let sealed = ana.seal_vault(PIN, shares).unwrap();
    let kept = sealed.server.unwrap();
    let unlocking = Unlocking::begin(&sealed.vault, PIN, None, None).unwrap();
    assert_eq!(*unlocking.server_proof(), *kept.proof());
    let session = unlocking.finish(Some(kept.share()), ana.user(), ana.device());
    assert_eq!(session.unwrap().prf_input(), ana.prf_input());
    let wrong = Unlocking::begin(&sealed.vault, "493028", None, None).unwrap();
    assert_ne!(*wrong.server_proof(), *kept.proof());
}

#[test]
fn an_old_vault_is_sealed_anew_under_the_code_that_opened_it() {
    let old = unhex(OLD_VAULT);
    let facts = VaultFacts::of(&old).unwrap();
    assert!(facts.outdated && facts.device && facts.server && !facts.prf);
    let (user, device) = (
        UserId::from_bytes([1; 16]),
        crypto::DeviceId::from_bytes([2; 16]),
    );
    let server = Some(&OLD_SERVER_SHARE[..]);
    let wrong = Unlocking::begin(&old, "111112", Some(&SHARE), None).unwrap();
    assert_eq!(code(wrong.reseal(server)), Code::WrongCode);
    let unlocking = Unlocking::begin(&old, OLD_CODE, Some(&SHARE), None).unwrap();
    assert!(unlocking.is_outdated());
    assert_eq!(code(unlocking.reseal(None)), Code::Share);
    let new = unlocking.reseal(server).unwrap();
    let old_proof = unlocking.server_proof();
    let mut session = unlocking.finish(server, user, device).unwrap();
    let draft = session.seal_draft("note", b"written before").unwrap();

    let part = new.server.unwrap();
    assert_eq!(part.share(), OLD_SERVER_SHARE);
    assert_ne!(part.proof(), &old_proof[..]);
    let facts_now = VaultFacts::of(&new.vault).unwrap();
    let outdated = false;
    assert_eq!(facts_now, VaultFacts { outdated, ..facts });
    let again = Unlocking::begin(&new.vault, OLD_CODE, Some(&SHARE), None).unwrap();
    assert!(!again.is_outdated());
    assert_eq!(again.server_proof()[..], *part.proof());
    assert_eq!(code(again.reseal(server)), Code::OutOfTurn);
    let session = again.finish(server, user, device).unwrap();
    assert_eq!(
        *session.open_draft("note", &draft).unwrap(),
        b"written before"
    );
}

#[test]
fn a_new_pin_is_a_new_key() {
    let mut ana = person();
    let (user, device) = (ana.user(), ana.device());
    let mut laptop = pair(&mut ana, InvitationKind::Scanned, false).unwrap();
    laptop
        .follow_sigchain(&ana.sigchain().unwrap(), None)
        .unwrap();
    let before = ana.sigchain().unwrap();
    let old = ana.seal_vault(PIN, DEVICE_SHARE).unwrap().vault;
    assert_eq!(
        code(ana.change_passcode("123456", DEVICE_SHARE, NOW_MS)),
        Code::WeakCode
    );
    assert_eq!(
        code(ana.change_passcode("480213", VaultShares::default(), NOW_MS)),
        Code::Share
    );
    assert_eq!(ana.sigchain().unwrap(), before);

    let fresh = [8; 32];
    let shares = VaultShares {
        device: Some(&fresh),
        server: true,
        prf: None,
    };
    let changed = ana.change_passcode("480213", shares, NOW_MS).unwrap();
    assert_eq!(changed.sigchain, ana.sigchain().unwrap());
    let generation = |chain: &[u8]| {
        let chain = crypto::identity::Sigchain::decode(chain).unwrap();
        chain.state().reader().unwrap().generation
    };
    assert_eq!((generation(&before), generation(&changed.sigchain)), (1, 2));
    let vault = &changed.vault.vault;
    let part = changed.vault.server.as_ref().unwrap();
    let facts = VaultFacts::of(vault).unwrap();
    assert_eq!(facts.id, VaultFacts::of(&old).unwrap().id);
    assert_eq!(facts.prf_input(), ana.prf_input().unwrap());
    let enter = |pin: &str, share: &[u8]| {
        let unlocking = Unlocking::begin(vault, pin, Some(share), None)?;
        unlocking.finish(Some(part.share()), user, device)
    };
    assert_eq!(code(enter(PIN, &fresh)), Code::WrongCode);
    assert_eq!(code(enter("480213", &SHARE)), Code::WrongCode);
    let mut again = enter("480213", &fresh).unwrap();
    again.follow_sigchain(&changed.sigchain, None).unwrap();

    // Another device goes on with the new keys.
    let people = People::default();
    let place = place();
    laptop.follow_sigchain(&changed.sigchain, None).unwrap();
    laptop.open_items_key(&changed.items_key).unwrap();
    let note = ana.seal_note(place, b"after", &[], &people).unwrap();
    let expectation = expected(place, &ana, &[&ana]);
    for device in [&laptop, &ana] {
        let opened = device.open_note(&note.record, &expectation, &people);
        assert_eq!(*opened.unwrap().plaintext, b"after");
    }
    let mut stranger = Session::create(None).unwrap();
    assert_eq!(
        code(stranger.change_passcode("480213", DEVICE_SHARE, NOW_MS)),
        Code::KeyNeeded
    );
}

#[test]
fn a_reader_s_wrap_moves_to_their_newest_key_once() {
    let (mut ana, mut ben) = (person(), person());
    let place = place();
    let people = knowing(&[&ana, &ben]);
    let note = ana.seal_note(place, b"ours", &[ben.user()], &people);
    let note = note.unwrap();
    let mut expectation = expected(place, &ana, &[&ana, &ben]);
    let why = |reader: &Session, record: &[u8], expectation: &Expectation, people: &People| {
        let opened = reader.open_note(record, expectation, people).unwrap();
        assert_eq!(*opened.plaintext, b"ours");
        opened.rewrap
    };
    assert_eq!(why(&ana, &note.record, &expectation, &people), None);
    assert_eq!(
        why(&ben, &note.record, &expectation, &people),
        Some(Rewrap::Slower)
    );
    for reader in [&mut ana, &mut ben] {
        reader.rotate_key(NOW_MS).unwrap();
    }
    let people = knowing(&[&ana, &ben]);
    let mut record = note.record.clone();
    for reader in [&mut ben, &mut ana] {
        let due = why(reader, &record, &expectation, &people);
        assert_eq!(due, Some(Rewrap::Older));
        let moved = reader.rewrap_note(&record, &expectation, &people);
        let moved = moved.unwrap().unwrap();
        assert!(moved.position > expectation.at_least);
        assert!(moved.record.starts_with(&moved.front));
        expectation.at_least = moved.position;
        record = moved.record;
        assert_eq!(why(reader, &record, &expectation, &people), None);
        let again = reader.rewrap_note(&record, &expectation, &people);
        assert_eq!(again, Ok(None));
    }
    for reader in [&ana, &ben] {
        assert_eq!(why(reader, &record, &expectation, &people), None);
    }
    let front = crypto::record::SealedRecord::decode(&record).unwrap();
    let entries = front.front().manifest().entries().iter();
    let wraps: Vec<_> = entries
        .map(|entry| (entry.generation(), entry.kind()))
        .collect();
    assert_eq!(wraps, [(2, crypto::record::WrapKind::ItemsKey); 2]);
    // What was there before is older now.
    let refused = ana.open_note(&note.record, &expectation, &people);
    assert_eq!(code(refused), Code::Rollback);
}

#[test]
fn what_a_reader_s_lost_device_had_moved_still_opens() {
    let (mut ana, mut ben) = (person(), person());
    let place = place();
    let mut laptop = pair(&mut ben, InvitationKind::Scanned, false).unwrap();
    let chain = ben.sigchain().unwrap();
    laptop.follow_sigchain(&chain, None).unwrap();
    let people = knowing(&[&ana, &ben]);
    let note = ana.seal_note(place, b"ours", &[ben.user()], &people);
    let expectation = expected(place, &ana, &[&ana, &ben]);
    let record = note.unwrap().record;
    assert_eq!(
        code(laptop.rewrap_note(&record, &expectation, &people)),
        Code::KeyNeeded
    );
    let items = ben.sealed_items_key().unwrap();
    laptop.open_items_key(&items).unwrap();
    let moved = laptop.rewrap_note(&record, &expectation, &people);
    let moved = moved.unwrap().unwrap().record;
    ben.revoke_device(laptop.device(), NOW_MS).unwrap();
    ben.rotate_key(NOW_MS).unwrap();
    let people = knowing(&[&ana, &ben]);
    for reader in [&ana, &ben] {
        let opened = reader.open_note(&moved, &expectation, &people).unwrap();
        assert_eq!(*opened.plaintext, b"ours");
        assert!(!opened.author_revoked);
    }
}

#[test]
fn the_paper_brings_a_person_back_to_their_notes() {
    let mut lost = person();
    let people = People::default();
    let place = place();
    let note = lost.seal_note(place, b"kept", &[], &people).unwrap();
    let items = lost.sealed_items_key().unwrap();
    let sheet = lost.make_recovery_key(NOW_MS).unwrap();
    let chain = lost.sigchain().unwrap();
    let user = lost.user();
    let wrong = "0000-0000-0000-0000-0000-0000-0000";
    assert_ne!(wrong, sheet.reveal());
    assert!(Session::recover(user, &sheet.escrow, wrong).is_err());
    let mut paper = Session::recover(user, &sheet.escrow, sheet.reveal()).unwrap();
    assert_eq!(paper.device(), sheet.device);
    paper.follow_sigchain(&chain, None).unwrap();
    let mut fresh = Session::create(Some(user)).unwrap();
    paper.adopt(&mut fresh, NOW_MS).unwrap();
    fresh.open_items_key(&items).unwrap();
    let expectation = expected(place, &lost, &[&lost]);
    let opened = fresh.open_note(&note.record, &expectation, &people);
    assert_eq!(*opened.unwrap().plaintext, b"kept");
}

#[test]
fn each_backup_code_brings_a_person_back_once() {
    let mut lost = person();
    let user = lost.user();
    let sheet = lost.make_backup_codes(NOW_MS).unwrap();
    let chain = lost.sigchain().unwrap();
    let mut kept = BackupSet::decode(&sheet.set).unwrap();
    let codes: Vec<&str> = sheet.reveal().collect();
    assert_eq!((codes.len(), kept.remaining()), (8, 8));
    let typed = codes[3].to_lowercase();
    let proof = Session::backup_proof(user, &typed).unwrap();
    let escrow = kept
        .redeem(&AuthSecret::from_bytes(&proof))
        .unwrap()
        .encode();
    assert!(kept.redeem(&AuthSecret::from_bytes(&proof)).is_err());
    let other = Session::recover_with_code(user, &escrow, codes[4]);
    assert_eq!(code(other), Code::WrongCode);
    let mut paper = Session::recover_with_code(user, &escrow, &typed).unwrap();
    assert_eq!(paper.device(), sheet.device);
    paper.follow_sigchain(&chain, None).unwrap();
    let mut fresh = Session::create(Some(user)).unwrap();
    paper.adopt(&mut fresh, NOW_MS).unwrap();
    assert_eq!(fresh.sigchain().unwrap(), paper.sigchain().unwrap());
}

#[test]
fn a_file_goes_through_in_pieces() {
    let (mut ana, mut ben) = (person(), person());
    let people = knowing(&[&ana, &ben]);
    let place = RecordPlace {
        kind: RecordKind::Attachment,
        ..place()
    };
    let file: Vec<u8> = (0..100_000).map(|place: u32| (place / 3) as u8).collect();
    let readers = [ben.user()];
    let mut sealing = ana.seal_file(place, 100_000, &readers, &people).unwrap();
    let mut body = Vec::new();
    for piece in file.chunks(3_000) {
        body.extend(sealing.push(piece).unwrap());
    }
    assert_eq!(code(sealing.push(b"more")), Code::Limit);
    let sealed = ana.finish_file(sealing).unwrap();
    body.extend(sealed.end);
    let expectation = expected(place, &ana, &[&ana, &ben]);
    let open = |body: &[u8]| {
        let mut opening = ben.open_file(&sealed.front.record, &expectation, &people)?;
        let mut plain = Vec::new();
        for piece in body.chunks(5_000) {
            plain.extend_from_slice(&opening.push(piece)?);
        }
        plain.extend_from_slice(&opening.finish()?);
        Ok(plain)
    };
    assert!(open(&body).unwrap() == file);
    *body.last_mut().unwrap() ^= 1;
    assert_eq!(code(open(&body)), Code::Altered);

    let moved = ben.rewrap_file(&sealed.front.record, &expectation, &people);
    let moved = moved.unwrap().unwrap();
    let opening = ben.open_file(&moved.front, &expectation, &people);
    assert!(opening.is_ok());
    let again = ben.rewrap_file(&moved.front, &expectation, &people);
    assert_eq!(again, Ok(None));

    let empty = ana.seal_file(place, 0, &readers, &people).unwrap();
    let empty = ana.finish_file(empty).unwrap();
    let opening = ben.open_file(&empty.front.record, &expectation, &people);
    let mut opening = opening.unwrap();
    assert_eq!(*opening.push(&empty.end).unwrap(), b"");
    assert_eq!(*opening.finish().unwrap(), b"");
    // What is begun before the lock cannot be signed after it.
    let late = ana.seal_file(place, 0, &readers, &people).unwrap();
    ana.lock();
    assert_eq!(code(ana.finish_file(late)), Code::Locked);
}

#[test]
fn a_draft_stays_on_its_device() {
    let mut ana = person();
    let draft = ana.seal_draft("note", b"half a sen").unwrap();
    assert_eq!(*ana.open_draft("note", &draft).unwrap(), b"half a sen");
    assert_eq!(code(ana.open_draft("reply", &draft)), Code::Altered);
    let other = Session::create(Some(ana.user())).unwrap();
    assert_eq!(code(other.open_draft("note", &draft)), Code::Altered);
    ana.lock();
    assert_eq!(code(ana.open_draft("note", &draft)), Code::Locked);
}

#[test]
fn people_are_who_they_were() {
    let (mut ana, ben) = (person(), person());
    let old = ana.sigchain().unwrap();
    let mut people = People::default();
    assert_eq!(code(people.add(ben.user(), &old, None)), Code::Moved);
    ana.rotate_key(NOW_MS).unwrap();
    let new = ana.sigchain().unwrap();
    let head = people.add(ana.user(), &new, None).unwrap();
    assert_eq!(head, ana.head().unwrap());
    assert_eq!(code(people.add(ana.user(), &old, None)), Code::Rollback);
    let mut fresh = People::default();
    assert_eq!(
        code(fresh.add(ana.user(), &old, Some(&head))),
        Code::Rollback
    );
}

/// A binding must build where there is no C compiler: for phones and browsers. And there is one
/// implementation of everything to look at: `syn` is the compiler's, and there twice.
#[test]
fn nothing_below_is_written_in_c_or_there_in_two_versions() {
    for target in ["x86_64-unknown-linux-gnu", "wasm32-unknown-unknown"] {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "-p", "crypto-session", "-e", "normal,build"])
            .args([
                "--prefix",
                "none",
                "--format",
                "{p}",
                "--locked",
                "--offline",
            ])
            .args(["--target", target])
            .output()
            .unwrap();
        assert!(tree.status.success());
        let tree = String::from_utf8(tree.stdout).unwrap();
        let packages: BTreeSet<(&str, &str)> = tree
            .lines()
            .filter_map(|line| {
                let mut words = line.split(' ');
                Some((words.next()?, words.next()?))
            })
            .collect();
        let names: BTreeSet<&str> = packages.iter().map(|(name, _)| *name).collect();
        let mut twice = packages.iter().zip(packages.iter().skip(1));
        let twice = twice.find(|((one, _), (next, _))| one == next && *one != "syn");
        assert_eq!(twice, None);
        assert!(names.contains("curve25519-dalek"), "{names:?}");
        let in_c = |name: &&&str| ["cc", "cmake", "ring"].contains(name) || name.ends_with("-sys");
        assert_eq!(names.iter().find(in_c), None);
    }
}
