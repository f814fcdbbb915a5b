//! Writing, reading, editing, sharing, erasing, taking away.

use std::io::Cursor;

use crypto::identity::ItemsKey;
use crypto::record::{
    Erasure, Export, ExportFacts, MAX_READERS, MAX_RECORD_BYTES, OpeningKey, Position, RecordError,
    RecordFront, RecordHeader, RecordKind, RecordPlace, RecordWriter, SealedRecord, WrapKind,
};
use crypto::{DeviceId, OsEntropy, RecordId, SigningKey, UserId, VoicemailMeta, VoicemailWriter};

use crate::support::{Hotline, NOTE, Person, WORDS};

#[test]
fn author_and_admin_read_the_note_and_nobody_else() {
    let hotline = Hotline::new();
    let stored = hotline.note().encode();
    assert!(!stored.windows(5).any(|part| part == &WORDS[..5]));
    let note = SealedRecord::decode(&stored).unwrap();
    assert_eq!(note.encode(), stored);
    for person in [&hotline.author, &hotline.admin] {
        let opened = note.open(&person.key(), &hotline.expected()).unwrap();
        assert_eq!(*opened.plaintext, WORDS);
        assert_eq!(opened.context.author(), Some(hotline.author.user()));
        assert_eq!(opened.context.place(), NOTE);
        assert!(!format!("{opened:?}").contains("Thursday"));
    }
    let refused = note.open(&hotline.other.key(), &hotline.expected());
    assert!(matches!(refused, Err(RecordError::NotAReader)));
}

#[test]
fn every_kind_opens_as_itself_only() {
    let hotline = Hotline::new();
    let kinds = RecordKind::ALL
        .into_iter()
        .filter(|kind| *kind != RecordKind::Voicemail);
    for kind in kinds {
        let note = hotline.note_at(RecordPlace { kind, ..NOTE }, b"");
        for asked in RecordKind::ALL {
            let mut expected = hotline.expected();
            expected.place.kind = asked;
            let opened = note.open(&hotline.admin.key(), &expected);
            assert_eq!(opened.is_ok(), asked == kind);
        }
    }
    let place = RecordPlace {
        kind: RecordKind::Voicemail,
        ..NOTE
    };
    let refused =
        hotline
            .author
            .writer()
            .seal(place, b"", &[hotline.admin.reader()], &mut OsEntropy);
    assert!(matches!(refused, Err(RecordError::VoicemailIsIngest)));
}

#[test]
fn short_notes_have_one_length() {
    let hotline = Hotline::new();
    let lengths = [0, 3, 250].map(|length| hotline.note_at(NOTE, &vec![b'x'; length]).body().len());
    assert_eq!(lengths, [56 + 256 + 16; 3]);
}

#[test]
fn a_note_needs_readers_and_has_limits() {
    let hotline = Hotline::new();
    let writer = hotline.author.writer();
    let none = writer.seal(NOTE, WORDS, &[], &mut OsEntropy);
    assert!(matches!(none, Err(RecordError::NoReaders)));
    let many: Vec<_> = (0..=MAX_READERS as u8)
        .map(|number| crypto::identity::Reader {
            user: UserId::from_bytes([number; 16]),
            ..hotline.admin.reader()
        })
        .collect();
    let refused = writer.seal(NOTE, WORDS, &many, &mut OsEntropy);
    assert!(matches!(
        refused,
        Err(RecordError::TooManyReaders { given: 65 })
    ));
    assert!(writer.seal(NOTE, WORDS, &many[1..], &mut OsEntropy).is_ok());
    let long = vec![0; MAX_RECORD_BYTES + 1];
    let refused = writer.seal(NOTE, &long, &many[..1], &mut OsEntropy);
    assert!(matches!(refused, Err(RecordError::TooLong { .. })));
}

#[test]
fn an_edit_is_the_next_revision_with_a_key_of_its_own() {
    let hotline = Hotline::new();
    let first = hotline.note();
    let expected = hotline.expected();
    let verified = first.front().verify(&expected).unwrap();
    let readers = [hotline.author.reader(), hotline.admin.reader()];
    let writer = hotline.author.writer();
    let second = verified
        .new_revision(&writer, b"Called back.", &readers, &mut OsEntropy)
        .unwrap();
    assert_eq!(
        second.front().position(),
        Position {
            revision: 2,
            manifest: 1
        }
    );
    second.front().check_follows(first.front()).unwrap();
    let backwards = first.front().check_follows(second.front());
    assert!(matches!(backwards, Err(RecordError::NotSuccessor)));
    let opened = second.open(&hotline.admin.key(), &expected).unwrap();
    assert_eq!(*opened.plaintext, b"Called back.");
    let stranger = [hotline.other.reader()];
    let refused = verified.new_revision(&writer, b"", &stranger, &mut OsEntropy);
    assert!(matches!(refused, Err(RecordError::ReaderNotAllowed(_))));
}

#[test]
fn a_reader_is_added_and_taken_off_without_touching_the_body() {
    let mut hotline = Hotline::new();
    let note = hotline.note();
    let before = hotline.expected();
    let refused = note.front().verify(&before).unwrap().add_reader(
        &hotline.admin.writer(),
        &hotline.admin.key(),
        &hotline.other.reader(),
        &mut OsEntropy,
    );
    assert!(matches!(refused, Err(RecordError::ReaderNotAllowed(_))));

    // The case is shared with the other volunteer; the admin adds them.
    hotline.allowed.insert(hotline.other.user());
    let expected = hotline.expected();
    let verified = note.front().verify(&expected).unwrap();
    let shared = verified
        .add_reader(
            &hotline.admin.writer(),
            &hotline.admin.key(),
            &hotline.other.reader(),
            &mut OsEntropy,
        )
        .unwrap();
    shared.check_follows(note.front()).unwrap();
    let shared = note.clone().with_front(shared).unwrap();
    assert_eq!(shared.body(), note.body());
    let opened = shared.open(&hotline.other.key(), &expected).unwrap();
    assert_eq!(*opened.plaintext, WORDS);
    assert!(!shared.front().manifest().is_stale());

    let verified = shared.front().verify(&expected).unwrap();
    let taken = verified
        .remove_reader(&hotline.author.writer(), hotline.other.user())
        .unwrap();
    taken.check_follows(shared.front()).unwrap();
    let taken = shared.clone().with_front(taken).unwrap();
    assert!(taken.front().manifest().is_stale());
    assert_eq!(
        taken.front().position(),
        Position {
            revision: 1,
            manifest: 3
        }
    );
    let refused = taken.open(&hotline.other.key(), &expected);
    assert!(matches!(refused, Err(RecordError::NotAReader)));
    assert!(taken.open(&hotline.author.key(), &expected).is_ok());
    assert!(taken.front().check_follows(note.front()).is_err());
}

#[test]
fn an_items_key_opens_what_its_owner_wrote_or_wrapped_anew() {
    let hotline = Hotline::new();
    let items = |person: &Person| ItemsKey::generate(&person.puk, &mut OsEntropy).unwrap();
    let (own, admins) = (items(&hotline.author), items(&hotline.admin));
    let writer = hotline.author.writer().with_items_key(&own);
    let readers = [hotline.admin.reader(), hotline.author.reader()];
    let note = writer.seal(NOTE, WORDS, &readers, &mut OsEntropy).unwrap();
    let kind = |front: &RecordFront, person: &Person| {
        front.manifest().entry(person.user()).unwrap().kind()
    };
    assert_eq!(kind(note.front(), &hotline.author), WrapKind::ItemsKey);
    assert_eq!(kind(note.front(), &hotline.admin), WrapKind::PerUserKey);
    let expected = hotline.expected();
    let opened = note.open(&OpeningKey::ItemsKey(&own), &expected).unwrap();
    assert_eq!(*opened.plaintext, WORDS);
    let refused = note.open(&hotline.author.key(), &expected);
    assert!(matches!(
        refused,
        Err(RecordError::OtherKeyNeeded {
            generation: 1,
            kind: WrapKind::ItemsKey
        })
    ));

    let front = note
        .front()
        .verify(&expected)
        .unwrap()
        .rewrap_for_items_key(
            &hotline.admin.writer(),
            &hotline.admin.key(),
            &admins,
            &mut OsEntropy,
        );
    let rewrapped = SealedRecord::decode(&note.with_front(front.unwrap()).unwrap().encode());
    let rewrapped = rewrapped.unwrap();
    let opened = rewrapped
        .open(&OpeningKey::ItemsKey(&admins), &expected)
        .unwrap();
    assert_eq!(*opened.plaintext, WORDS);
    let another = items(&hotline.admin);
    let refused = rewrapped.open(&OpeningKey::ItemsKey(&another), &expected);
    assert!(matches!(refused, Err(RecordError::WrapRefused)));
}

#[test]
fn a_file_is_sealed_as_it_is_read_and_any_part_of_it_opens() {
    let hotline = Hotline::new();
    let place = RecordPlace {
        kind: RecordKind::Attachment,
        ..NOTE
    };
    let file: Vec<u8> = (0..100_000).map(|place: u32| (place / 7) as u8).collect();
    let writer = hotline.author.writer();
    let readers = [hotline.admin.reader()];
    let length = file.len() as u64;
    let (mut sealing, prefix) = writer
        .start(place, length, &readers, &mut OsEntropy)
        .unwrap();
    let mut body = prefix.to_vec();
    for piece in file.chunks(999) {
        body.extend(sealing.push(piece).unwrap());
    }
    let (front, end) = sealing.finish(&writer).unwrap();
    body.extend(end);
    let front = RecordFront::decode(&front.encode()).unwrap();
    let expected = crypto::record::Expected {
        place,
        ..hotline.expected()
    };
    let verified = front.verify(&expected).unwrap();
    let key = hotline.admin.key();
    let mut reader = verified.open_stream(Cursor::new(&body), &key).unwrap();
    assert_eq!(reader.plaintext_bytes(), length);
    let chunk = reader.read_chunk(3).unwrap();
    assert!(*chunk == file[3 * 16_384 - 4..4 * 16_384 - 4]);
    reader.check_all().unwrap();
    assert_eq!(
        verified.open(&body, &key).unwrap().plaintext.len(),
        file.len()
    );

    // Cut at a whole chunk, or with one byte changed far away.
    let cut = &body[..56 + 3 * 16_400];
    let refused = verified.open_stream(Cursor::new(cut), &key);
    assert!(matches!(refused, Err(RecordError::BodyCutOff)));
    let mut altered = body.clone();
    altered[56 + 2 * 16_400] ^= 1;
    let mut reader = verified.open_stream(Cursor::new(&altered), &key).unwrap();
    assert!(matches!(
        reader.read_chunk(2),
        Err(RecordError::BodyAltered)
    ));
    assert!(matches!(reader.check_all(), Err(RecordError::BodyAltered)));
    assert!(reader.read_chunk(1).is_ok());
}

#[test]
fn a_file_opens_as_it_arrives_and_is_whole_only_at_its_end() {
    let hotline = Hotline::new();
    let place = RecordPlace {
        kind: RecordKind::Attachment,
        ..NOTE
    };
    let expected = crypto::record::Expected {
        place,
        ..hotline.expected()
    };
    let writer = hotline.author.writer();
    let readers = [hotline.admin.reader()];
    let key = hotline.admin.key();
    // An empty file, one of part of a chunk, and one whose padding has chunks of its own.
    for length in [0_usize, 5_000, 16_380, 16_381, 1_100_000] {
        let file: Vec<u8> = (0..length).map(|place| (place / 7) as u8).collect();
        let started = writer.start(place, length as u64, &readers, &mut OsEntropy);
        let (mut sealing, prefix) = started.unwrap();
        let mut body = prefix.to_vec();
        body.extend(sealing.push(&file).unwrap());
        let (front, end) = sealing.finish(&writer).unwrap();
        body.extend(end);
        let verified = front.verify(&expected).unwrap();
        let open = |body: &[u8], piece: usize| {
            let mut opening = verified.open_pieces(&key)?;
            let mut text = Vec::new();
            for piece in body.chunks(piece) {
                text.extend_from_slice(&opening.push(piece)?);
            }
            text.extend_from_slice(&opening.finish()?);
            Ok::<_, RecordError>(text)
        };
        for piece in [1_000, 16_400, usize::MAX] {
            assert!(open(&body, piece).unwrap() == file, "{length} bytes");
        }
        let cut = open(&body[..body.len() - 1], 999);
        let cut_off = matches!(cut, Err(RecordError::BodyAltered | RecordError::BodyCutOff));
        assert!(cut_off, "{cut:?}");
        for changed in [3, 30, 60, body.len() - 1] {
            let mut altered = body.clone();
            altered[changed] ^= 1;
            assert!(open(&altered, 4_000).is_err(), "byte {changed}");
        }
    }
}

#[test]
fn only_who_started_a_file_can_sign_it() {
    let hotline = Hotline::new();
    let readers = [hotline.admin.reader()];
    let started = hotline.author.writer();
    let started = started.start(NOTE, 0, &readers, &mut OsEntropy).unwrap();
    let refused = started.0.finish(&hotline.admin.writer());
    assert!(matches!(refused, Err(RecordError::OtherAuthor)));
}

#[test]
fn a_voicemail_is_signed_by_the_server_that_recorded_it() {
    let hotline = Hotline::new();
    let record = NOTE.record.to_string();
    let meta = VoicemailMeta {
        hub: NOTE.hub.to_string(),
        recording: record,
        created_at_ms: 5,
        sample_rate_hz: 8_000,
    };
    // The readers of a voicemail are the per-user keys of people.
    let keys = [hotline.admin.reader().key];
    let (mut recording, mut file) = VoicemailWriter::new(&meta, &keys, &mut OsEntropy).unwrap();
    file.extend(recording.push(&[1; 4_000]));
    file.extend(recording.finish());
    let heard = crypto::VoicemailReader::open(Cursor::new(&file), hotline.admin.secret()).unwrap();
    assert!(heard.is_complete());

    let server = SigningKey::from_seed(&[9; 32]);
    let id = DeviceId::from_bytes([9; 16]);
    let header =
        RecordHeader::of_voicemail(NOTE.hub, NOTE.record, file.as_slice(), id, &server).unwrap();
    let header = RecordHeader::decode(&header.encode()).unwrap();
    let by = crypto::record::RecordAuthor::Ingest {
        server: id,
        key: server.verifying_key(),
    };
    header.verify(&by).unwrap();
    header.check_body(file.as_slice()).unwrap();
    assert_eq!(header.context().author(), None);
    file[200] ^= 1;
    let altered = header.check_body(file.as_slice());
    assert!(matches!(altered, Err(RecordError::BodyAltered)));
}

#[test]
fn a_message_that_comes_in_unsealed_is_sealed_by_the_server() {
    let hotline = Hotline::new();
    let key = SigningKey::from_seed(&[9; 32]);
    let server = DeviceId::from_bytes([9; 16]);
    let place = RecordPlace {
        kind: RecordKind::Message,
        ..NOTE
    };
    let readers = [hotline.admin.reader()];
    let sealed = RecordWriter::ingest(server, &key)
        .seal(place, b"Are you open?", &readers, &mut OsEntropy)
        .unwrap();
    let expected = crypto::record::Expected {
        place,
        author: crypto::record::RecordAuthor::Ingest {
            server,
            key: key.verifying_key(),
        },
        ..hotline.expected()
    };
    let opened = sealed.open(&hotline.admin.key(), &expected).unwrap();
    assert_eq!(*opened.plaintext, b"Are you open?");
    assert_eq!(opened.context.author(), None);
}

#[test]
fn an_erasure_says_who_and_covers_what_was_there() {
    let hotline = Hotline::new();
    let note = hotline.note();
    let erasure = Erasure::sign(note.front(), &hotline.admin.keys, 77);
    let stored = erasure.encode();
    assert_eq!(stored.len(), Erasure::BYTES);
    let erasure = Erasure::decode(&stored).unwrap();
    erasure.verify(&hotline.admin.known()).unwrap();
    assert!(matches!(
        erasure.verify(&hotline.author.known()),
        Err(RecordError::OtherAuthor)
    ));
    assert_eq!(
        (erasure.user(), erasure.at_ms()),
        (hotline.admin.user(), 77)
    );
    assert!(erasure.covers(note.front()));
    let place = RecordPlace {
        record: RecordId::from_bytes([0; 16]),
        ..NOTE
    };
    assert!(!erasure.covers(hotline.note_at(place, WORDS).front()));
    for place in 0..stored.len() {
        let mut altered = stored.clone();
        altered[place] ^= 0x10;
        let refused = Erasure::decode(&altered).and_then(|it| it.verify(&hotline.admin.known()));
        assert!(refused.is_err(), "byte {place}");
    }
}

#[test]
fn an_export_opens_for_its_owner_only() {
    let hotline = Hotline::new();
    let facts = ExportFacts {
        hub: NOTE.hub,
        user: hotline.author.user(),
        export: RecordId::from_bytes([4; 16]),
        created_at_ms: 1,
    };
    let readers = [hotline.author.reader()];
    let export = Export::seal(facts, WORDS, &readers, &mut OsEntropy).unwrap();
    let file = export.encode();
    let export = Export::decode(&file).unwrap();
    assert_eq!(*export.open(&hotline.author.key()).unwrap(), WORDS);
    let refused = export.open(&hotline.admin.key());
    assert!(matches!(refused, Err(RecordError::NotAReader)));
    for place in 0..file.len() {
        let mut altered = file.clone();
        altered[place] ^= 0x10;
        let opened = Export::decode(&altered).and_then(|it| it.open(&hotline.author.key()));
        assert!(opened.is_err(), "byte {place}");
    }
}
