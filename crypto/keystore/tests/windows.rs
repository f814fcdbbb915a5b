//! The share in the Credential Manager of Windows, or of Wine.
#![cfg(all(windows, feature = "keystore"))]
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use crypto::OsEntropy;
use crypto::vault::{ChosenPasscode, Share, Shares, Vault, VaultId};
use crypto_keystore::{KeyStore, KeyStoreError};

const SEED: [u8; 32] = [7; 32];

fn sealed(share: &Share) -> Vault {
    let passcode = ChosenPasscode::new("480213-Lerche").unwrap();
    let shares = Shares::with_device(Share::from_bytes(share.reveal()));
    let id = VaultId::from_bytes([3; 16]);
    Vault::seal(id, &SEED, &passcode, &shares, &mut OsEntropy)
        .unwrap()
        .vault
}

#[test]
fn a_share_is_kept_for_one_sealing_and_forgotten() {
    let first = Share::from_bytes(&[1; Share::BYTES]);
    let second = Share::from_bytes(&[2; Share::BYTES]);
    let (old, new) = (sealed(&first), sealed(&second));
    let kept = KeyStore::open().unwrap();
    kept.keep(&old, &first).unwrap();
    kept.keep(&new, &second).unwrap();
    // As the next start of the app finds it.
    let found = KeyStore::open().unwrap();
    assert_eq!(found.share(&old).unwrap().reveal(), first.reveal());
    assert_eq!(found.share(&new).unwrap().reveal(), second.reveal());
    found.forget(&old).unwrap();
    found.forget(&old).unwrap();
    assert!(matches!(found.share(&old), Err(KeyStoreError::Missing)));
    assert_eq!(kept.share(&new).unwrap().reveal(), second.reveal());
    kept.forget(&new).unwrap();
    assert!(matches!(kept.share(&new), Err(KeyStoreError::Missing)));
}
