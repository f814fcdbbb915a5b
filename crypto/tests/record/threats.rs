//! What a server, a fellow reader and an insider try.

use std::collections::BTreeSet;
use std::io::Cursor;

use crypto::cobblestone::{ContentKey, Encryptor};
use crypto::identity::Reader;
use crypto::record::{
    Expected, NOBODY, Position, RecordAuthor, RecordError, RecordFront, RecordPlace, RecordWriter,
    SealedRecord,
};
use crypto::{DeviceId, Label, OsEntropy, ReaderPublicKey, RecordId, SigningKey, UserId};
use ed25519_dalek::Signer;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeS, Serializable};
use sha2::{Digest, Sha256};

use crate::support::{Again, Hotline, NOTE, Person, WORDS};

/// Bytes of a note's context, header and manifest up to its entries.
const CONTEXT: usize = 6 + 23 + 16 + 16 + 4 + 32 + 16 + 16;
const HEADER: usize = CONTEXT + 32 + 64;
const ENTRIES: usize = HEADER + 32 + 4 + 32 + 16 + 1 + 1;
const ENTRY: usize = 16 + 4 + 1 + 80;

fn elsewhere() -> RecordPlace {
    RecordPlace {
        record: RecordId::from_bytes([0xcc; 16]),
        ..NOTE
    }
}

fn open(hotline: &Hotline, bytes: &[u8]) -> Result<Vec<u8>, RecordError> {
    let record = SealedRecord::decode(bytes)?;
    let opened = record.open(&hotline.admin.key(), &hotline.expected())?;
    Ok(opened.plaintext.to_vec())
}

/// The parts of a note by an insider: an author who signs what they like.
struct Forge<'a> {
    hotline: &'a Hotline,
    context: Vec<u8>,
    body: Vec<u8>,
    /// The commitment that manifest and wraps name.
    named: [u8; 32],
}

impl<'a> Forge<'a> {
    fn new(hotline: &'a Hotline, key: &ContentKey) -> Self {
        let context = hotline.note().encode()[..CONTEXT].to_vec();
        let body_context = Label::NoteBody.bind(&context);
        let (mut sealing, prefix) = Encryptor::new(key, &body_context, &mut OsEntropy).unwrap();
        let mut plain = (WORDS.len() as u32).to_be_bytes().to_vec();
        plain.extend_from_slice(WORDS);
        plain.resize(256, 0);
        let mut body = [prefix.to_vec(), sealing.push(&plain).unwrap()].concat();
        body.extend(sealing.finish().unwrap());
        Self {
            hotline,
            context,
            named: body[24..56].try_into().unwrap(),
            body,
        }
    }

    fn wrap(&self, label: Label, reader: &Reader, key: &[u8; 32]) -> Vec<u8> {
        let context = [
            &Sha256::digest(&self.context)[..],
            &self.named,
            reader.user.as_bytes(),
            &reader.generation.to_be_bytes(),
        ]
        .concat();
        let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(reader.key.as_bytes());
        let (enc, sealed) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public.unwrap(),
            &label.bind(&context),
            key,
            b"",
        )
        .unwrap();
        [enc.to_bytes().to_vec(), sealed].concat()
    }

    fn record(&self, entries: &[(&Reader, Vec<u8>)]) -> Vec<u8> {
        let keys = &self.hotline.author.keys;
        let seed = derive_sign_seed(&self.hotline.author);
        let signer = ed25519_dalek::SigningKey::from_bytes(&seed);
        let body_hash = Sha256::digest(&self.body).to_vec();
        let header = [self.context.as_slice(), &body_hash].concat();
        let signature = signer.sign(&Label::RecordHeader.bind(&header));
        let mut manifest = self.named.to_vec();
        manifest.extend([0, 0, 0, 1]);
        manifest.extend([0; 32]);
        manifest.extend_from_slice(keys.device().as_bytes());
        manifest.extend([0, entries.len() as u8]);
        for (reader, wrap) in entries {
            manifest.extend_from_slice(reader.user.as_bytes());
            manifest.extend(reader.generation.to_be_bytes());
            manifest.push(0);
            manifest.extend_from_slice(wrap);
        }
        let list = [&Sha256::digest(&self.context)[..], &manifest].concat();
        let list_signature = signer.sign(&Label::RecordManifest.bind(&list));
        let parts: [&[u8]; 5] = [
            &header,
            &signature.to_bytes(),
            &manifest,
            &list_signature.to_bytes(),
            &self.body,
        ];
        parts.concat()
    }
}

/// What `DeviceKeys` makes of a seed, so that a test can sign anything with it.
fn derive_sign_seed(person: &Person) -> [u8; 32] {
    let mut seed = [0; 32];
    hkdf::Hkdf::<Sha256>::new(None, &person.seed)
        .expand(&Label::DeviceSignSeed.bind(b""), &mut seed)
        .unwrap();
    seed
}

#[test]
fn the_forge_makes_what_the_writer_makes() {
    let hotline = Hotline::new();
    let key = ContentKey::from_slice(&[7; 32]).unwrap();
    let forge = Forge::new(&hotline, &key);
    let admin = hotline.admin.reader();
    let wrap = forge.wrap(Label::RecordKeyWrap, &admin, &[7; 32]);
    assert_eq!(
        open(&hotline, &forge.record(&[(&admin, wrap)])).unwrap(),
        WORDS
    );
}

#[test]
fn a_record_shown_in_the_place_of_another_is_refused() {
    let hotline = Hotline::new();
    let other = hotline
        .note_at(elsewhere(), b"about somebody else")
        .encode();
    assert!(matches!(open(&hotline, &other), Err(RecordError::Moved)));
    let mut renamed = other.clone();
    renamed[6 + 23 + 16..6 + 23 + 32].copy_from_slice(NOTE.record.as_bytes());
    assert!(matches!(
        open(&hotline, &renamed),
        Err(RecordError::HeaderForged)
    ));
}

#[test]
fn another_body_under_the_right_context_is_refused() {
    let hotline = Hotline::new();
    let note = hotline.note();
    let other = hotline.note_at(NOTE, b"something else entirely");
    let swapped = SealedRecord::from_parts(note.front().clone(), other.body().to_vec()).unwrap();
    let refused = swapped.open(&hotline.admin.key(), &hotline.expected());
    assert!(matches!(refused, Err(RecordError::BodyAltered)));
}

#[test]
fn a_manifest_from_another_record_or_body_is_refused() {
    let hotline = Hotline::new();
    for other in [
        hotline.note_at(elsewhere(), WORDS),
        hotline.note_at(NOTE, b"other words"),
    ] {
        let (one, other) = (hotline.note().encode(), other.encode());
        let manifest = HEADER..ENTRIES + 2 * ENTRY + 64;
        let mut forged = one.clone();
        forged[manifest.clone()].copy_from_slice(&other[manifest]);
        let refused = open(&hotline, &forged).unwrap_err();
        // For the same record the signature holds, and the key opens; but not
        // the body.
        assert!(
            matches!(
                refused,
                RecordError::ManifestForged | RecordError::BodyMismatch
            ),
            "{refused}"
        );
    }
}

#[test]
fn a_reader_added_by_the_server_is_refused() {
    let hotline = Hotline::new();
    let sealed = hotline.note().encode();
    // Puts its own person in the admin's place, or behind the admin.
    let mut replaced = sealed.clone();
    replaced[ENTRIES + ENTRY..ENTRIES + ENTRY + 16].copy_from_slice(&[9; 16]);
    assert!(matches!(
        open(&hotline, &replaced),
        Err(RecordError::ManifestForged)
    ));
    let mut added = sealed.clone();
    added[ENTRIES - 1] = 3;
    let mut entry = sealed[ENTRIES..ENTRIES + ENTRY].to_vec();
    entry[..16].copy_from_slice(&[9; 16]);
    added.splice(ENTRIES + 2 * ENTRY..ENTRIES + 2 * ENTRY, entry);
    assert!(matches!(
        open(&hotline, &added),
        Err(RecordError::ManifestForged)
    ));
}

#[test]
fn who_might_read_once_stays_on_old_lists_and_comes_on_no_new_one() {
    let hotline = Hotline::new();
    let note = hotline.note();
    let (left, now) = (
        BTreeSet::from([hotline.admin.user()]),
        BTreeSet::from([hotline.author.user()]),
    );
    let expected = Expected {
        allowed_readers: &now,
        former_readers: &left,
        ..hotline.expected()
    };
    let key = hotline.author.key();
    assert_eq!(*note.open(&key, &expected).unwrap().plaintext, WORDS);
    let forgotten = Expected {
        former_readers: &NOBODY,
        ..expected
    };
    assert!(note.open(&key, &forgotten).is_err());
    let front = note.front().verify(&expected).unwrap();
    let (writer, reader) = (hotline.author.writer(), hotline.admin.reader());
    let again = front.add_reader(&writer, &key, &reader, &mut OsEntropy);
    assert!(matches!(again, Err(RecordError::ReaderNotAllowed(_))));
    let readers = [hotline.author.reader(), reader];
    let next = front.new_revision(&writer, WORDS, &readers, &mut OsEntropy);
    assert!(matches!(next, Err(RecordError::ReaderNotAllowed(_))));
    let without = front.remove_reader(&writer, hotline.admin.user()).unwrap();
    assert!(without.verify(&forgotten).is_ok());
}

/// Another wrap for the same key may open nothing, and nobody else would see it.
#[test]
fn nobody_replaces_what_another_opens_with_but_for_a_newer_key() {
    let hotline = Hotline::new();
    let note = hotline.note();
    let expected = hotline.expected();
    let front = note.front().verify(&expected).unwrap();
    let (author, admin) = (&hotline.author, &hotline.admin);
    let with = |reader| {
        let (writer, key) = (author.writer(), author.key());
        front
            .add_reader(&writer, &key, &reader, &mut OsEntropy)
            .unwrap()
    };
    let replaced = with(admin.reader());
    let refused = replaced.check_wraps_kept(note.front(), author.user());
    assert!(matches!(refused, Err(RecordError::WrapReplaced(user)) if user == admin.user()));
    // Their own is theirs to replace.
    replaced
        .check_wraps_kept(note.front(), admin.user())
        .unwrap();
    let newer = with(Reader {
        generation: 2,
        ..admin.reader()
    });
    newer.check_wraps_kept(note.front(), author.user()).unwrap();
    let refused = note.front().check_wraps_kept(&newer, author.user());
    assert!(matches!(refused, Err(RecordError::WrapReplaced(_))));
    let fewer = front.remove_reader(&author.writer(), admin.user()).unwrap();
    fewer.check_wraps_kept(note.front(), author.user()).unwrap();
    note.front()
        .check_wraps_kept(&fewer, author.user())
        .unwrap();
}

#[test]
fn a_reader_who_may_not_be_is_refused_whoever_signed() {
    let hotline = Hotline::new();
    let readers = [hotline.admin.reader(), hotline.other.reader()];
    let writer = hotline.author.writer();
    let note = writer.seal(NOTE, WORDS, &readers, &mut OsEntropy).unwrap();
    let refused = note.open(&hotline.admin.key(), &hotline.expected());
    let other = hotline.other.user();
    assert!(matches!(refused, Err(RecordError::ReaderNotAllowed(user)) if user == other));
}

#[test]
fn a_manifest_signed_by_somebody_who_may_not_read_is_refused() {
    let mut hotline = Hotline::new();
    hotline.allowed.insert(hotline.other.user());
    let expected = hotline.expected();
    let note = hotline.note();
    let verified = note.front().verify(&expected).unwrap();
    let front = verified
        .remove_reader(&hotline.other.writer(), hotline.author.user())
        .unwrap();
    assert!(front.verify(&expected).is_ok());
    // The same, when the other volunteer may not read; and by an unknown device.
    let may_not = Hotline::new();
    assert!(matches!(
        front.verify(&may_not.expected()),
        Err(RecordError::UnknownManifestSigner)
    ));
    let stranger = Person::new(4);
    let front = verified
        .remove_reader(&stranger.writer(), hotline.author.user())
        .unwrap();
    assert!(matches!(
        front.verify(&expected),
        Err(RecordError::UnknownManifestSigner)
    ));
}

#[test]
fn a_note_made_up_by_the_server_is_refused() {
    let hotline = Hotline::new();
    // The author's ids, the server's keys.
    let made_up = crypto::identity::DeviceKeys::from_seed(
        hotline.author.user(),
        hotline.author.keys.device(),
        &[0x66; 32],
    );
    let readers = [hotline.admin.reader()];
    let note = RecordWriter::person(&made_up)
        .seal(NOTE, b"I never wrote this", &readers, &mut OsEntropy)
        .unwrap();
    assert!(matches!(
        open(&hotline, &note.encode()),
        Err(RecordError::HeaderForged)
    ));
}

#[test]
fn a_note_shown_under_another_author_is_refused() {
    let hotline = Hotline::new();
    let others = hotline.other.writer();
    let readers = [hotline.admin.reader()];
    let note = others.seal(NOTE, WORDS, &readers, &mut OsEntropy).unwrap();
    assert!(matches!(
        open(&hotline, &note.encode()),
        Err(RecordError::OtherAuthor)
    ));
    let mut renamed = note.encode();
    let ids = [
        hotline.author.user().as_bytes().to_vec(),
        hotline.author.keys.device().as_bytes().to_vec(),
    ];
    renamed[CONTEXT - 32..CONTEXT].copy_from_slice(&ids.concat());
    assert!(matches!(
        open(&hotline, &renamed),
        Err(RecordError::HeaderForged)
    ));
}

#[test]
fn what_the_server_sealed_never_passes_for_a_volunteers() {
    let hotline = Hotline::new();
    let readers = [hotline.admin.reader()];
    // Even a server that had the author's own key and device id.
    let key = hotline.author.keys.signing_key();
    let device = hotline.author.keys.device();
    let ingested = RecordWriter::ingest(device, key)
        .seal(NOTE, WORDS, &readers, &mut OsEntropy)
        .unwrap()
        .encode();
    assert!(matches!(
        open(&hotline, &ingested),
        Err(RecordError::OtherAuthor)
    ));
    let mut claimed = ingested;
    claimed[CONTEXT - 32..CONTEXT - 16].copy_from_slice(hotline.author.user().as_bytes());
    assert!(matches!(
        open(&hotline, &claimed),
        Err(RecordError::HeaderForged)
    ));
    // Nor does a volunteer's pass for ingested.
    let mut expected = hotline.expected();
    expected.author = RecordAuthor::Ingest {
        server: device,
        key: key.verifying_key(),
    };
    let mut zeroed = hotline.note().encode();
    assert!(matches!(
        SealedRecord::decode(&zeroed)
            .unwrap()
            .open(&hotline.admin.key(), &expected),
        Err(RecordError::OtherAuthor)
    ));
    zeroed[CONTEXT - 32..CONTEXT - 16].fill(0);
    assert!(matches!(
        SealedRecord::decode(&zeroed)
            .unwrap()
            .open(&hotline.admin.key(), &expected),
        Err(RecordError::HeaderForged)
    ));
}

#[test]
fn the_server_key_does_not_sign_readers_of_a_volunteers_note() {
    let hotline = Hotline::new();
    let expected = hotline.expected();
    let note = hotline.note();
    let server = SigningKey::from_seed(&[9; 32]);
    let writer = RecordWriter::ingest(DeviceId::from_bytes([9; 16]), &server);
    let verified = note.front().verify(&expected).unwrap();
    let front = verified
        .remove_reader(&writer, hotline.author.user())
        .unwrap();
    assert!(matches!(
        front.verify(&expected),
        Err(RecordError::UnknownManifestSigner)
    ));
}

#[test]
fn a_wrap_made_for_another_purpose_does_not_open() {
    let hotline = Hotline::new();
    let key = ContentKey::from_slice(&[7; 32]).unwrap();
    let forge = Forge::new(&hotline, &key);
    let admin = hotline.admin.reader();
    for label in [Label::IngestKeyWrap, Label::PukDeviceWrap] {
        let wrap = forge.wrap(label, &admin, &[7; 32]);
        let refused = open(&hotline, &forge.record(&[(&admin, wrap)]));
        assert!(matches!(refused, Err(RecordError::WrapRefused)));
    }
}

#[test]
fn a_wrap_for_another_generation_or_record_does_not_open() {
    let hotline = Hotline::new();
    let key = ContentKey::from_slice(&[7; 32]).unwrap();
    let (forge, again) = (Forge::new(&hotline, &key), Forge::new(&hotline, &key));
    let admin = hotline.admin.reader();
    let of_other_body = again.wrap(Label::RecordKeyWrap, &admin, &[7; 32]);
    let refused = open(&hotline, &forge.record(&[(&admin, of_other_body)]));
    assert!(matches!(refused, Err(RecordError::WrapRefused)));
    let next = Reader {
        generation: 2,
        ..admin
    };
    let wrap = forge.wrap(Label::RecordKeyWrap, &next, &[7; 32]);
    let refused = open(&hotline, &forge.record(&[(&admin, wrap.clone())]));
    assert!(matches!(refused, Err(RecordError::WrapRefused)));
    let refused = open(&hotline, &forge.record(&[(&next, wrap)]));
    assert!(matches!(
        refused,
        Err(RecordError::OtherKeyNeeded { generation: 2, .. })
    ));
}

/// An insider wants the admin to read other words than the author's copy says:
/// two content keys for one body. The body commits to one of them.
#[test]
fn two_readers_cannot_be_given_two_texts() {
    let hotline = Hotline::new();
    let key = ContentKey::from_slice(&[7; 32]).unwrap();
    let forge = Forge::new(&hotline, &key);
    let [author, admin] = [hotline.author.reader(), hotline.admin.reader()];
    let wraps = [
        (&author, forge.wrap(Label::RecordKeyWrap, &author, &[7; 32])),
        (&admin, forge.wrap(Label::RecordKeyWrap, &admin, &[8; 32])),
    ];
    let record = SealedRecord::decode(&forge.record(&wraps)).unwrap();
    let expected = hotline.expected();
    assert!(record.open(&hotline.author.key(), &expected).is_ok());
    let refused = record.open(&hotline.admin.key(), &expected);
    assert!(matches!(refused, Err(RecordError::BodyMismatch)));
}

/// The list of readers and their wraps name one body; the header signs another, which the same
/// content key opens.
#[test]
fn a_body_that_the_list_of_readers_does_not_name_is_refused() {
    let hotline = Hotline::new();
    let key = ContentKey::from_slice(&[7; 32]).unwrap();
    let mut forge = Forge::new(&hotline, &key);
    forge.named = [0x11; 32];
    let admin = hotline.admin.reader();
    let wrap = forge.wrap(Label::RecordKeyWrap, &admin, &[7; 32]);
    let record = SealedRecord::decode(&forge.record(&[(&admin, wrap)])).unwrap();
    let (expected, key) = (hotline.expected(), hotline.admin.key());
    let verified = record.front().verify(&expected).unwrap();
    let whole = verified.open(record.body(), &key);
    assert!(matches!(whole, Err(RecordError::BodyMismatch)));
    let stream = verified.open_stream(Cursor::new(record.body()), &key);
    assert!(matches!(stream, Err(RecordError::BodyMismatch)));
    let pieces = verified.open_pieces(&key).unwrap().push(record.body());
    assert!(matches!(pieces, Err(RecordError::BodyMismatch)));
}

/// An author who seals two files with the same randomness has two bodies of one key and one
/// commitment: what they signed is one of them.
#[test]
fn a_file_under_the_front_of_its_twin_is_refused_at_its_end() {
    let hotline = Hotline::new();
    let (writer, readers) = (hotline.author.writer(), [hotline.admin.reader()]);
    let seal = |fill: u8| {
        let started = writer.start(NOTE, 40_000, &readers, &mut Again(1));
        let (mut sealing, prefix) = started.unwrap();
        let mut body = prefix.to_vec();
        body.extend(sealing.push(&[fill; 40_000]).unwrap());
        let (front, end) = sealing.finish(&writer).unwrap();
        body.extend(end);
        (front, body)
    };
    let ((front, body), (_, twin)) = (seal(1), seal(2));
    assert_eq!(body[..56], twin[..56]);
    let (expected, key) = (hotline.expected(), hotline.admin.key());
    let verified = front.verify(&expected).unwrap();
    for (body, is_signed) in [(&body, true), (&twin, false)] {
        let mut pieces = verified.open_pieces(&key).unwrap();
        pieces.push(body).unwrap();
        let mut reader = verified.open_stream(Cursor::new(body), &key).unwrap();
        reader.read_chunk(2).unwrap();
        let ends = [pieces.finish().map(drop), reader.check_all()];
        for end in ends {
            match is_signed {
                true => end.unwrap(),
                false => assert!(matches!(end, Err(RecordError::BodyAltered)), "{end:?}"),
            }
        }
    }
}

#[test]
fn an_older_revision_or_list_of_readers_is_refused() {
    let hotline = Hotline::new();
    let note = hotline.note();
    let fresh = hotline.expected();
    let verified = note.front().verify(&fresh).unwrap();
    let writer = hotline.author.writer();
    let shorter = verified
        .remove_reader(&writer, hotline.author.user())
        .unwrap();
    let readers = [hotline.admin.reader()];
    let edited = verified
        .new_revision(&writer, b"edited", &readers, &mut OsEntropy)
        .unwrap();
    let seen = |front: &RecordFront, position: Position| {
        let mut expected = hotline.expected();
        expected.at_least = position;
        front.verify(&expected).map(|_| ())
    };
    assert!(seen(&shorter, shorter.position()).is_ok());
    for newer in [&shorter, edited.front()] {
        let refused = seen(note.front(), newer.position());
        assert!(matches!(refused, Err(RecordError::Rollback { .. })));
    }
    assert!(matches!(
        seen(&shorter, edited.front().position()),
        Err(RecordError::Rollback { .. })
    ));
    assert!(seen(edited.front(), shorter.position()).is_ok());
}

#[test]
fn two_revisions_of_one_number_are_noticed_by_who_holds_one() {
    let hotline = Hotline::new();
    let note = hotline.note();
    let expected = hotline.expected();
    let verified = note.front().verify(&expected).unwrap();
    let (writer, readers) = (hotline.author.writer(), [hotline.admin.reader()]);
    let edit = |front: crypto::record::VerifiedFront<'_>, words: &[u8]| {
        front
            .new_revision(&writer, words, &readers, &mut OsEntropy)
            .unwrap()
    };
    let (one, other) = (edit(verified, b"one"), edit(verified, b"other"));
    let after_other = edit(other.front().verify(&expected).unwrap(), b"third");
    assert!(other.front().check_follows(one.front()).is_err());
    assert!(after_other.front().check_follows(one.front()).is_err());
    assert!(after_other.front().check_follows(other.front()).is_ok());
}

/// The limit of the envelope. A server that hands out its own public key as the
/// admin's reads everything sealed to it, and nothing here notices: that the key
/// is the admin's is for the sigchain and key transparency to say.
#[test]
fn a_swapped_public_key_is_not_noticed_by_the_envelope() {
    let hotline = Hotline::new();
    let servers_own = crypto::ReaderSecretKey::from_bytes(&[0x42; 32]);
    let swapped = Reader {
        key: ReaderPublicKey::from_bytes(*servers_own.public_key().as_bytes()).unwrap(),
        ..hotline.admin.reader()
    };
    let readers = [hotline.author.reader(), swapped];
    let writer = hotline.author.writer();
    let note = writer.seal(NOTE, WORDS, &readers, &mut OsEntropy).unwrap();
    let as_admin = crypto::record::OpeningKey::PerUserKey {
        user: UserId::from_bytes([2; 16]),
        generation: 1,
        secret: &servers_own,
    };
    let opened = note.open(&as_admin, &hotline.expected()).unwrap();
    assert_eq!(*opened.plaintext, WORDS);
    // Whoever looks the key up in the verified chain does not seal to it.
    assert_ne!(hotline.admin.chain.state().reader().unwrap(), swapped);
}
