//! Exports: one's own records, and what the trail tells of them.

use crypto::record::SealedRecord;
use jiff::Timestamp;
use protocol::{MAX_RECORDS_PER_PAGE, RecordPage};
use store::{Changes, HubId, RecordId, RecordRow, Sealed, UserId, VaultChange, Visibility};

use crate::notes::revised;
use crate::town::{NORTE, Norte, Person, named, note, sent};

async fn exported(norte: &Norte, person: &Person, after: &str) -> RecordPage {
    let path = format!("/hubs/{NORTE}/export{after}");
    norte.town.get(person, &path).await.read()
}

/// How many exports the trail has told of.
async fn told(norte: &Norte) -> usize {
    let trail = norte.town.trail(&norte.ada, NORTE).await;
    trail.iter().filter(|kind| *kind == "exported").count()
}

#[tokio::test]
async fn an_export_has_ones_own_and_is_told() {
    let norte = Norte::new().await;
    let first = norte.vera_writes(1, "first").await;
    let second = revised(&norte.vera, &first, "second", &[&norte.ada]);
    norte
        .town
        .write(&norte.vera, NORTE, &sent(&second))
        .await
        .done();
    let other = norte.vito.seal(note(2), "other", &[&norte.ada]);
    norte
        .town
        .write(&norte.vito, NORTE, &sent(&other))
        .await
        .done();
    let path = format!("/hubs/{NORTE}/export");
    let page: RecordPage = norte.town.get(&norte.vera, &path).await.read();
    let revisions = page.records.iter().map(|row| (row.id.0[0], row.revision));
    assert_eq!(revisions.collect::<Vec<_>>(), [(1, 1), (1, 2)]);
    assert!(page.next.is_none());
    let page: RecordPage = norte.town.get(&norte.ada, &path).await.read();
    assert!(page.records.is_empty());
    let trail = norte.town.trail(&norte.ada, NORTE).await;
    assert_eq!(trail.iter().filter(|kind| *kind == "exported").count(), 2);
}

#[tokio::test]
async fn an_export_of_many_pages_is_told_once_and_an_invented_start_is_told() {
    let norte = Norte::new().await;
    let pages = 3;
    let all = u8::try_from(MAX_RECORDS_PER_PAGE * 2 + 1).unwrap();
    let mut changes = Changes::new();
    for number in 1..=all {
        let sealed = norte.vera.seal(note(number), "text", &[&norte.ada]);
        changes.push(kept(&norte.vera, &sealed, number));
    }
    norte.town.store.commit(changes).await.unwrap();
    let mut starts = vec![String::new()];
    let mut taken = 0;
    loop {
        let start = starts.last().unwrap();
        let page = exported(&norte, &norte.vera, start).await;
        taken += page.records.len();
        match page.next {
            Some(next) => starts.push(format!("?after={next}")),
            None => break,
        }
    }
    assert_eq!((taken, starts.len()), (usize::from(all), pages));
    assert_eq!(told(&norte).await, 1);

    // Before all that she has; and where a page of an export that is over began.
    let invented = format!("?after={}", named(0));
    let page = exported(&norte, &norte.vera, &invented).await;
    assert_eq!(
        page.records.len(),
        usize::try_from(MAX_RECORDS_PER_PAGE).unwrap()
    );
    assert_eq!(told(&norte).await, 2);
    exported(&norte, &norte.vera, &starts[2]).await;
    assert_eq!(told(&norte).await, 3);
    // Where somebody else's goes on.
    exported(&norte, &norte.vera, "").await;
    assert_eq!(told(&norte).await, 4);
    exported(&norte, &norte.ada, &starts[1]).await;
    assert_eq!(told(&norte).await, 5);
    exported(&norte, &norte.vera, &starts[1]).await;
    assert_eq!(told(&norte).await, 5);
}

/// A note as it is in the database.
fn kept(author: &Person, sealed: &SealedRecord, number: u8) -> VaultChange {
    let front = sealed.front();
    let header = front.header().encode();
    let manifest = front.encode().split_off(header.len());
    let record = Box::new(RecordRow {
        hub: HubId(*NORTE.as_bytes()),
        id: RecordId(named(number).0),
        revision: 1,
        kind: 1,
        parent: [0; 32],
        author: Some(UserId(author.id().0)),
        call: None,
        visibility: Visibility::Shared,
        sealed: Some(store::SealedRecord {
            header: Sealed(header),
            body: Sealed(sealed.body().to_vec()),
            manifest_revision: 1,
            manifest: Sealed(manifest),
        }),
        created_at: Timestamp::now(),
    });
    VaultChange::RecordAdded {
        record,
        tokens: Vec::new(),
    }
}
