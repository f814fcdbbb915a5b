//! No byte can be changed, and no bytes make a decoder panic.

use crypto::record::{Erasure, Export, RecordError, RecordFront, RecordHeader, SealedRecord};
use proptest::prelude::*;

use crate::support::{Hotline, NOTE, WORDS};

fn decode_all(input: &[u8]) {
    if let Ok(record) = SealedRecord::decode(input) {
        assert_eq!(record.encode(), input);
    }
    if let Ok(front) = RecordFront::decode(input) {
        assert_eq!(front.encode(), input);
    }
    if let Ok(header) = RecordHeader::decode(input) {
        assert_eq!(header.encode(), input);
    }
    if let Ok(erasure) = Erasure::decode(input) {
        assert_eq!(erasure.encode(), input);
    }
    if let Ok(export) = Export::decode(input) {
        assert_eq!(export.encode(), input);
    }
}

#[test]
fn a_record_with_any_byte_changed_never_opens() {
    let hotline = Hotline::new();
    let sealed = hotline.note().encode();
    let expected = hotline.expected();
    let key = hotline.admin.key();
    for place in 0..sealed.len() {
        for change in [1, 0x80, 0xff] {
            let mut altered = sealed.clone();
            altered[place] ^= change;
            decode_all(&altered);
            let opened = SealedRecord::decode(&altered).and_then(|it| it.open(&key, &expected));
            assert!(opened.is_err(), "byte {place} changed by {change:#x}");
        }
    }
}

#[test]
fn a_record_cut_anywhere_or_with_more_never_opens() {
    let hotline = Hotline::new();
    let mut sealed = hotline.note().encode();
    let expected = hotline.expected();
    let key = hotline.admin.key();
    for end in 0..sealed.len() {
        let cut = SealedRecord::decode(&sealed[..end]).and_then(|it| it.open(&key, &expected));
        assert!(cut.is_err(), "cut at {end}");
    }
    sealed.push(0);
    let more = SealedRecord::decode(&sealed).and_then(|it| it.open(&key, &expected));
    assert!(matches!(more, Err(RecordError::BodyAltered)));
    let mut front = hotline.note().front().encode();
    front.push(0);
    assert!(matches!(
        RecordFront::decode(&front),
        Err(RecordError::Malformed(_))
    ));
}

#[test]
fn an_unknown_version_suite_or_kind_says_so() {
    let hotline = Hotline::new();
    let refused = |place: usize| {
        let mut sealed = hotline.note().encode();
        sealed[place] = 2;
        SealedRecord::decode(&sealed).unwrap_err()
    };
    assert!(matches!(refused(0), RecordError::NotThis("sealed record")));
    assert!(matches!(refused(4), RecordError::UnknownVersion(2)));
    assert!(matches!(refused(5), RecordError::UnknownSuite(2)));
    assert!(matches!(refused(9), RecordError::UnknownKind));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_bytes_make_a_decoder_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..600), magic in 0usize..4,
    ) {
        let fronts: [&[u8]; 4] = [b"", b"HLRC\x01\x01", b"HLRE\x01", b"HLEX\x01\x01"];
        decode_all(&[fronts[magic], &bytes].concat());
    }

    #[test]
    fn no_splice_of_two_records_opens(from in 0usize..900, count in 1usize..200, to in 0usize..900) {
        let hotline = Hotline::new();
        let (one, other) = (hotline.note().encode(), hotline.note_at(NOTE, WORDS).encode());
        let mut spliced = one.clone();
        let source: Vec<u8> = other.iter().skip(from).take(count).copied().collect();
        let end = (to + count).min(spliced.len());
        spliced.splice(to.min(end)..end, source);
        decode_all(&spliced);
        let opened = SealedRecord::decode(&spliced)
            .and_then(|it| it.open(&hotline.admin.key(), &hotline.expected()));
        prop_assert!(opened.is_err() || spliced == one);
    }

    #[test]
    fn any_text_comes_back(text in proptest::collection::vec(any::<u8>(), 0..5_000)) {
        let hotline = Hotline::new();
        let sealed = SealedRecord::decode(&hotline.note_at(NOTE, &text).encode()).unwrap();
        let opened = sealed.open(&hotline.author.key(), &hotline.expected()).unwrap();
        prop_assert_eq!(&*opened.plaintext, &text);
    }
}
