use ::sframe::frame::MediaFrameView;
use serde_json::Value;

use super::*;

/// RFC 9605 appendix C.
fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/rfc9605.json")).unwrap()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    let digits = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    digits
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

#[test]
fn headers_are_those_of_the_rfc() {
    let vectors = vectors();
    let headers = vectors["header"].as_array().unwrap();
    assert_eq!(headers.len(), 289);
    for vector in headers {
        let (kid, counter) = (vector[0].as_u64().unwrap(), vector[1].as_u64().unwrap());
        let encoded = unhex(&vector[2]);
        assert_eq!(Vec::from(&SframeHeader::new(kid, counter)), encoded);
        let read = SframeHeader::deserialize(&encoded).unwrap();
        assert_eq!((read.key_id(), read.counter()), (kid, counter));
    }
}

#[test]
fn the_suite_is_that_of_the_rfc() {
    let vector = &vectors()["suite_5"];
    let (kid, counter) = (vector["kid"].as_u64(), vector["ctr"].as_u64());
    let (kid, counter) = (kid.unwrap(), counter.unwrap());
    let base_key = unhex(&vector["base_key"]);
    let (sound, metadata) = (unhex(&vector["pt"]), unhex(&vector["metadata"]));
    let key = EncryptionKey::derive_from(SUITE, kid, &base_key).unwrap();
    let mut counter = MonotonicCounter::with_start_value(counter, u64::MAX);
    let mut sealed = Vec::new();
    MediaFrameView::try_with_meta_data(&mut counter, &sound, &metadata)
        .unwrap()
        .encrypt_into(&key, &mut sealed)
        .unwrap();
    // In memory the metadata comes first.
    assert_eq!(sealed, [metadata.clone(), unhex(&vector["ct"])].concat());
    let key = DecryptionKey::derive_from(SUITE, kid, &base_key).unwrap();
    let sealed = unhex(&vector["ct"]);
    let frame = EncryptedFrameView::try_with_meta_data(&sealed, &metadata).unwrap();
    assert_eq!(frame.decrypt(&key).unwrap().payload(), sound);
}

#[test]
fn a_key_ends_before_its_counter_does() {
    let mut sealer = FrameSealer {
        key: EncryptionKey::derive_from(SUITE, 1_u64, [7; 32]).unwrap(),
        counter: MonotonicCounter::with_start_value(MAX_FRAMES - 2, MAX_FRAMES - 1),
    };
    assert!(sealer.seal(b"one").is_ok());
    assert!(sealer.seal(b"two").is_ok());
    assert_eq!(sealer.seal(b"three"), Err(FrameError::Exhausted));
    assert_eq!(sealer.seal(b"three"), Err(FrameError::Exhausted));
}
