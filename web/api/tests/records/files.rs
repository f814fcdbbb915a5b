//! Files that go with records.

use crypto::OsEntropy;
use crypto::record::{RecordFront, RecordKind, RecordWriter};
use protocol::{
    Blob, FILE_PIECE_BYTES, FileAnnouncement, FileCompletion, FileList, FileState, Visibility,
};

use crate::town::{Answer, NORTE, Norte, Person, named, note, place, sent};

/// A sealed file of Vera's for herself and Ada.
fn sealed_file(norte: &Norte, number: u8, length: usize) -> (RecordFront, Vec<u8>) {
    let readers = [norte.vera.reader(), norte.ada.reader()];
    let place = place(NORTE, RecordKind::Attachment, number);
    let author = RecordWriter::person(&norte.vera.keys);
    let (mut writer, prefix) = author
        .start(place, length as u64, &readers, &mut OsEntropy)
        .unwrap();
    let mut body = prefix.to_vec();
    body.extend(writer.push(&vec![7; length]).unwrap());
    let (front, end) = writer.finish(&author).unwrap();
    body.extend(end);
    (front, body)
}

fn path(number: u8, end: &str) -> String {
    format!("/hubs/{NORTE}/files/{}{end}", named(number))
}

async fn announce(norte: &Norte, person: &Person, number: u8, size: usize) -> Answer {
    let announcement = FileAnnouncement {
        size: size as u64,
        attached_to: Some(named(1)),
    };
    norte
        .town
        .put(person, &path(number, ""), &announcement)
        .await
}

async fn upload(norte: &Norte, number: u8, body: &[u8]) {
    announce(norte, &norte.vera, number, body.len())
        .await
        .done();
    for (position, piece) in body.chunks(FILE_PIECE_BYTES).enumerate() {
        let path = path(number, &format!("/pieces/{position}"));
        norte
            .town
            .send(&norte.vera, "PUT", &path, piece.to_vec())
            .await
            .done();
    }
}

fn completion(front: &RecordFront) -> FileCompletion {
    FileCompletion {
        front: Blob(front.encode()),
        visibility: Visibility::Shared,
    }
}

#[tokio::test]
async fn a_file_goes_up_and_comes_down_in_pieces() {
    let norte = Norte::new().await;
    let (town, ada, vera, vito) = (&norte.town, &norte.ada, &norte.vera, &norte.vito);
    let note_of_vera = norte.vera_writes(1, "with a file").await;
    let (front, body) = sealed_file(&norte, 2, 150_000);
    // Not to a record of somebody else.
    announce(&norte, vito, 2, body.len()).await.refused(404);
    upload(&norte, 2, &body).await;
    // Until it is whole it is the uploader's alone.
    town.get(ada, &path(2, "")).await.refused(404);
    town.send(vito, "PUT", &path(2, "/pieces/0"), vec![0; 10])
        .await
        .refused(404);
    town.post(vito, &path(2, ""), &completion(&front))
        .await
        .refused(404);
    town.post(vera, &path(2, ""), &completion(&front))
        .await
        .done();
    let state: FileState = town.get(ada, &path(2, "")).await.read();
    assert!(state.complete);
    let files: FileList = town
        .get(ada, &format!("/hubs/{NORTE}/records/{}/files", named(1)))
        .await
        .read();
    assert_eq!(files.files, [state]);
    let mut down = Vec::new();
    while down.len() < body.len() {
        let query = format!("/bytes?from={}&length=70000", down.len());
        down.extend(town.get(ada, &path(2, &query)).await.body);
    }
    assert_eq!(down, body);
    town.get(vito, &path(2, "/bytes?from=0&length=10"))
        .await
        .refused(404);
    // Erased with its note.
    let order = crypto::record::Erasure::sign(note_of_vera.front(), &vera.keys, 9);
    let order = protocol::RecordErasure {
        erasure: Blob(order.encode()),
    };
    let erasure = format!("/hubs/{NORTE}/records/{}/erasure", named(1));
    town.post(vera, &erasure, &order).await.done();
    town.get(ada, &path(2, "/bytes?from=0&length=10"))
        .await
        .refused(404);
}

#[tokio::test]
async fn a_file_is_what_was_signed() {
    let norte = Norte::new().await;
    let (town, vera) = (&norte.town, &norte.vera);
    norte.vera_writes(1, "with a file").await;
    let (front, mut body) = sealed_file(&norte, 2, 1_000);
    let (other, _) = sealed_file(&norte, 3, 1_000);
    body[500] ^= 1;
    upload(&norte, 2, &body).await;
    town.post(vera, &path(2, ""), &completion(&front))
        .await
        .refused(400);
    town.post(vera, &path(2, ""), &completion(&other))
        .await
        .refused(400);
    let plain = vera.seal(note(2), "no file", &[&norte.ada]);
    town.post(vera, &path(2, ""), &completion(plain.front()))
        .await
        .refused(400);
    // Nor does a file come in as a note.
    let as_note = vera.seal(
        place(NORTE, RecordKind::Attachment, 4),
        "file",
        &[&norte.ada],
    );
    town.write(vera, NORTE, &sent(&as_note)).await.refused(400);
    // With pieces missing it is not complete; given up, it is gone.
    let (front, body) = sealed_file(&norte, 5, 100_000);
    announce(&norte, vera, 5, body.len()).await.done();
    town.post(vera, &path(5, ""), &completion(&front))
        .await
        .refused(409);
    town.delete(vera, &path(5, "")).await.done();
    town.get(vera, &path(5, "")).await.refused(404);
    announce(&norte, vera, 6, (32 << 20) + 1).await.refused(400);
}
