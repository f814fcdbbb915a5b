//! Independent implementations in Python (PyPI `cryptography`) open what we
//! seal and seal what we open.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod peer;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Output;

use crypto::cobblestone::{CHUNK_BYTES, ContentKey, Decryptor, Encryptor, SEALED_CHUNK_BYTES};
use crypto::{
    CallerIdKey, OsEntropy, ReaderSecretKey, VoicemailMeta, VoicemailReader, VoicemailWriter,
};
use serde_json::{Value, json};

use peer::{ask, hex, run, unhex};

fn answer(output: &Output) -> &[u8] {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    &output.stdout
}

fn sound(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|place| (place / 5 % 253) as u8).collect()
}

const LENGTHS: [usize; 5] = [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 1];

#[test]
fn cobblestone_opens_in_python() {
    let (key, context) = ([0x5a; 32], b"a\0context".as_slice());
    for length in LENGTHS {
        let content_key = ContentKey::from_slice(&key).unwrap();
        let (mut encryptor, prefix) =
            Encryptor::new(&content_key, context, &mut OsEntropy).unwrap();
        let mut sealed = prefix.to_vec();
        sealed.extend(encryptor.push(&sound(length)).unwrap());
        sealed.extend(encryptor.finish().unwrap());
        let output = run(
            "cobblestone_peer.py",
            &["open", &hex(key), &hex(context)],
            &sealed,
        );
        assert!(answer(&output) == sound(length), "{length} bytes");
    }
}

#[test]
fn cobblestone_opens_from_python() {
    let (key, context) = ([0xa5; 32], b"another context".as_slice());
    for length in LENGTHS {
        let output = run(
            "cobblestone_peer.py",
            &["seal", &hex(key), &hex(context)],
            &sound(length),
        );
        let content_key = ContentKey::from_slice(&key).unwrap();
        let mut decryptor = Decryptor::new(content_key, context);
        let mut plain = decryptor.push(answer(&output)).unwrap();
        plain.extend_from_slice(&decryptor.finish().unwrap());
        assert!(*plain == sound(length), "{length} bytes");
    }
}

#[test]
fn a_caller_id_tag_is_the_same_in_python() {
    let tag = CallerIdKey::from_bytes(&[0x42; 32]).tag("+4930123456");
    let arguments = [&hex([0x42; 32]), "+4930123456"];
    let output = run("caller_id_peer.py", &arguments, b"");
    let theirs = std::str::from_utf8(answer(&output)).unwrap().trim();
    assert_eq!(theirs, hex(tag.as_bytes()));
}

/// A folder of its own for one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn open_in_python(
    folder: &Path,
    key: &ReaderSecretKey,
    sealed: &[u8],
) -> Result<(Value, Vec<u8>), String> {
    let paths = ["key", "sealed", "pcm"].map(|name| folder.join(name));
    fs::write(&paths[0], format!("{}\n", *key.reveal())).unwrap();
    fs::write(&paths[1], sealed).unwrap();
    let arguments = paths.each_ref().map(|path| path.to_str().unwrap());
    let output = run("open_voicemail.py", &arguments, b"");
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap().trim().to_owned());
    }
    let facts = serde_json::from_slice(&output.stdout).unwrap();
    Ok((facts, fs::read(&paths[2]).unwrap()))
}

struct Recording {
    sealed: Vec<u8>,
    front: usize,
    pcm: Vec<u8>,
}

fn record(meta: &VoicemailMeta, readers: &[&ReaderSecretKey]) -> Recording {
    let readers: Vec<_> = readers.iter().map(|key| *key.public_key()).collect();
    let (mut writer, mut sealed) = VoicemailWriter::new(meta, &readers, &mut OsEntropy).unwrap();
    let front = sealed.len();
    let pcm = sound(2 * CHUNK_BYTES + 7_000);
    pcm.chunks(640)
        .for_each(|frame| sealed.extend(writer.push(frame)));
    sealed.extend(writer.finish());
    Recording { sealed, front, pcm }
}

fn meta() -> VoicemailMeta {
    VoicemailMeta {
        hub: "línea nocturna".into(),
        // Long enough for a length of two bytes.
        recording: "r".repeat(100),
        created_at_ms: 1_763_690_000_123,
        sample_rate_hz: 16_000,
    }
}

#[test]
fn a_reader_written_from_the_document_hears_every_reader_s_voicemail() {
    let folder = folder("complete");
    let keys = [(); 3].map(|()| ReaderSecretKey::generate().unwrap());
    let recording = record(&meta(), &keys.each_ref());
    for key in &keys {
        let (facts, pcm) = open_in_python(&folder, key, &recording.sealed).unwrap();
        let expected = json!({
            "hub": "línea nocturna",
            "recording": "r".repeat(100),
            "created_at_ms": 1_763_690_000_123_u64,
            "sample_rate_hz": 16_000,
            "complete": true,
        });
        assert_eq!(facts, expected);
        assert!(pcm == recording.pcm);
    }
}

#[test]
fn both_readers_agree_on_a_truncated_file() {
    let folder = folder("truncated");
    let key = ReaderSecretKey::generate().unwrap();
    let recording = record(&meta(), &[&key]);
    let (front, end) = (recording.front, recording.sealed.len());
    let chunk = SEALED_CHUNK_BYTES;
    for cut in [
        front,
        front + 9,
        front + chunk,
        front + chunk + 5_000,
        end - 1,
    ] {
        let sealed = &recording.sealed[..cut];
        let (facts, theirs) = open_in_python(&folder, &key, sealed).unwrap();
        let mut reader = VoicemailReader::open(Cursor::new(sealed), &key).unwrap();
        let ours: Vec<u8> = reader.chunks().flat_map(|chunk| chunk.unwrap()).collect();
        assert_eq!(facts["complete"], json!(false), "cut at {cut}");
        assert!(!reader.is_complete(), "cut at {cut}");
        assert!(ours == theirs, "cut at {cut}");
        let whole = (cut - front) / chunk * CHUNK_BYTES;
        assert!(ours == recording.pcm[..whole], "cut at {cut}");
    }
    assert!(VoicemailReader::open(Cursor::new(&recording.sealed[..front - 1]), &key).is_err());
    let refusal = open_in_python(&folder, &key, &recording.sealed[..front - 1]);
    assert_eq!(
        refusal.unwrap_err(),
        "refused: the file ends inside its header"
    );
}

#[test]
fn the_reader_written_from_the_document_refuses_what_it_must() {
    let folder = folder("refused");
    let [reader, stranger] = [(); 2].map(|()| ReaderSecretKey::generate().unwrap());
    let recording = record(&meta(), &[&reader]);
    let refusal = |key: &ReaderSecretKey, place: Option<usize>| {
        let mut sealed = recording.sealed.clone();
        if let Some(place) = place {
            sealed[place] ^= 1;
        }
        open_in_python(&folder, key, &sealed).unwrap_err()
    };
    assert_eq!(refusal(&stranger, None), "refused: not sealed to this key");
    assert_eq!(refusal(&reader, Some(4)), "refused: unknown version");
    // A letter of the hub's id.
    assert_eq!(
        refusal(&reader, Some(7)),
        "refused: the entry for this key does not open"
    );
    let in_first_chunk = recording.front + 100;
    assert_eq!(
        refusal(&reader, Some(in_first_chunk)),
        "refused: the body does not open"
    );
}

#[test]
fn we_hear_what_a_writer_from_the_document_has_sealed() {
    let keys = [(); 2].map(|()| ReaderSecretKey::generate().unwrap());
    let readers: Vec<_> = keys
        .iter()
        .map(|key| hex(key.public_key().as_bytes()))
        .collect();
    for length in [0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7_000] {
        let meta = meta();
        let facts = json!({
            "hub": meta.hub, "recording": meta.recording, "created_at_ms": meta.created_at_ms,
            "sample_rate_hz": meta.sample_rate_hz, "readers": readers, "sound": hex(sound(length)),
        });
        let answer = ask("seal_voicemail.py", &facts).unwrap();
        let sealed = unhex(answer["sealed"].as_str().unwrap());
        for key in &keys {
            let mut reader = VoicemailReader::open(Cursor::new(&sealed), key).unwrap();
            assert_eq!(reader.meta(), &meta);
            assert!(reader.is_complete());
            let heard: Vec<u8> = reader.chunks().flat_map(|chunk| chunk.unwrap()).collect();
            assert!(heard == sound(length), "{length}");
        }
    }
}
