//! Two devices of one person, and whoever puts himself between them.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::io::{BufRead, BufReader, Write};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use crypto::provisioning::{
    Invitation, InvitationKind, MAX_MESSAGE_BYTES, MAX_SEALED_BYTES, NewDevice, OldDevice,
    ProvisionError, ROOM_LIFETIME_MS, Room, RoomPass, RoomRefused,
};
use crypto::{Entropy, Label, OsEntropy};
use hkdf::Hkdf;
use peer::{hex, start, unhex};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};

mod peer;

const KINDS: [InvitationKind; 2] = [InvitationKind::Scanned, InvitationKind::Typed];
const NOW_MS: u64 = 1_763_690_000_000;
const FRONT: usize = 6;

/// What the old device makes of what the new one shows.
fn read(invitation: &Invitation) -> Invitation {
    let shown = invitation.reveal();
    match invitation.kind() {
        InvitationKind::Scanned => Invitation::scan(&shown).unwrap(),
        InvitationKind::Typed => Invitation::enter(&shown.to_lowercase()).unwrap(),
    }
}

fn invite(kind: InvitationKind) -> NewDevice {
    NewDevice::invite(kind, &mut OsEntropy).unwrap()
}

fn join(invitation: &Invitation) -> (OldDevice, Vec<u8>) {
    OldDevice::join(read(invitation), &mut OsEntropy).unwrap()
}

#[test]
fn a_second_device_comes_in_through_the_room() {
    for kind in KINDS {
        let [new_pass, old_pass] = [(); 2].map(|()| RoomPass::generate(&mut OsEntropy).unwrap());
        let new = invite(kind);
        let mut room = Room::open(new_pass.clone(), NOW_MS);
        let (old, commit) = join(new.invitation());
        assert_eq!(read(new.invitation()).room(), new.invitation().room());
        room.join(old_pass.clone(), NOW_MS).unwrap();
        let mut carry = |from: &RoomPass, to: &RoomPass, place: usize, message: Vec<u8>| {
            let at_ms = NOW_MS + 1000 * place as u64;
            assert_eq!(room.read(to, place, at_ms), Ok(None));
            room.post(from, message, at_ms).unwrap();
            room.read(to, place, at_ms).unwrap().unwrap().to_vec()
        };
        let commit = carry(&old_pass, &new_pass, 0, commit);
        let (new, share) = new.receive_commit(&commit).unwrap();
        let share = carry(&new_pass, &old_pass, 1, share);
        let (old, reveal) = old.receive_share(&share).unwrap();
        let reveal = carry(&old_pass, &new_pass, 2, reveal);
        let (new, hello) = new
            .receive_reveal(&reveal, b"card", &mut OsEntropy)
            .unwrap();
        let hello = carry(&new_pass, &old_pass, 3, hello);
        let old = old.receive_hello(&hello).unwrap();
        let old = old.confirm(&new.digits().reveal()).unwrap();
        assert_eq!(old.hello(), b"card");
        let payload = old.send(b"the person's key", &mut OsEntropy).unwrap();
        let payload = carry(&old_pass, &new_pass, 4, payload);
        assert_eq!(*new.receive_payload(&payload).unwrap(), b"the person's key");
    }
}

#[test]
fn a_room_is_for_two_in_turns_for_five_minutes() {
    let [new, old, third] = [1, 2, 3].map(|byte| RoomPass::from_bytes([byte; 16]));
    let mut room = Room::open(new.clone(), NOW_MS);
    let message = || vec![1; 10];
    assert_eq!(
        room.post(&old, message(), NOW_MS),
        Err(RoomRefused::Stranger)
    );
    assert_eq!(room.join(new.clone(), NOW_MS), Err(RoomRefused::Full));
    room.join(old.clone(), NOW_MS).unwrap();
    assert_eq!(room.join(third.clone(), NOW_MS), Err(RoomRefused::Full));
    assert_eq!(room.read(&third, 0, NOW_MS), Err(RoomRefused::Stranger));
    assert_eq!(
        room.post(&third, message(), NOW_MS),
        Err(RoomRefused::Stranger)
    );

    assert_eq!(
        room.post(&new, message(), NOW_MS),
        Err(RoomRefused::OutOfTurn)
    );
    room.post(&old, message(), NOW_MS).unwrap();
    assert_eq!(
        room.post(&old, message(), NOW_MS),
        Err(RoomRefused::OutOfTurn)
    );
    for length in [0, MAX_MESSAGE_BYTES + 1] {
        let refused = room.post(&new, vec![1; length], NOW_MS);
        assert_eq!(refused, Err(RoomRefused::Length));
    }
    for pass in [&new, &old, &new, &old] {
        room.post(pass, vec![1; MAX_MESSAGE_BYTES], NOW_MS).unwrap();
    }
    for pass in [&new, &old] {
        assert_eq!(
            room.post(pass, message(), NOW_MS),
            Err(RoomRefused::OutOfTurn)
        );
    }

    let end_ms = NOW_MS + 5 * 60 * 1000;
    assert_eq!(end_ms, NOW_MS + ROOM_LIFETIME_MS);
    assert!(room.read(&new, 4, end_ms - 1).unwrap().is_some());
    assert_eq!(room.read(&new, 4, end_ms), Err(RoomRefused::Expired));
    assert_eq!(
        room.post(&old, message(), end_ms),
        Err(RoomRefused::Expired)
    );
    let mut empty = Room::open(new, NOW_MS);
    assert_eq!(empty.join(old, end_ms), Err(RoomRefused::Expired));
}

/// Somebody who is no device of ours, with his own key and arithmetic.
struct Stranger {
    secret: StaticSecret,
    part: Vec<u8>,
}

impl Stranger {
    fn new() -> Self {
        let mut bytes = [0; 64];
        OsEntropy.fill(&mut bytes).unwrap();
        let scalar: [u8; 32] = bytes[..32].try_into().unwrap();
        let secret = StaticSecret::from(scalar);
        let public = PublicKey::from(&secret);
        let part = [&public.to_bytes()[..], &bytes[32..]].concat();
        Self { secret, part }
    }

    /// Answers Hello as a new device does; gives it, and the digits.
    fn hello(&self, place: &[u8], commitment: &[u8], old: &[u8], secret: &[u8]) -> Agreed {
        let said = [place, commitment, &self.part, old].concat();
        let transcript = Sha256::digest(Label::ProvisionTranscript.bind(&said));
        let theirs: [u8; 32] = old[..32].try_into().unwrap();
        let shared = self.secret.diffie_hellman(&PublicKey::from(theirs));
        let ikm = [&shared.to_bytes()[..], secret].concat();
        let hkdf = Hkdf::<Sha256>::new(None, &ikm);
        let (mut keys, mut digits) = ([0; 64], [0; 8]);
        hkdf.expand(&Label::ProvisionSession.bind(&transcript), &mut keys)
            .unwrap();
        hkdf.expand(&Label::ProvisionSas.bind(&transcript), &mut digits)
            .unwrap();
        let key: [u8; 32] = keys[32..].try_into().unwrap();
        let nonce = [7; 24];
        let payload = Payload {
            msg: b"a stranger's card",
            aad: &Label::ProvisionMessage.bind(&[4]),
        };
        let sealed = XChaCha20Poly1305::new(&key.into())
            .encrypt(&XNonce::from(nonce), payload)
            .unwrap();
        Agreed {
            hello: message(4, &[&nonce[..], &sealed].concat()),
            digits: format!("{:06}", u64::from_be_bytes(digits) % 1_000_000),
        }
    }
}

struct Agreed {
    hello: Vec<u8>,
    digits: String,
}

fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    [b"HLPM\x01", &[kind][..], content].concat()
}

fn place(invitation: &Invitation) -> Vec<u8> {
    let kind = invitation.kind() as u8;
    [&[kind], &invitation.room().as_bytes()[..]].concat()
}

#[test]
fn whoever_swaps_the_keys_is_seen_in_the_digits() {
    for _ in 0..40 {
        let new = invite(InvitationKind::Typed);
        let place = place(new.invitation());
        let (old, commit) = join(new.invitation());
        // Towards the old device the stranger is the new one …
        let stranger = Stranger::new();
        let (old, reveal) = old.receive_share(&message(2, &stranger.part)).unwrap();
        let agreed = stranger.hello(&place, &commit[FRONT..], &reveal[FRONT..], b"");
        let old = old.receive_hello(&agreed.hello).unwrap();
        // … and towards the new device another old one.
        let (accomplice, commit) = join(new.invitation());
        let (new, share) = new.receive_commit(&commit).unwrap();
        let (_, reveal) = accomplice.receive_share(&share).unwrap();
        let (new, _) = new
            .receive_reveal(&reveal, b"card", &mut OsEntropy)
            .unwrap();
        // The person types what the new device shows.
        let refused = old.confirm(&new.digits().reveal()).unwrap_err();
        assert_eq!(refused, ProvisionError::DigitsDiffer);
    }
}

#[test]
fn the_stranger_s_arithmetic_is_right_so_that_only_the_digits_stop_him() {
    let new = invite(InvitationKind::Typed);
    let place = place(new.invitation());
    let (old, commit) = join(new.invitation());
    let stranger = Stranger::new();
    let (old, reveal) = old.receive_share(&message(2, &stranger.part)).unwrap();
    let agreed = stranger.hello(&place, &commit[FRONT..], &reveal[FRONT..], b"");
    let old = old.receive_hello(&agreed.hello).unwrap();
    let fooled = old.confirm(&agreed.digits).unwrap();
    assert_eq!(fooled.hello(), b"a stranger's card");
}

#[test]
fn a_key_chosen_after_the_other_was_seen_breaks_the_commitment() {
    for kind in KINDS {
        let new = invite(kind);
        let shown = new.invitation().clone();
        let (_, commit) = join(&shown);
        let (new, share) = new.receive_commit(&commit).unwrap();
        // With the new device's key known, a stranger would search for digits.
        let (better, _) = join(&shown);
        let (_, reveal) = better.receive_share(&share).unwrap();
        let refused = new.receive_reveal(&reveal, b"card", &mut OsEntropy);
        assert_eq!(refused.unwrap_err(), ProvisionError::CommitmentBroken);
    }
}

fn new_invitation(kind: InvitationKind) -> Invitation {
    invite(kind).invitation().clone()
}

#[test]
fn a_scanned_device_cannot_be_replaced() {
    let new = invite(InvitationKind::Scanned);
    let place = place(new.invitation());
    let (old, _) = join(new.invitation());
    let refused = old
        .receive_share(&message(2, &Stranger::new().part))
        .unwrap_err();
    assert_eq!(refused, ProvisionError::NotTheScannedDevice);

    // Nor can anybody speak for it who only saw its key.
    let (old, commit) = join(new.invitation());
    let (_, share) = new.receive_commit(&commit).unwrap();
    let (old, reveal) = old.receive_share(&share).unwrap();
    let agreed = Stranger::new().hello(&place, &commit[FRONT..], &reveal[FRONT..], b"");
    let refused = old.receive_hello(&agreed.hello).unwrap_err();
    assert_eq!(refused, ProvisionError::Refused);
}

#[test]
fn points_of_small_order_are_refused_on_both_sides() {
    let mut one = [0; 32];
    one[0] = 1;
    for point in [[0; 32], one] {
        let part = [&point[..], &[5; 32]].concat();
        let new = invite(InvitationKind::Typed);
        let (old, _) = join(new.invitation());
        let refused = old.receive_share(&message(2, &part)).unwrap_err();
        assert_eq!(refused, ProvisionError::UnsafeKey);

        let context = [place(new.invitation()), part.clone()].concat();
        let commitment = Sha256::digest(Label::ProvisionCommit.bind(&context));
        let (new, _) = new.receive_commit(&message(1, &commitment)).unwrap();
        let reveal = message(3, &part);
        let refused = new
            .receive_reveal(&reveal, b"card", &mut OsEntropy)
            .unwrap_err();
        assert_eq!(refused, ProvisionError::UnsafeKey);
    }
}

/// A conversation up to the payload.
fn finished() -> (crypto::provisioning::NewDeviceWaiting, Vec<u8>, Vec<u8>) {
    let new = invite(InvitationKind::Typed);
    let (old, commit) = join(new.invitation());
    let (new, share) = new.receive_commit(&commit).unwrap();
    let (old, reveal) = old.receive_share(&share).unwrap();
    let (new, hello) = new
        .receive_reveal(&reveal, b"card", &mut OsEntropy)
        .unwrap();
    let old = old.receive_hello(&hello).unwrap();
    let old = old.confirm(&new.digits().reveal()).unwrap();
    let payload = old.send(b"payload", &mut OsEntropy).unwrap();
    (new, hello, payload)
}

#[test]
fn what_was_said_elsewhere_is_not_believed_here() {
    let (_, _, payload) = finished();
    let (new, hello, _) = finished();
    assert_eq!(
        new.receive_payload(&payload).unwrap_err(),
        ProvisionError::Refused
    );
    // The device's own words are no payload, even under another kind.
    let (new, _, _) = finished();
    assert_eq!(
        new.receive_payload(&hello).unwrap_err(),
        ProvisionError::Unexpected
    );
    let (new, hello, _) = finished();
    let renamed = message(5, &hello[FRONT..]);
    assert_eq!(
        new.receive_payload(&renamed).unwrap_err(),
        ProvisionError::Refused
    );
    let (new, _, mut payload) = finished();
    payload[4] = 2;
    let refused = new.receive_payload(&payload).unwrap_err();
    assert_eq!(refused, ProvisionError::UnknownVersion(2));
}

/// The same key and secret, and the old device is led into another room.
#[test]
fn an_invitation_whose_room_is_another_ends_it() {
    for kind in KINDS {
        let new = invite(kind);
        let elsewhere = match kind {
            InvitationKind::Scanned => {
                // Of the Base32, characters 8 to 33 are of the room alone.
                let mut text = new.invitation().reveal().to_string();
                let other = if text[20..].starts_with('7') {
                    "8"
                } else {
                    "7"
                };
                text.replace_range(20..21, other);
                Invitation::scan(&text).unwrap()
            }
            InvitationKind::Typed => read(invite(kind).invitation()),
        };
        assert_ne!(elsewhere.room(), new.invitation().room());
        let (old, commit) = OldDevice::join(elsewhere, &mut OsEntropy).unwrap();
        let (new, share) = new.receive_commit(&commit).unwrap();
        let (_, reveal) = old.receive_share(&share).unwrap();
        let refused = new.receive_reveal(&reveal, b"card", &mut OsEntropy);
        assert_eq!(refused.unwrap_err(), ProvisionError::CommitmentBroken);
    }
}

#[test]
fn an_altered_payload_is_refused_wherever_it_was_altered() {
    let (_, _, payload) = finished();
    for place in 0..payload.len() {
        let (new, _, mut payload) = finished();
        payload[place] ^= 1;
        assert!(new.receive_payload(&payload).is_err(), "byte {place}");
    }
}

#[test]
fn too_much_to_send_is_said_before_it_is_sent() {
    let new = invite(InvitationKind::Typed);
    let (old, commit) = join(new.invitation());
    let (new, share) = new.receive_commit(&commit).unwrap();
    let (_, reveal) = old.receive_share(&share).unwrap();
    let long = vec![0; MAX_SEALED_BYTES + 1];
    let refused = new
        .receive_reveal(&reveal, &long, &mut OsEntropy)
        .unwrap_err();
    let given = long.len();
    assert_eq!(refused, ProvisionError::TooLong { given });
}

#[test]
fn a_new_device_written_from_the_page_comes_in() {
    for kind in KINDS {
        let number = (kind as u8).to_string();
        let mut child = start("provisioning_peer.py", &[&number, "a card from Python"]);
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut hear = || stdout.next().unwrap().unwrap();
        let mut say = |message: &[u8]| writeln!(stdin, "{}", hex(message)).unwrap();
        let shown = hear();
        let invitation = match kind {
            InvitationKind::Scanned => Invitation::scan(&shown).unwrap(),
            InvitationKind::Typed => Invitation::enter(&shown).unwrap(),
        };
        let (old, commit) = OldDevice::join(invitation, &mut OsEntropy).unwrap();
        say(&commit);
        let (old, reveal) = old.receive_share(&unhex(&hear())).unwrap();
        say(&reveal);
        let old = old.receive_hello(&unhex(&hear())).unwrap();
        let old = old.confirm(&hear()).unwrap();
        assert_eq!(old.hello(), b"a card from Python");
        say(&old.send(b"to Python", &mut OsEntropy).unwrap());
        assert_eq!(unhex(&hear()), b"to Python");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn what_is_no_invitation_is_said_so() {
    let shown = new_invitation(InvitationKind::Scanned).reveal().to_string();
    for text in ["", "https://example.org", &shown[1..], &format!("{shown}0")] {
        let refused = Invitation::scan(text).unwrap_err();
        assert_eq!(refused, ProvisionError::NotAnInvitation);
    }
    let code = new_invitation(InvitationKind::Typed).reveal().to_string();
    let first = if code.starts_with('7') { '8' } else { '7' };
    let mistyped = format!("{first}{}", &code[1..]);
    let refused = Invitation::enter(&mistyped).unwrap_err();
    assert!(matches!(refused, ProvisionError::Code(_)));
    assert!(!format!("{:?}", invite(InvitationKind::Scanned)).contains(&shown));
}

proptest! {
    #[test]
    fn no_text_and_no_message_makes_a_panic(text: String, input: Vec<u8>, kind in 1_u8..6) {
        prop_assert!(Invitation::scan(&text).is_err());
        prop_assert!(Invitation::enter(&text).is_err());
        let framed = message(kind, &input);
        for bytes in [&input, &framed] {
            if bytes.len() != FRONT + 32 {
                prop_assert!(invite(InvitationKind::Typed).receive_commit(bytes).is_err());
            }
            if bytes.len() == FRONT + 64 {
                continue;
            }
            let (old, commit) = join(&new_invitation(InvitationKind::Typed));
            prop_assert!(old.receive_share(bytes).is_err());
            let (new, _) = invite(InvitationKind::Typed).receive_commit(&commit).unwrap();
            prop_assert!(new.receive_reveal(bytes, b"", &mut OsEntropy).is_err());
        }
    }
}
