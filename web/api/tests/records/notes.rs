//! Notes and reports.

use crypto::identity::{DeviceKeys, ItemsKey};
use crypto::record::{
    Erasure, Expected, NOBODY, OpeningKey, Position, RecordAuthor, RecordFront, RecordKind,
    RecordWriter, SealedRecord,
};
use crypto::{DeviceId, OsEntropy};
use jiff::Timestamp;
use protocol::{
    Blob, IndexToken, NewReaders, NewRecord, RecordErasure, RecordHistory, RecordPage,
    SearchAnswer, SearchRequest, Visibility,
};
use std::collections::BTreeSet;
use store::{CallStart, Caller, Change, Changes};

use crate::town::{NORTE, Norte, Person, SUR, named, note, place, sent};

async fn listed(norte: &Norte, person: &Person, query: &str) -> Vec<u8> {
    let path = format!("/hubs/{NORTE}/records{query}");
    let page: RecordPage = norte.town.get(person, &path).await.read();
    page.records.iter().map(|record| record.id.0[0]).collect()
}

/// The next revision of `sealed`, by its author.
pub fn revised(
    author: &Person,
    sealed: &SealedRecord,
    text: &str,
    others: &[&Person],
) -> SealedRecord {
    let mut readers = vec![author.reader()];
    readers.extend(others.iter().map(|other| other.reader()));
    let allowed: BTreeSet<_> = readers.iter().map(|reader| reader.user).collect();
    let front = sealed.front();
    let expected = Expected {
        place: front.context().place(),
        at_least: Position::START,
        author: RecordAuthor::Person(author.device()),
        manifest_signers: &[],
        allowed_readers: &allowed,
        former_readers: &NOBODY,
    };
    let writer = RecordWriter::person(&author.keys);
    let verified = front.verify(&expected).unwrap();
    verified
        .new_revision(&writer, text.as_bytes(), &readers, &mut OsEntropy)
        .unwrap()
}

#[tokio::test]
async fn a_note_is_for_its_author_and_the_admin() {
    let norte = Norte::new().await;
    norte.vera_writes(1, "He called again.").await;
    let path = format!("/hubs/{NORTE}/records/{}", named(1));
    for reader in [&norte.vera, &norte.ada] {
        assert_eq!(listed(&norte, reader, "").await, [1]);
        let history: RecordHistory = norte.town.get(reader, &path).await.read();
        let sealed = history.revisions[0].record.as_ref().unwrap();
        let text = reader.open(&sealed.0, &norte.vera).unwrap();
        assert_eq!(text, "He called again.");
    }
    // Another volunteer, a reporter, and a reviewer to whom it is not sealed.
    for stranger in [&norte.vito, &norte.rolf, &norte.rita] {
        assert!(listed(&norte, stranger, "").await.is_empty());
        norte.town.get(stranger, &path).await.refused(404);
    }
    norte.town.get(&norte.otto, &path).await.refused(403);
    let other_hub = format!("/hubs/{SUR}/records/{}", named(1));
    norte.town.get(&norte.vera, &other_hub).await.refused(403);
    let trail = norte.town.trail(&norte.ada, NORTE).await;
    assert_eq!(trail.last().unwrap(), "note-created");
}

#[tokio::test]
async fn a_message_is_told_of_as_a_message() {
    let norte = Norte::new().await;
    let message = place(NORTE, RecordKind::Message, 1);
    let sealed = norte.vera.seal(message, "Call me.", &[&norte.ada]);
    let answer = norte.town.write(&norte.vera, NORTE, &sent(&sealed)).await;
    answer.done();
    let trail = norte.town.trail(&norte.ada, NORTE).await;
    assert_eq!(trail.last().unwrap(), "message-sent");
}

#[tokio::test]
async fn a_report_is_for_the_reviewers_too() {
    let norte = Norte::new().await;
    let report = place(NORTE, RecordKind::Report, 1);
    let sealed = norte.rolf.seal(report, "A report.", &[&norte.ada]);
    let answer = norte.town.write(&norte.rolf, NORTE, &sent(&sealed)).await;
    // The reviewer is missing.
    answer.refused(409);
    let readers = [&norte.ada, &norte.rita];
    let sealed = norte.rolf.seal(report, "A report.", &readers);
    norte
        .town
        .write(&norte.rolf, NORTE, &sent(&sealed))
        .await
        .done();
    for reader in [&norte.rolf, &norte.ada, &norte.rita] {
        assert_eq!(listed(&norte, reader, "").await, [1]);
        assert_eq!(listed(&norte, reader, "?kind=report").await, [1]);
        assert!(listed(&norte, reader, "?kind=note").await.is_empty());
    }
    assert!(listed(&norte, &norte.vera, "").await.is_empty());
}

#[tokio::test]
async fn a_private_note_is_its_authors_alone() {
    let norte = Norte::new().await;
    let sealed = norte.vera.seal(note(1), "Mine.", &[]);
    let private = |sealed: &SealedRecord| NewRecord {
        visibility: Visibility::Private,
        ..sent(sealed)
    };
    norte
        .town
        .write(&norte.vera, NORTE, &private(&sealed))
        .await
        .done();
    assert_eq!(listed(&norte, &norte.vera, "").await, [1]);
    assert!(listed(&norte, &norte.ada, "").await.is_empty());
    let path = format!("/hubs/{NORTE}/records/{}", named(1));
    norte.town.get(&norte.ada, &path).await.refused(404);
    // Called private, and sealed to somebody else all the same.
    let shared = norte.vera.seal(note(2), "Ours.", &[&norte.ada]);
    let answer = norte
        .town
        .write(&norte.vera, NORTE, &private(&shared))
        .await;
    answer.refused(400);
}

#[tokio::test]
async fn what_readers_would_refuse_is_refused() {
    let norte = Norte::new().await;
    let (town, ada, vera, vito) = (&norte.town, &norte.ada, &norte.vera, &norte.vito);
    // By Vera's device, sent by Vito; and by Vito's device in Vera's name.
    let sealed = vera.seal(note(1), "text", &[ada]);
    town.write(vito, NORTE, &sent(&sealed)).await.refused(400);
    let seed = [3; DeviceKeys::SEED_BYTES];
    let forger = DeviceKeys::from_seed(vera.user(), vera.keys.device(), &seed);
    let forged = RecordWriter::person(&forger)
        .seal(
            note(1),
            b"text",
            &[vera.reader(), ada.reader()],
            &mut OsEntropy,
        )
        .unwrap();
    town.write(vera, NORTE, &sent(&forged)).await.refused(400);
    // Of another hub.
    let foreign = vera.seal(place(SUR, RecordKind::Note, 1), "text", &[ada]);
    town.write(vera, NORTE, &sent(&foreign)).await.refused(400);
    town.write(vera, SUR, &sent(&foreign)).await.refused(403);
    // For somebody whom the roster does not name.
    let leaked = vera.seal(note(1), "text", &[ada, vito]);
    town.write(vera, NORTE, &sent(&leaked)).await.refused(400);
    let outside = vera.seal(note(1), "text", &[ada, &norte.otto]);
    town.write(vera, NORTE, &sent(&outside)).await.refused(400);
    // Not for the admin, who must be able to read it.
    let hidden = vera.seal(note(1), "text", &[]);
    town.write(vera, NORTE, &sent(&hidden)).await.refused(409);
    // Another body than the signed one.
    let other = vera.seal(note(1), "other", &[ada]);
    let swapped = SealedRecord::from_parts(sealed.front().clone(), other.body().to_vec()).unwrap();
    town.write(vera, NORTE, &sent(&swapped)).await.refused(400);
    // A reviewer changes nothing.
    let reviewed = norte.rita.seal(note(1), "text", &[ada]);
    town.write(&norte.rita, NORTE, &sent(&reviewed))
        .await
        .refused(403);
    assert!(listed(&norte, ada, "").await.is_empty());
    // None of this kept the real one out.
    town.write(vera, NORTE, &sent(&sealed)).await.done();
    // Another record under the same id.
    town.write(vera, NORTE, &sent(&other)).await.refused(409);
    let squat = vito.seal(note(1), "text", &[ada]);
    town.write(vito, NORTE, &sent(&squat)).await.refused(409);
}

#[tokio::test]
async fn revisions_follow_each_other() {
    let norte = Norte::new().await;
    let (town, ada, vera) = (&norte.town, &norte.ada, &norte.vera);
    let first = norte.vera_writes(1, "first").await;
    let second = revised(vera, &first, "second", &[ada]);
    let rival = revised(vera, &first, "rival", &[ada]);
    town.write(vera, NORTE, &sent(&second)).await.done();
    // The same once more is no harm; another one in its place is.
    town.write(vera, NORTE, &sent(&second)).await.done();
    town.write(vera, NORTE, &sent(&rival)).await.refused(409);
    let skipped = revised(vera, &revised(vera, &second, "3", &[ada]), "4", &[ada]);
    town.write(vera, NORTE, &sent(&skipped)).await.refused(409);
    town.write(vera, NORTE, &sent(&first)).await.refused(409);
    // An admin reads, and does not rewrite.
    let path = format!("/hubs/{NORTE}/records/{}", named(1));
    let history: RecordHistory = town.get(ada, &path).await.read();
    let texts: Vec<String> = history
        .revisions
        .iter()
        .map(|revision| {
            ada.open(&revision.record.as_ref().unwrap().0, vera)
                .unwrap()
        })
        .collect();
    assert_eq!(texts, ["first", "second"]);
    let page: RecordPage = town
        .get(ada, &format!("/hubs/{NORTE}/records"))
        .await
        .read();
    assert_eq!(page.records[0].revision, 2);
    let trail = town.trail(ada, NORTE).await;
    let edited = trail.iter().filter(|kind| *kind == "note-edited");
    // The repeated one is told as well: it was asked for and granted.
    assert_eq!(edited.count(), 2);
}

#[tokio::test]
async fn readers_change_as_the_roster_allows() {
    let mut norte = Norte::new().await;
    let sealed = norte.vera_writes(1, "text").await;
    // Vito becomes an admin: Ada lets him read.
    let vito = norte.vito.user();
    let promoted = crypto::hub::Change::ChangeRole {
        user: vito,
        role: crate::town::ADMIN,
    };
    let (town, ada, vera) = (&norte.town, &norte.ada, &norte.vera);
    let allowed = BTreeSet::from([vera.user(), ada.user(), vito]);
    let expected = Expected {
        place: note(1),
        at_least: Position::START,
        author: RecordAuthor::Person(vera.device()),
        manifest_signers: &[],
        allowed_readers: &allowed,
        former_readers: &NOBODY,
    };
    let verified = sealed.front().verify(&expected).unwrap();
    let secret = ada.puk.reader_key();
    let key = OpeningKey::PerUserKey {
        user: ada.user(),
        generation: 1,
        secret: &secret,
    };
    let writer = RecordWriter::person(&ada.keys);
    let next = verified
        .add_reader(&writer, &key, &norte.vito.reader(), &mut OsEntropy)
        .unwrap();
    let readers = NewReaders {
        front: Blob(next.encode()),
        visibility: Visibility::Shared,
    };
    let path = format!("/hubs/{NORTE}/records/{}/readers", named(1));
    // Not before the roster says so.
    town.put(ada, &path, &readers).await.refused(400);
    // Nor by somebody who does not see it, nor in another's name.
    town.put(&norte.vito, &path, &readers).await.refused(404);
    town.put(vera, &path, &readers).await.refused(400);
    let removed = verified.remove_reader(&RecordWriter::person(&vera.keys), ada.user());
    let removed = NewReaders {
        front: Blob(removed.unwrap().encode()),
        visibility: Visibility::Shared,
    };
    town.put(vera, &path, &removed).await.refused(400);
    norte.change(vec![promoted]).await.done();
    let (town, ada) = (&norte.town, &norte.ada);
    town.put(ada, &path, &readers).await.done();
    assert_eq!(listed(&norte, &norte.vito, "").await, [1]);
    let trail = norte.town.trail(ada, NORTE).await;
    assert_eq!(trail.last().unwrap(), "readers-changed");
}

/// Rita reads only: she moves her own wrap, and nothing else.
#[tokio::test]
async fn a_reader_moves_their_own_wrap_to_a_newer_key() {
    let mut norte = Norte::new().await;
    let report = place(NORTE, RecordKind::Report, 1);
    let readers = [&norte.ada, &norte.rita];
    let sealed = norte.rolf.seal(report, "A report.", &readers);
    let town = &norte.town;
    town.write(&norte.rolf, NORTE, &sent(&sealed)).await.done();
    let old = norte.rita.puk.clone();
    let outdated = ItemsKey::generate(&old, &mut OsEntropy).unwrap();
    let known = norte.rita.chain.links().len();
    let rita = &mut norte.rita;
    let rotated = rita
        .chain
        .rotate_puk(&rita.keys, Some(&old), 4, &mut OsEntropy);
    rita.puk = rotated.unwrap();
    norte.town.follow(&norte.rita, known).await;
    let items = ItemsKey::generate(&norte.rita.puk, &mut OsEntropy).unwrap();

    let (town, ada, rita) = (&norte.town, &norte.ada, &norte.rita);
    let allowed = BTreeSet::from([norte.rolf.user(), ada.user(), rita.user()]);
    let signers = [rita.device()];
    let expected = Expected {
        place: report,
        at_least: Position::START,
        author: RecordAuthor::Person(norte.rolf.device()),
        manifest_signers: &signers,
        allowed_readers: &allowed,
        former_readers: &NOBODY,
    };
    let verified = sealed.front().verify(&expected).unwrap();
    let secret = old.reader_key();
    let key = OpeningKey::PerUserKey {
        user: rita.user(),
        generation: 1,
        secret: &secret,
    };
    let moved = |by: &Person, items: &ItemsKey| {
        let writer = RecordWriter::person(&by.keys);
        let front = verified.rewrap_for_items_key(&writer, &key, items, &mut OsEntropy);
        front.unwrap()
    };
    let asked = |front: &RecordFront| NewReaders {
        front: Blob(front.encode()),
        visibility: Visibility::Shared,
    };
    let path = format!("/hubs/{NORTE}/records/{}/readers", named(1));
    // Another's wrap, or another reader less, takes the permission to write.
    let writer = RecordWriter::person(&rita.keys);
    let others = verified.add_reader(&writer, &key, &ada.reader(), &mut OsEntropy);
    let others = asked(&others.unwrap());
    town.put(rita, &path, &others).await.refused(403);
    let fewer = verified.remove_reader(&writer, ada.user()).unwrap();
    town.put(rita, &path, &asked(&fewer)).await.refused(400);
    // Under a key that somebody may have; for somebody else; by somebody who does not read.
    let stale = moved(rita, &outdated);
    town.put(rita, &path, &asked(&stale)).await.refused(409);
    let front = moved(rita, &items);
    town.put(ada, &path, &asked(&front)).await.refused(400);
    town.put(&norte.vera, &path, &asked(&front))
        .await
        .refused(404);
    let foreign = moved(ada, &items);
    town.put(ada, &path, &asked(&foreign)).await.refused(400);
    let private = NewReaders {
        visibility: Visibility::Private,
        ..asked(&front)
    };
    town.put(rita, &path, &private).await.refused(403);

    town.put(rita, &path, &asked(&front)).await.done();
    // The same once more is no harm; another one in its place is.
    town.put(rita, &path, &asked(&front)).await.done();
    let rival = moved(rita, &items);
    town.put(rita, &path, &asked(&rival)).await.refused(409);
    let record = format!("/hubs/{NORTE}/records/{}", named(1));
    let history: RecordHistory = town.get(ada, &record).await.read();
    let kept = SealedRecord::decode(&history.revisions[0].record.as_ref().unwrap().0).unwrap();
    assert_eq!(kept.front(), &front);
    let opened = kept.open(&OpeningKey::ItemsKey(&items), &expected).unwrap();
    assert_eq!(*opened.plaintext, b"A report.");
    let secret = ada.puk.reader_key();
    let key = OpeningKey::PerUserKey {
        user: ada.user(),
        generation: 1,
        secret: &secret,
    };
    assert!(kept.open(&key, &expected).is_ok());
    // Who reads did not change.
    let trail = town.trail(ada, NORTE).await;
    assert!(!trail.contains(&"readers-changed".to_owned()), "{trail:?}");
}

fn token(word: u8) -> IndexToken {
    IndexToken {
        field: 1,
        token: named(word),
    }
}

async fn found(norte: &Norte, person: &Person, words: &[u8]) -> Vec<u8> {
    let request = SearchRequest {
        tokens: words.iter().map(|word| token(*word)).collect(),
        after: None,
        limit: None,
    };
    let path = format!("/hubs/{NORTE}/search");
    let answer: SearchAnswer = norte.town.post(person, &path, &request).await.read();
    answer.records.iter().map(|record| record.0[0]).collect()
}

#[tokio::test]
async fn search_finds_what_one_may_see_and_in_its_hub_only() {
    let norte = Norte::new().await;
    let (town, ada, vera, vito) = (&norte.town, &norte.ada, &norte.vera, &norte.vito);
    for (author, number, words) in [(vera, 1, [7, 8]), (vito, 2, [7, 9])] {
        let sealed = author.seal(note(number), "text", &[ada]);
        let record = NewRecord {
            tokens: words.map(token).to_vec(),
            ..sent(&sealed)
        };
        town.write(author, NORTE, &record).await.done();
    }
    assert_eq!(found(&norte, ada, &[7]).await, [1, 2]);
    assert_eq!(found(&norte, ada, &[7, 9]).await, [2]);
    assert_eq!(found(&norte, vera, &[7]).await, [1]);
    assert!(found(&norte, vera, &[9]).await.is_empty());
    assert!(found(&norte, ada, &[1]).await.is_empty());
    assert!(found(&norte, &norte.rita, &[7]).await.is_empty());
    let request = SearchRequest {
        tokens: vec![token(7)],
        after: None,
        limit: None,
    };
    let path = format!("/hubs/{SUR}/search");
    town.post(ada, &path, &request).await.refused(403);
    let none = SearchRequest {
        tokens: vec![],
        ..request
    };
    let path = format!("/hubs/{NORTE}/search");
    town.post(ada, &path, &none).await.refused(400);
    let many = NewRecord {
        tokens: vec![token(1); 257],
        ..sent(&vera.seal(note(3), "text", &[ada]))
    };
    town.write(vera, NORTE, &many).await.refused(400);
}

#[tokio::test]
async fn erasure_leaves_nothing_but_the_mark() {
    let norte = Norte::new().await;
    let (town, ada, vera, vito) = (&norte.town, &norte.ada, &norte.vera, &norte.vito);
    let sealed = norte.vera_writes(1, "to be forgotten").await;
    let order = |by: &Person| RecordErasure {
        erasure: Blob(Erasure::sign(sealed.front(), &by.keys, 5).encode()),
    };
    let path = format!("/hubs/{NORTE}/records/{}/erasure", named(1));
    town.post(vito, &path, &order(vito)).await.refused(404);
    // In another's name.
    town.post(vera, &path, &order(ada)).await.refused(400);
    let (header, front) = (sealed.front().header().encode(), sealed.front().encode());
    let needles = [
        &sealed.body()[100..140],
        &header[header.len() - 40..],
        &front[front.len() - 40..],
    ];
    assert!(needles.iter().all(|needle| town.on_disk(needle)));
    town.post(vera, &path, &order(vera)).await.done();
    town.scrubbed().await;
    assert!(!needles.iter().any(|needle| town.on_disk(needle)));
    assert!(listed(&norte, ada, "").await.is_empty());
    let history: RecordHistory = town
        .get(ada, &format!("/hubs/{NORTE}/records/{}", named(1)))
        .await
        .read();
    assert!(history.revisions[0].record.is_none());
    let mark = Erasure::decode(&history.erasure.unwrap().0).unwrap();
    mark.verify(&vera.device()).unwrap();
    // Gone is gone: it does not come back.
    town.write(vera, NORTE, &sent(&sealed)).await.refused(409);
    town.post(vera, &path, &order(vera)).await.refused(409);
    let trail = town.trail(ada, NORTE).await;
    assert_eq!(trail.last().unwrap(), "record-erased");
}

#[tokio::test]
async fn an_admin_erases_what_others_wrote() {
    let norte = Norte::new().await;
    let sealed = norte.vera_writes(1, "text").await;
    let order = RecordErasure {
        erasure: Blob(Erasure::sign(sealed.front(), &norte.ada.keys, 5).encode()),
    };
    let path = format!("/hubs/{NORTE}/records/{}/erasure", named(1));
    norte.town.post(&norte.ada, &path, &order).await.done();
    assert!(listed(&norte, &norte.vera, "").await.is_empty());
}

#[tokio::test]
async fn pages_hold_what_was_asked_for() {
    let norte = Norte::new().await;
    for number in 1..=5 {
        norte.vera_writes(number, "text").await;
    }
    let mut after = String::new();
    let mut seen = Vec::new();
    loop {
        let path = format!("/hubs/{NORTE}/records?limit=2{after}");
        let page: RecordPage = norte.town.get(&norte.ada, &path).await.read();
        assert!(page.records.len() <= 2);
        seen.extend(page.records.iter().map(|record| record.id.0[0]));
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    assert!(listed(&norte, &norte.ada, "?mine=true").await.is_empty());
    assert_eq!(listed(&norte, &norte.vera, "?mine=true").await.len(), 5);
}

#[tokio::test]
async fn what_is_sealed_anew_is_sealed_to_the_newest_key() {
    let mut norte = Norte::new().await;
    let outdated = norte.vera.seal(note(1), "text", &[&norte.ada]);
    let ada = &mut norte.ada;
    let puk = ada
        .chain
        .rotate_puk(&ada.keys, Some(&ada.puk), 8, &mut OsEntropy)
        .unwrap();
    ada.puk = puk;
    norte.town.follow(&norte.ada, 2).await;
    let answer = norte.town.write(&norte.vera, NORTE, &sent(&outdated)).await;
    answer.refused(409);
    norte.vera_writes(1, "text").await;
}

#[tokio::test]
async fn a_revoked_device_writes_nothing() {
    let mut norte = Norte::new().await;
    let user = norte.vera.user();
    let seed = [0x42; DeviceKeys::SEED_BYTES];
    let second = DeviceKeys::from_seed(user, DeviceId::from_bytes([0x43; 16]), &seed);
    let vera = &mut norte.vera;
    let (keys, chain) = (&vera.keys, &mut vera.chain);
    chain
        .add_device(keys, &second.card(), Some(&vera.puk), 8, &mut OsEntropy)
        .unwrap();
    chain.revoke_device(&second, keys.device(), 9).unwrap();
    norte.town.follow(&norte.vera, 2).await;
    let sealed = norte.vera.seal(note(1), "text", &[&norte.ada]);
    let answer = norte.town.write(&norte.vera, NORTE, &sent(&sealed)).await;
    answer.refused(400);
    // Her other device does.
    let readers = [norte.vera.reader(), norte.ada.reader()];
    let sealed = RecordWriter::person(&second)
        .seal(note(1), b"text", &readers, &mut OsEntropy)
        .unwrap();
    let answer = norte.town.write(&norte.vera, NORTE, &sent(&sealed)).await;
    answer.done();
}

#[tokio::test]
async fn a_note_is_about_a_call_of_its_hub() {
    let norte = Norte::new().await;
    let mut changes = Changes::new();
    for (call, hub) in [(5, "norte"), (6, "sur")] {
        changes.push(Change::CallStarted(CallStart {
            call,
            hub: Some(hub.to_owned()),
            trunk: None,
            caller: Caller::Anonymous,
            started_at: Timestamp::now(),
        }));
    }
    norte.town.store.commit(changes).await.unwrap();
    let sealed = norte.vera.seal(note(1), "text", &[&norte.ada]);
    let about = |call| NewRecord {
        call: Some(call),
        ..sent(&sealed)
    };
    for other in [6, 7, u64::MAX] {
        let answer = norte.town.write(&norte.vera, NORTE, &about(other)).await;
        answer.refused(400);
    }
    norte.town.write(&norte.vera, NORTE, &about(5)).await.done();
    norte.vera_writes(2, "about no call").await;
    assert_eq!(listed(&norte, &norte.ada, "?call=5").await, [1]);
}

#[tokio::test]
async fn what_is_too_long_for_a_note_is_a_file() {
    let norte = Norte::new().await;
    let long = "x".repeat(500_000);
    let sealed = norte.vera.seal(note(1), &long, &[&norte.ada]);
    let answer = norte.town.write(&norte.vera, NORTE, &sent(&sealed)).await;
    answer.refused(413);
}
