//! What others open a record with is not anybody's to replace.

use std::collections::BTreeSet;

use crypto::hub::Change as RosterChange;
use crypto::record::{
    Expected, KnownDevice, NOBODY, OpeningKey, Position, RecordAuthor, RecordFront, RecordWriter,
    SealedRecord,
};
use crypto::{OsEntropy, ReaderSecretKey, UserId};
use protocol::{Blob, NewReaders, RecordHistory, Visibility};

use crate::town::{ADMIN, Answer, NORTE, Norte, Person, Town, joins, named, note};

/// What is known of the first note of Vera's: that she, Ada and `others` may read it.
struct Known {
    allowed: BTreeSet<UserId>,
    signers: Vec<KnownDevice>,
    author: RecordAuthor,
}

impl Known {
    fn new(norte: &Norte, others: &[&Person]) -> Self {
        let readers = [&[&norte.vera, &norte.ada], others].concat();
        Self {
            allowed: readers.iter().map(|reader| reader.user()).collect(),
            signers: readers.iter().map(|reader| reader.device()).collect(),
            author: RecordAuthor::Person(norte.vera.device()),
        }
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            place: note(1),
            at_least: Position::START,
            author: self.author,
            manifest_signers: &self.signers,
            allowed_readers: &self.allowed,
            former_readers: &NOBODY,
        }
    }

    /// Puts `reader` on the list, whoever is on it, by `by`.
    fn sealed_to(&self, front: &RecordFront, by: &Person, reader: &Person) -> RecordFront {
        let expected = self.expected();
        let verified = front.verify(&expected).unwrap();
        let (writer, secret) = (RecordWriter::person(&by.keys), by.puk.reader_key());
        let key = key_of(by, &secret);
        let reader = reader.reader();
        let next = verified.add_reader(&writer, &key, &reader, &mut OsEntropy);
        next.unwrap()
    }
}

fn key_of<'a>(person: &Person, secret: &'a ReaderSecretKey) -> OpeningKey<'a> {
    OpeningKey::PerUserKey {
        user: person.user(),
        generation: person.puk.generation(),
        secret,
    }
}

async fn put(norte: &Norte, by: &Person, front: &RecordFront) -> Answer {
    let path = format!("/hubs/{NORTE}/records/{}/readers", named(1));
    let readers = NewReaders {
        front: Blob(front.encode()),
        visibility: Visibility::Shared,
    };
    norte.town.put(by, &path, &readers).await
}

async fn kept(norte: &Norte) -> RecordFront {
    let path = format!("/hubs/{NORTE}/records/{}", named(1));
    let history: RecordHistory = norte.town.get(&norte.ada, &path).await.read();
    let record = history.revisions[0].record.as_ref().unwrap();
    SealedRecord::decode(&record.0).unwrap().front().clone()
}

async fn rotate(town: &Town, person: &mut Person) {
    let (keys, known) = (&person.keys, person.chain.links().len());
    let rotated = person
        .chain
        .rotate_puk(keys, Some(&person.puk), 8, &mut OsEntropy);
    person.puk = rotated.unwrap();
    town.follow(person, known).await;
}

#[tokio::test]
async fn nobody_replaces_what_another_opens_with_but_for_a_newer_key() {
    let mut norte = Norte::new().await;
    let sealed = norte.vera_writes(1, "text").await;
    let known = Known::new(&norte, &[]);
    let (ada, vera) = (&norte.ada, &norte.vera);
    for (by, other) in [(ada, vera), (vera, ada)] {
        let front = known.sealed_to(sealed.front(), by, other);
        let answer = put(&norte, by, &front).await;
        answer.refused(403);
        assert!(answer.text().contains("replaced"), "{}", answer.text());
    }
    assert_eq!(&kept(&norte).await, sealed.front());

    // Vera's key has changed: whoever reads may move her to the newer one, and once.
    rotate(&norte.town, &mut norte.vera).await;
    let (ada, vera) = (&norte.ada, &norte.vera);
    let moved = known.sealed_to(sealed.front(), ada, vera);
    put(&norte, ada, &moved).await.done();
    let once_more = known.sealed_to(&moved, ada, vera);
    put(&norte, ada, &once_more).await.refused(403);
    assert_eq!(kept(&norte).await, moved);
    let sealed = sealed.with_front(moved).unwrap();
    let secret = vera.puk.reader_key();
    let opened = sealed.open(&key_of(vera, &secret), &known.expected());
    assert_eq!(*opened.unwrap().plaintext, b"text");
}

#[tokio::test]
async fn who_comes_is_let_in_and_who_has_left_is_not_let_in_again() {
    let mut norte = Norte::new().await;
    let sealed = norte.vera_writes(1, "text").await;
    let known = Known::new(&norte, &[&norte.vito, &norte.otto]);
    let (user, role) = (norte.vito.user(), ADMIN);
    let promoted = RosterChange::ChangeRole { user, role };
    norte.change(vec![promoted]).await.done();
    let shared = known.sealed_to(sealed.front(), &norte.ada, &norte.vito);
    put(&norte, &norte.ada, &shared).await.done();
    let leaves = RosterChange::RemoveMember { user };
    let changes = vec![joins(&norte.otto, ADMIN), leaves];
    norte.change(changes).await.done();
    // Vito's wrap stays on the list as it was, and Otto comes on it.
    let with_otto = known.sealed_to(&shared, &norte.ada, &norte.otto);
    put(&norte, &norte.ada, &with_otto).await.done();
    assert!(kept(&norte).await.manifest().entry(user).is_some());
    rotate(&norte.town, &mut norte.vito).await;
    let again = known.sealed_to(&with_otto, &norte.ada, &norte.vito);
    let answer = put(&norte, &norte.ada, &again).await;
    answer.refused(400);
    assert!(answer.text().contains("left"), "{}", answer.text());
    assert_eq!(kept(&norte).await, with_otto);
}
