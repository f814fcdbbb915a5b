//! Sealed voicemail as a file: what a power cut leaves, and what an attacker
//! with the file can and cannot do.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::io::Cursor;

use crypto::cobblestone::{CHUNK_BYTES, PREFIX_BYTES, SEALED_CHUNK_BYTES};
use crypto::{
    Error, MAX_RECIPIENTS, OsEntropy, ReaderPublicKey, ReaderSecretKey, VoicemailMeta,
    VoicemailReader, VoicemailWriter,
};
use proptest::prelude::*;

const WRAP_ENTRY_BYTES: usize = 16 + 32 + 48;

fn meta() -> VoicemailMeta {
    VoicemailMeta {
        hub: "night-line".into(),
        recording: "01HXYZ".into(),
        created_at_ms: 1_763_690_000_000,
        sample_rate_hz: 16_000,
    }
}

fn reader_key() -> ReaderSecretKey {
    ReaderSecretKey::generate().unwrap()
}

fn sound(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|place| (place / 3 % 251) as u8).collect()
}

struct Sealed {
    bytes: Vec<u8>,
    front: usize,
}

fn seal(meta: &VoicemailMeta, readers: &[&ReaderSecretKey], pcm: &[u8]) -> Sealed {
    let readers: Vec<ReaderPublicKey> = readers.iter().map(|key| *key.public_key()).collect();
    let (mut writer, mut bytes) = VoicemailWriter::new(meta, &readers, &mut OsEntropy).unwrap();
    let front = bytes.len();
    for frame in pcm.chunks(640) {
        bytes.extend(writer.push(frame));
    }
    bytes.extend(writer.finish());
    Sealed { bytes, front }
}

type Opened = VoicemailReader<Cursor<Vec<u8>>>;

fn open(bytes: &[u8], key: &ReaderSecretKey) -> Result<Opened, Error> {
    VoicemailReader::open(Cursor::new(bytes.to_vec()), key)
}

fn hear(reader: &mut Opened) -> Result<Vec<u8>, Error> {
    let chunks: Result<Vec<Vec<u8>>, Error> = reader.chunks().collect();
    Ok(chunks?.concat())
}

#[test]
fn every_reader_hears_the_whole_message_and_nobody_else_does() {
    let (one, other, stranger) = (reader_key(), reader_key(), reader_key());
    let pcm = sound(2 * CHUNK_BYTES + 5_000);
    let sealed = seal(&meta(), &[&one, &other], &pcm);
    for key in [&one, &other] {
        let mut reader = open(&sealed.bytes, key).unwrap();
        assert_eq!(reader.meta(), &meta());
        assert!(reader.is_complete());
        assert_eq!(reader.pcm_bytes(), pcm.len() as u64);
        assert_eq!(hear(&mut reader).unwrap(), pcm);
    }
    assert!(matches!(
        open(&sealed.bytes, &stranger),
        Err(Error::NotARecipient)
    ));
    let clear = &pcm[..64];
    assert!(!sealed.bytes.windows(64).any(|window| window == clear));
}

#[test]
fn sound_is_on_its_way_to_disk_every_sixteen_kib() {
    let key = reader_key();
    let (mut writer, _) =
        VoicemailWriter::new(&meta(), &[*key.public_key()], &mut OsEntropy).unwrap();
    assert!(writer.push(&sound(CHUNK_BYTES - 2)).is_empty());
    assert_eq!(writer.push(&[0, 0]).len(), SEALED_CHUNK_BYTES);
    assert_eq!(
        writer.push(&sound(2 * CHUNK_BYTES)).len(),
        2 * SEALED_CHUNK_BYTES
    );
    assert_eq!(writer.finish().len(), 16);
}

#[test]
fn chunks_are_read_in_any_order() {
    let key = reader_key();
    let pcm = sound(3 * CHUNK_BYTES + 100);
    let sealed = seal(&meta(), &[&key], &pcm);
    let mut reader = open(&sealed.bytes, &key).unwrap();
    assert_eq!(reader.chunk_count(), 4);
    for index in [3, 1, 0, 2] {
        let start = index * CHUNK_BYTES;
        let expected = &pcm[start..pcm.len().min(start + CHUNK_BYTES)];
        assert_eq!(*reader.read_chunk(index as u64).unwrap(), expected);
    }
    for index in [4, u64::MAX] {
        assert!(matches!(
            reader.read_chunk(index),
            Err(Error::NoSuchChunk { .. })
        ));
    }
}

#[test]
fn a_message_of_exact_chunks_and_an_empty_one_are_complete() {
    let key = reader_key();
    for bytes in [0, CHUNK_BYTES, 2 * CHUNK_BYTES] {
        let sealed = seal(&meta(), &[&key], &sound(bytes));
        let mut reader = open(&sealed.bytes, &key).unwrap();
        assert!(reader.is_complete());
        assert_eq!(reader.chunk_count(), (bytes / CHUNK_BYTES) as u64);
        assert_eq!(hear(&mut reader).unwrap(), sound(bytes));
    }
}

#[test]
fn readers_are_one_to_sixty_four_and_count_once() {
    let keys: Vec<ReaderPublicKey> = (0..=MAX_RECIPIENTS)
        .map(|_| *reader_key().public_key())
        .collect();
    let start = |readers: &[ReaderPublicKey]| {
        VoicemailWriter::new(&meta(), readers, &mut OsEntropy).map(|(_, front)| front.len())
    };
    assert!(matches!(start(&[]), Err(Error::NoRecipients)));
    assert!(matches!(
        start(&keys),
        Err(Error::TooManyRecipients { given: 65 })
    ));
    let full = start(&keys[..MAX_RECIPIENTS]).unwrap();
    let single = start(&keys[..1]).unwrap();
    assert_eq!(full - single, (MAX_RECIPIENTS - 1) * WRAP_ENTRY_BYTES);
    assert_eq!(start(&[keys[0], keys[0]]).unwrap(), single);
}

/// What a file cut to `end` bytes must give.
fn check_cut(sealed: &Sealed, pcm: &[u8], key: &ReaderSecretKey, end: usize) {
    let opened = open(&sealed.bytes[..end], key);
    if end < sealed.front {
        assert!(
            matches!(opened, Err(Error::HeaderTruncated)),
            "cut at {end}"
        );
        return;
    }
    let mut reader = opened.unwrap();
    let whole = (end - sealed.front) / SEALED_CHUNK_BYTES;
    assert!(!reader.is_complete(), "cut at {end}");
    assert_eq!(reader.chunk_count(), whole as u64, "cut at {end}");
    assert_eq!(
        hear(&mut reader).unwrap(),
        pcm[..whole * CHUNK_BYTES],
        "cut at {end}"
    );
}

#[test]
fn a_cut_near_any_border_loses_only_what_comes_after_it() {
    let key = reader_key();
    let pcm = sound(2 * CHUNK_BYTES + 300);
    let sealed = seal(&meta(), &[&key], &pcm);
    let borders = [0, sealed.front, sealed.front + SEALED_CHUNK_BYTES]
        .into_iter()
        .chain([sealed.front + 2 * SEALED_CHUNK_BYTES, sealed.bytes.len()]);
    for border in borders {
        let near = border.saturating_sub(40)..(border + 40).min(sealed.bytes.len());
        near.for_each(|end| check_cut(&sealed, &pcm, &key, end));
    }
}

#[test]
fn blocks_that_a_power_cut_left_as_zeros_do_not_hide_the_sound_before_them() {
    let key = reader_key();
    let pcm = sound(4 * CHUNK_BYTES);
    let mut sealed = seal(&meta(), &[&key], &pcm);
    let from = sealed.front + 2 * SEALED_CHUNK_BYTES + 4_096;
    sealed
        .bytes
        .truncate(sealed.front + 3 * SEALED_CHUNK_BYTES + 7);
    sealed.bytes[from..].fill(0);
    let mut reader = open(&sealed.bytes, &key).unwrap();
    assert!(!reader.is_complete());
    let mut chunks = reader.chunks();
    assert_eq!(chunks.next().unwrap().unwrap(), pcm[..CHUNK_BYTES]);
    assert_eq!(
        chunks.next().unwrap().unwrap(),
        pcm[CHUNK_BYTES..2 * CHUNK_BYTES]
    );
    assert!(matches!(
        chunks.next(),
        Some(Err(Error::ChunkCorrupt { index: 2 }))
    ));
    assert!(chunks.next().is_none());
}

#[test]
fn any_bit_flipped_before_the_sound_stops_the_opening() {
    let key = reader_key();
    let mut sealed = seal(&meta(), &[&key], &sound(100));
    for bit in 0..sealed.front * 8 {
        sealed.bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&sealed.bytes, &key).is_err(), "bit {bit}");
        sealed.bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(open(&sealed.bytes, &key).is_ok());
}

#[test]
fn another_readers_wrap_is_that_readers_concern() {
    let (one, other) = (reader_key(), reader_key());
    let mut sealed = seal(&meta(), &[&one, &other], &sound(100));
    let other_wrap = sealed.front - PREFIX_BYTES - 1;
    sealed.bytes[other_wrap] ^= 1;
    assert!(matches!(
        open(&sealed.bytes, &other),
        Err(Error::WrapRefused)
    ));
    assert_eq!(
        hear(&mut open(&sealed.bytes, &one).unwrap()).unwrap(),
        sound(100)
    );
}

#[test]
fn an_unknown_version_or_suite_is_named() {
    let key = reader_key();
    let sealed = seal(&meta(), &[&key], &sound(100)).bytes;
    let altered = |place: usize, value: u8| {
        let mut bytes = sealed.clone();
        bytes[place] = value;
        open(&bytes, &key)
    };
    assert!(matches!(altered(4, 2), Err(Error::UnknownVersion(2))));
    assert!(matches!(altered(5, 2), Err(Error::UnknownSuite(2))));
    assert!(matches!(altered(0, b'X'), Err(Error::NotVoicemail)));
    assert!(matches!(
        open(b"RIFF....WAVEfmt ", &key),
        Err(Error::NotVoicemail)
    ));
    assert!(matches!(open(b"", &key), Err(Error::HeaderTruncated)));
}

#[test]
fn a_header_does_not_open_another_recordings_body() {
    let key = reader_key();
    let later = VoicemailMeta {
        created_at_ms: meta().created_at_ms + 1,
        ..meta()
    };
    let first = seal(&meta(), &[&key], &sound(40_000));
    let second = seal(&later, &[&key], &sound(40_000));
    assert_eq!(first.front, second.front);
    let wraps_at = first.front - PREFIX_BYTES - WRAP_ENTRY_BYTES - 1;
    let body_at = first.front - PREFIX_BYTES;

    let swapped = |split: usize| [&first.bytes[..split], &second.bytes[split..]].concat();
    assert!(matches!(
        open(&swapped(wraps_at), &key),
        Err(Error::WrapRefused)
    ));
    assert!(matches!(
        open(&swapped(body_at), &key),
        Err(Error::BodyMismatch)
    ));
    let mut reader = open(&swapped(first.front), &key).unwrap();
    assert!(matches!(
        hear(&mut reader),
        Err(Error::ChunkCorrupt { index: 0 })
    ));
}

#[test]
fn the_same_facts_do_not_make_two_bodies_exchangeable() {
    let key = reader_key();
    let first = seal(&meta(), &[&key], &sound(100));
    let second = seal(&meta(), &[&key], &sound(100));
    let body_at = first.front - PREFIX_BYTES;
    let swapped = [&first.bytes[..body_at], &second.bytes[body_at..]].concat();
    assert!(matches!(open(&swapped, &key), Err(Error::BodyMismatch)));
}

#[test]
fn a_wrap_does_not_open_for_a_reader_it_was_not_made_for() {
    let (one, other, attacker) = (reader_key(), reader_key(), reader_key());
    let sealed = seal(&meta(), &[&one, &other], &sound(100));
    let wraps_at = sealed.front - PREFIX_BYTES - 2 * WRAP_ENTRY_BYTES;

    // The key ids change places, the wraps stay.
    let mut swapped = sealed.bytes.clone();
    let (first, second) = swapped[wraps_at..].split_at_mut(WRAP_ENTRY_BYTES);
    first[..16].swap_with_slice(&mut second[..16]);
    assert!(matches!(open(&swapped, &one), Err(Error::WrapRefused)));
    assert!(matches!(open(&swapped, &other), Err(Error::WrapRefused)));

    // The attacker's id over another's wrap.
    let mut claimed = sealed.bytes.clone();
    claimed[wraps_at..wraps_at + 16].copy_from_slice(attacker.public_key().id().as_bytes());
    assert!(matches!(open(&claimed, &attacker), Err(Error::WrapRefused)));
    assert!(matches!(open(&claimed, &one), Err(Error::NotARecipient)));
}

#[test]
fn whole_wraps_may_change_their_order() {
    let (one, other) = (reader_key(), reader_key());
    let mut sealed = seal(&meta(), &[&one, &other], &sound(100));
    let wraps_at = sealed.front - PREFIX_BYTES - 2 * WRAP_ENTRY_BYTES;
    sealed.bytes[wraps_at..sealed.front - PREFIX_BYTES].rotate_left(WRAP_ENTRY_BYTES);
    for key in [&one, &other] {
        assert_eq!(
            hear(&mut open(&sealed.bytes, key).unwrap()).unwrap(),
            sound(100)
        );
    }
}

#[test]
fn chunks_that_are_moved_removed_or_repeated_are_errors() {
    let key = reader_key();
    let sealed = seal(&meta(), &[&key], &sound(4 * CHUNK_BYTES + 10));
    let (front, body) = sealed.bytes.split_at(sealed.front);
    let chunks: Vec<&[u8]> = body.chunks(SEALED_CHUNK_BYTES).collect();
    let refused_at = |order: &[usize]| {
        let chosen: Vec<u8> = order
            .iter()
            .flat_map(|index| chunks[*index])
            .copied()
            .collect();
        let mut reader = open(&[front, &chosen].concat(), &key).unwrap();
        match hear(&mut reader) {
            Err(Error::ChunkCorrupt { index }) => Some(index),
            Ok(_) => None,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(refused_at(&[0, 1, 2, 3, 4]), None);
    assert_eq!(refused_at(&[1, 0, 2, 3, 4]), Some(0));
    assert_eq!(refused_at(&[0, 2, 3, 4]), Some(1));
    assert_eq!(refused_at(&[0, 1, 1, 2, 3, 4]), Some(2));
    // Sound after the end is not taken for sound.
    assert_eq!(refused_at(&[0, 1, 2, 3, 4, 3]), Some(4));
}

#[test]
fn a_damaged_end_is_reported_as_missing_and_never_heard() {
    let key = reader_key();
    let pcm = sound(CHUNK_BYTES + 100);
    let mut sealed = seal(&meta(), &[&key], &pcm);
    let last = sealed.bytes.len() - 50;
    sealed.bytes[last] ^= 1;
    let mut reader = open(&sealed.bytes, &key).unwrap();
    assert!(!reader.is_complete());
    assert_eq!(hear(&mut reader).unwrap(), pcm[..CHUNK_BYTES]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_cut_anywhere_loses_only_what_comes_after_it(
        length in 0usize..60_000, cut in 0.0..1.0f64,
    ) {
        let key = reader_key();
        let pcm = sound(length);
        let sealed = seal(&meta(), &[&key], &pcm);
        let end = (sealed.bytes.len() as f64 * cut) as usize;
        check_cut(&sealed, &pcm, &key, end);
    }

    #[test]
    fn pieces_of_any_size_seal_the_same_sound(
        sizes in proptest::collection::vec(0usize..20_000, 0..8),
    ) {
        let key = reader_key();
        let readers = [*key.public_key()];
        let (mut writer, mut bytes) =
            VoicemailWriter::new(&meta(), &readers, &mut OsEntropy).unwrap();
        let pcm = sound(sizes.iter().sum());
        let mut rest = pcm.as_slice();
        for size in sizes {
            let (piece, after) = rest.split_at(size);
            bytes.extend(writer.push(piece));
            rest = after;
        }
        bytes.extend(writer.finish());
        prop_assert_eq!(hear(&mut open(&bytes, &key).unwrap()).unwrap(), pcm);
    }

    #[test]
    fn any_bit_flipped_in_a_whole_chunk_is_an_error(at in 0.0..1.0f64, bit in 0u32..8) {
        let key = reader_key();
        let mut sealed = seal(&meta(), &[&key], &sound(2 * CHUNK_BYTES));
        let place = (2.0 * SEALED_CHUNK_BYTES as f64 * at) as usize;
        sealed.bytes[sealed.front + place] ^= 1 << bit;
        let expected = (place / SEALED_CHUNK_BYTES) as u64;
        let mut reader = open(&sealed.bytes, &key).unwrap();
        match hear(&mut reader) {
            Err(Error::ChunkCorrupt { index }) => prop_assert_eq!(index, expected),
            other => prop_assert!(false, "{:?}", other.map(|pcm| pcm.len())),
        }
        prop_assert!(reader.read_chunk(1 - expected).is_ok());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..2_000), from in 0usize..300,
    ) {
        let key = reader_key();
        let mut input = seal(&meta(), &[&key], b"").bytes;
        input.truncate(from);
        let kept = input.len();
        input.extend(bytes);
        if let Ok(mut reader) = open(&input, &key) {
            prop_assert!(kept > 100);
            let _ = hear(&mut reader);
        }
    }
}
