//! What a person has to come in with, and a device that is let in.

use crypto::provisioning::{Invitation, InvitationKind, NewDevice, OldDevice};
use crypto::vault::{
    AuthSecret, BackupCode, ChosenPasscode, Escrow, Passcode, RecoveryKey, Share, Shares, Vault,
    VaultId,
};
use crypto::{OsEntropy, UserId};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::watching::{Still, assert_left_nothing, assert_wiped};

const USER: UserId = UserId::from_bytes([1; 16]);
const SEED: [u8; 32] = *b"the seed of the device that lies";
const DEVICE: [u8; 32] = *b"the share that the device has...";
const SERVER: [u8; 32] = *b"the share that the server has...";
/// Of a multiple of what is looked for.
const PASSPHRASE: &str = "seven wet herons quarrel by dusk";

fn shares() -> Shares {
    let device = Share::from_bytes(&DEVICE);
    Shares::with_device(device).and_server(Share::from_bytes(&SERVER))
}

#[test]
fn a_share_and_a_proof() {
    assert_wiped(
        &[&DEVICE],
        || Share::from_bytes(&DEVICE),
        |share| {
            drop(Box::new(share.clone()));
        },
    );
    assert_wiped(&[&DEVICE, &SERVER], shares, |_| {});
    assert_wiped(
        &[&SEED],
        || AuthSecret::from_bytes(&SEED),
        |auth| {
            auth.verifier();
        },
    );
}

#[test]
fn a_vault_its_code_and_its_seed() {
    let id = VaultId::generate(&mut OsEntropy).unwrap();
    let seal = || {
        let passcode = ChosenPasscode::new(PASSPHRASE).unwrap();
        Vault::seal(id, &SEED, &passcode, &shares(), &mut Still::new(21)).unwrap()
    };
    let auth = *seal().auth.reveal();
    let secrets: [&[u8]; 5] = [&SEED, &DEVICE, &SERVER, PASSPHRASE.as_bytes(), &auth];
    assert_left_nothing(&secrets, || {
        let sealed = Box::new(seal());
        let device = Share::from_bytes(&DEVICE);
        let entered = Passcode::entered(PASSPHRASE);
        let attempt = Box::new(sealed.vault.attempt(&entered, Some(&device), None).unwrap());
        assert_eq!(attempt.auth().reveal(), &auth);
        assert!(attempt.unlock(Some(&device)).is_err());
        let server = Share::from_bytes(&SERVER);
        let unlocked = Box::new(attempt.unlock(Some(&server)).unwrap());
        assert_eq!(unlocked.reveal(), &SEED);
    });
    assert_left_nothing(&secrets, || ChosenPasscode::new("seven wet").is_err());
}

#[test]
fn a_recovery_key() {
    let mut entropy = Still::new(22);
    RecoveryKey::generate(&mut entropy).unwrap();
    let key = &entropy.made(0)[..16];
    let make = || RecoveryKey::generate(&mut Still::new(22)).unwrap();
    let text = make().reveal();
    assert_wiped(&[key, text.as_bytes(), &SEED], make, |key| {
        drop(key.reveal());
        let escrow = Escrow::seal(USER, &SEED, key, &mut OsEntropy).unwrap();
        let escrow = Escrow::decode(&escrow.encode()).unwrap();
        let read = Box::new(text.parse::<RecoveryKey>().unwrap());
        assert_eq!(escrow.open(USER, &*read).unwrap().as_slice(), SEED);
    });
}

/// The code itself is shorter than what is looked for, its text is not.
#[test]
fn a_backup_code() {
    let make = || {
        let [first, ..] = BackupCode::generate_set(&mut Still::new(23)).unwrap();
        first
    };
    let (text, auth) = (make().reveal(), *make().auth(USER).reveal());
    assert_left_nothing(&[text.as_bytes(), &auth, &SEED], || {
        let code = Box::new(make());
        drop(code.reveal());
        let entry = code.entry(USER, &SEED, &mut OsEntropy).unwrap();
        drop(entry);
        drop(Box::new(text.parse::<BackupCode>().unwrap()));
    });
}

#[test]
fn a_pairing() {
    let (mut new_entropy, mut old_entropy) = (Still::new(31), Still::new(32));
    let new = NewDevice::invite(InvitationKind::Scanned, &mut new_entropy).unwrap();
    let shown = new.invitation().reveal();
    OldDevice::join(Invitation::scan(&shown).unwrap(), &mut old_entropy).unwrap();
    // A private key and a nonce are made first; then the room and its secret.
    let (new_scalar, old_scalar) = (new_entropy.made(0), old_entropy.made(0));
    let shared = StaticSecret::from(new_scalar)
        .diffie_hellman(&PublicKey::from(&StaticSecret::from(old_scalar)));
    let secret = new_entropy.made(3);
    let payload = b"what the other device is told...";
    let secrets: [&[u8]; 6] = [
        &new_scalar,
        &old_scalar,
        shared.as_bytes(),
        &secret[..16],
        shown[64..].as_bytes(),
        payload,
    ];
    let invite = || NewDevice::invite(InvitationKind::Scanned, &mut Still::new(31)).unwrap();
    assert_wiped(&secrets[..1], invite, |_| {});
    assert_wiped(&secrets[3..4], invite, |_| {});
    assert_left_nothing(&secrets, || {
        let new = invite();
        let scanned = Invitation::scan(&new.invitation().reveal()).unwrap();
        let (old, commit) = OldDevice::join(scanned, &mut Still::new(32)).unwrap();
        let (new, share) = new.receive_commit(&commit).unwrap();
        let (old, reveal) = old.receive_share(&share).unwrap();
        let (new, hello) = new
            .receive_reveal(&reveal, b"card", &mut OsEntropy)
            .unwrap();
        let old = old.receive_hello(&hello).unwrap();
        let old = old.confirm(&new.digits().reveal()).unwrap();
        let message = old.send(payload, &mut OsEntropy).unwrap();
        new.receive_payload(&message).unwrap();
        // Given up half way.
        let new = invite();
        let scanned = Invitation::scan(&new.invitation().reveal()).unwrap();
        drop(Box::new(OldDevice::join(scanned, &mut Still::new(32))));
        drop(Box::new(new.receive_commit(&commit)));
    });
}
