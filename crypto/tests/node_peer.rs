//! Vaults and relay signatures beside an implementation over npm `@noble`: other
//! people's Argon2id, PBKDF2, XChaCha20-Poly1305 and BIP-340. Vaults of both
//! peers, in Python and in JavaScript, open here.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use crypto::identity::{DeviceKeys, TransportPublicKey, TransportSignature};
use crypto::vault::{ChosenPasscode, Kdf, Passcode, Share, Shares, Vault, VaultId};
use crypto::{DeviceId, HubId, OsEntropy, UserId};
use peer::{ask, ask_node, hex, unhex};
use serde_json::{Value, json};

mod peer;

const SCRIPT: &str = "primitives.js";
const SEED: [u8; 32] = [0x5e; 32];
const CODE: &str = "593018";

fn bytes(answer: &Value, name: &str) -> Vec<u8> {
    unhex(answer[name].as_str().unwrap())
}

#[test]
fn node_opens_our_vault_and_no_other_code_does() {
    let share = Share::generate(&mut OsEntropy).unwrap();
    let shares = Shares::with_device(share.clone());
    let id = VaultId::generate(&mut OsEntropy).unwrap();
    let code = ChosenPasscode::new(CODE).unwrap();
    let sealed = Vault::seal(id, &SEED, &code, &shares, &mut OsEntropy).unwrap();
    let mut facts = json!({
        "vault": hex(sealed.vault.encode()), "code": CODE,
        "shares": [hex(share.reveal()), null, null],
    });
    let answer = ask_node(SCRIPT, "open", &facts).unwrap();
    assert_eq!(bytes(&answer, "seed"), SEED);
    assert_eq!(bytes(&answer, "auth"), sealed.auth.reveal());
    facts["code"] = json!("593019");
    let refusal = ask_node(SCRIPT, "open", &facts).unwrap_err();
    assert_eq!(refusal, "refused: the box does not open");
}

fn opens_here(answer: &Value, kdf: Kdf, [device, server]: [&Share; 2]) {
    let vault = Vault::decode(&bytes(answer, "vault")).unwrap();
    assert_eq!(vault.kdf(), kdf);
    let attempt = vault
        .attempt(&Passcode::entered(CODE), Some(device), None)
        .unwrap();
    assert_eq!(bytes(answer, "auth"), attempt.auth().reveal());
    assert_eq!(attempt.unlock(Some(server)).unwrap().reveal(), &SEED);
}

#[test]
fn we_open_the_vaults_of_both_peers() {
    let shares = [(); 2].map(|()| Share::generate(&mut OsEntropy).unwrap());
    let [device, server] = shares.each_ref().map(|share| hex(share.reveal()));
    for (number, kdf) in [(1, Kdf::Pbkdf2), (2, Kdf::Argon2id)] {
        let facts = json!({
            "kdf": number, "seed": hex(SEED), "code": CODE, "shares": [device, server, null],
        });
        let answer = ask_node(SCRIPT, "seal", &facts).unwrap();
        opens_here(&answer, kdf, shares.each_ref());
        let named = |bytes: &str| format!("hex:{bytes}");
        let request = json!({
            "command": "seal", "kdf": number, "seed": named(&hex(SEED)), "code": CODE,
            "shares": [named(&device), named(&server), null],
        });
        let answer = ask("vault_peer.py", &request).unwrap();
        opens_here(&answer, kdf, shares.each_ref());
    }
}

#[test]
fn relay_signatures_hold_on_both_sides() {
    let user = UserId::from_bytes([1; 16]);
    let keys = DeviceKeys::from_seed(user, DeviceId::from_bytes([2; 16]), &SEED);
    let key = keys.transport_key(HubId::from_bytes([3; 16]), 7);
    for digest in [[0; 32], [0xff; 32], [0x42; 32]] {
        let signature = key.sign(&digest, &mut OsEntropy).unwrap();
        let mut facts = json!({
            "key": hex(key.public_key().as_bytes()), "digest": hex(digest),
            "signature": hex(signature.as_bytes()),
        });
        let answer = ask_node(SCRIPT, "verify", &facts).unwrap();
        assert_eq!(answer["holds"], json!(true));
        facts["digest"] = json!(hex([0x43; 32]));
        let answer = ask_node(SCRIPT, "verify", &facts).unwrap();
        assert_eq!(answer["holds"], json!(false));

        let theirs = ask_node(SCRIPT, "sign", &json!({ "digest": hex(digest) })).unwrap();
        let public = bytes(&theirs, "key").try_into().unwrap();
        let public = TransportPublicKey::from_bytes(public).unwrap();
        let signature = bytes(&theirs, "signature").try_into().unwrap();
        let signature = TransportSignature::from_bytes(signature);
        assert_eq!(public.verify(&digest, &signature), Ok(()));
        assert!(public.verify(&[0x43; 32], &signature).is_err());
    }
}
