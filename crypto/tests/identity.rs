//! What a person notices of identities: logging in, adding and losing devices,
//! opening one's own records; and what a thief or a lying server gets.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::BTreeSet;

use crypto::cobblestone::ContentKey;
use crypto::identity::{
    ChainHead, DeviceCard, DeviceKeys, ItemsKey, LOGIN_LIFETIME_MAX_MS, LoginChallenge, LoginError,
    LoginProof, MAX_LIVE_DEVICES, Puk, PukError, REQUEST_WINDOW_MS, RequestFacts, RequestProof,
    Sigchain, SigchainError, TransportAttestation,
};
use crypto::{DeviceId, HubId, OsEntropy, RecordId, UserId};
use proptest::prelude::*;

const ORIGIN: &str = "https://hotline.example";

fn keys(device: u8) -> DeviceKeys {
    let (user, id) = (
        UserId::from_bytes([1; 16]),
        DeviceId::from_bytes([device; 16]),
    );
    DeviceKeys::from_seed(user, id, &[device; 32])
}

fn person() -> (DeviceKeys, Sigchain, Puk) {
    let phone = keys(1);
    let mut chain = Sigchain::create(&phone, 1).unwrap();
    let puk = chain.rotate_puk(&phone, None, 2, &mut OsEntropy).unwrap();
    (phone, chain, puk)
}

fn challenge(expires_at_ms: u64) -> LoginChallenge {
    LoginChallenge::new(ORIGIN, keys(1).device(), expires_at_ms, &mut OsEntropy).unwrap()
}

#[test]
fn a_login_is_good_once() {
    let phone = keys(1);
    let challenge = challenge(60_000);
    let mut given_out = BTreeSet::from([*challenge.nonce()]);
    let sent = challenge.answer(&phone, ORIGIN, 1_000).unwrap().encode();
    let proof = LoginProof::decode(&sent).unwrap();
    assert_eq!(proof.device(), phone.device());
    let key = phone.signing_key().verifying_key();
    let mut log_in =
        |key, origin, now| proof.verify(key, origin, now, |nonce| given_out.remove(nonce));
    // What fails must not use up the nonce.
    let other = keys(2).signing_key().verifying_key();
    assert_eq!(log_in(&other, ORIGIN, 2_000), Err(LoginError::BadSignature));
    let elsewhere = log_in(&key, "https://hotline.example.evil", 2_000);
    assert_eq!(elsewhere, Err(LoginError::OtherOrigin));
    assert_eq!(log_in(&key, ORIGIN, 60_000), Err(LoginError::Expired));
    assert_eq!(log_in(&key, ORIGIN, 2_000), Ok(()));
    assert_eq!(log_in(&key, ORIGIN, 2_001), Err(LoginError::Replayed));
}

#[test]
fn a_device_signs_no_challenge_that_is_not_for_it_here_and_now() {
    let phone = keys(1);
    let challenge = challenge(400_000);
    let refusal = |keys: &DeviceKeys, origin, now| challenge.answer(keys, origin, now).unwrap_err();
    let now = 400_000 - LOGIN_LIFETIME_MAX_MS;
    // A phishing site passes on the real server's challenge.
    let phished = refusal(&phone, "https://hot1ine.example", now);
    assert_eq!(phished, LoginError::OtherOrigin);
    assert_eq!(refusal(&keys(2), ORIGIN, now), LoginError::OtherDevice);
    assert_eq!(refusal(&phone, ORIGIN, 400_000), LoginError::Expired);
    assert_eq!(refusal(&phone, ORIGIN, now - 1), LoginError::TooLongValid);
    assert!(challenge.answer(&phone, ORIGIN, now).is_ok());
}

#[test]
fn a_signed_request_is_worth_nothing_for_another_request() {
    let phone = keys(1);
    let key = phone.signing_key().verifying_key();
    let facts = |method, path, body, token| RequestFacts::new(method, path, body, token).unwrap();
    let signed = facts("POST", "/notes", b"body", b"token");
    let now = 10 * REQUEST_WINDOW_MS;
    let sent = signed.sign(&phone, now, &mut OsEntropy).unwrap().encode();
    let proof = RequestProof::decode(&sent).unwrap();
    let mut seen = BTreeSet::new();
    let mut check =
        |facts: &RequestFacts, now| proof.verify(facts, &key, now, |nonce| seen.insert(*nonce));
    for other in [
        facts("PUT", "/notes", b"body", b"token"),
        facts("POST", "/note", b"sbody", b"token"),
        facts("POST", "/notes?all", b"body", b"token"),
        facts("POST", "/notes", b"bodx", b"token"),
        facts("POST", "/notes", b"body", b"stolen"),
    ] {
        assert_eq!(check(&other, now), Err(LoginError::BadSignature));
    }
    for late in [now + REQUEST_WINDOW_MS + 1, now - REQUEST_WINDOW_MS - 1] {
        assert_eq!(check(&signed, late), Err(LoginError::ClockSkew));
    }
    assert_eq!(check(&signed, now + REQUEST_WINDOW_MS), Ok(()));
    assert_eq!(check(&signed, now), Err(LoginError::Replayed));
}

#[test]
fn every_live_device_opens_every_generation_and_a_revoked_one_no_later() {
    let (phone, mut chain, first) = person();
    let (laptop, tablet) = (keys(2), keys(3));
    let e = &mut OsEntropy;
    let second = chain.rotate_puk(&phone, Some(&first), 3, e).unwrap();
    for new in [&laptop, &tablet] {
        chain
            .add_device(&phone, &new.card(), Some(&second), 4, e)
            .unwrap();
    }
    chain.revoke_device(&laptop, tablet.device(), 5).unwrap();
    assert!(chain.state().puk_rotation_due());
    // Still sealed to it: that is why a rotation is due.
    assert_eq!(chain.open_puk(&tablet).unwrap().current().generation(), 2);
    let third = chain.rotate_puk(&laptop, Some(&second), 6, e).unwrap();
    assert!(!chain.state().puk_rotation_due());
    let chain = Sigchain::decode(&chain.encode()).unwrap();
    for keys in [&phone, &laptop] {
        let ring = chain.open_puk(keys).unwrap();
        for (generation, made) in [(1, &first), (2, &second), (3, &third)] {
            let opened = ring.generation(generation).unwrap();
            assert_eq!(opened.reader(), made.reader());
            assert_eq!(chain.state().reader_of(generation), Some(made.reader()));
        }
        assert_eq!(ring.generation(0).unwrap_err(), PukError::NoGeneration(0));
        assert_eq!(ring.generation(4).unwrap_err(), PukError::NoGeneration(4));
    }
    assert_eq!(chain.state().reader(), Some(third.reader()));
    assert_eq!(
        chain.open_puk(&tablet).unwrap_err(),
        PukError::NotForThisDevice
    );
    // A thief with the tablet's id and another's seed opens nothing either.
    let thief = DeviceKeys::from_seed(phone.user(), phone.device(), &[9; 32]);
    assert_eq!(chain.open_puk(&thief).unwrap_err(), PukError::Refused(3));
}

#[test]
fn a_chain_is_not_continued_with_an_old_key_or_for_a_stranger() {
    let (phone, mut chain, first) = person();
    let e = &mut OsEntropy;
    chain.rotate_puk(&phone, Some(&first), 3, e).unwrap();
    let before = chain.clone();
    let card = keys(2).card();
    for outdated in [None, Some(&first)] {
        let added = chain.add_device(&phone, &card, outdated, 4, e);
        assert_eq!(added, Err(SigchainError::PukNeeded));
        let rotated = chain.rotate_puk(&phone, outdated, 4, e).map(|_| ());
        assert_eq!(rotated, Err(SigchainError::PukNeeded));
    }
    let user = UserId::from_bytes([2; 16]);
    let stranger = DeviceKeys::from_seed(user, card.device(), &[2; 32]).card();
    let added = chain.add_device(&phone, &stranger, Some(&first), 4, e);
    assert_eq!(added, Err(SigchainError::BadCard));
    let last = chain.revoke_device(&phone, phone.device(), 4);
    assert_eq!(last, Err(SigchainError::LastDevice));
    let unknown = chain.revoke_device(&phone, card.device(), 4);
    assert_eq!(unknown, Err(SigchainError::NoSuchDevice));
    assert_eq!(chain, before);
}

#[test]
fn a_person_has_a_limited_number_of_devices_at_a_time() {
    let phone = keys(1);
    let mut chain = Sigchain::create(&phone, 1).unwrap();
    let mut add =
        |device: u8| chain.add_device(&phone, &keys(device).card(), None, 2, &mut OsEntropy);
    for device in 2..=MAX_LIVE_DEVICES as u8 {
        add(device).unwrap();
    }
    assert_eq!(add(200), Err(SigchainError::TooManyDevices));
}

#[test]
fn a_content_key_opens_for_its_revision_only_and_moves_to_the_next_generation() {
    let (phone, mut chain, first) = person();
    let e = &mut OsEntropy;
    let old = ItemsKey::generate(&first, e).unwrap();
    let key = ContentKey::generate(e).unwrap();
    let (record, body) = (RecordId::from_bytes([5; 16]), [7; 32]);
    let wrap = old.wrap_content_key(record, 1, &body, &key, e).unwrap();
    let refused = Some(PukError::ContentKeyRefused);
    let other = RecordId::from_bytes([6; 16]);
    assert_eq!(
        old.unwrap_content_key(other, 1, &body, &wrap).err(),
        refused
    );
    assert_eq!(
        old.unwrap_content_key(record, 2, &body, &wrap).err(),
        refused
    );
    let swapped = old.unwrap_content_key(record, 1, &[8; 32], &wrap);
    assert_eq!(swapped.err(), refused);
    assert!(old.unwrap_content_key(record, 1, &body, &wrap).is_ok());

    let second = chain.rotate_puk(&phone, Some(&first), 3, e).unwrap();
    let new = ItemsKey::generate(&second, e).unwrap();
    assert_eq!(
        new.unwrap_content_key(record, 1, &body, &wrap).err(),
        refused
    );
    let key = old.unwrap_content_key(record, 1, &body, &wrap).unwrap();
    let moved = new.wrap_content_key(record, 1, &body, &key, e).unwrap();
    assert!(new.unwrap_content_key(record, 1, &body, &moved).is_ok());
    assert_eq!(
        old.unwrap_content_key(record, 1, &body, &moved).err(),
        refused
    );
}

#[test]
fn an_items_key_opens_with_its_own_generation_only() {
    let (phone, mut chain, first) = person();
    let e = &mut OsEntropy;
    let second = chain.rotate_puk(&phone, Some(&first), 3, e).unwrap();
    let items = ItemsKey::generate(&first, e).unwrap();
    let sealed = items.seal(&first, e).unwrap();
    assert_eq!(sealed.len(), ItemsKey::SEALED_BYTES);
    assert_eq!(ItemsKey::generation_of(&sealed), Ok(1));
    assert_eq!(ItemsKey::open(&first, &sealed).unwrap().generation(), 1);
    let refused = Some(PukError::ItemsKeyRefused);
    assert_eq!(ItemsKey::open(&second, &sealed).err(), refused);
    assert!(items.seal(&second, e).is_err());
    let mut relabelled = sealed.clone();
    relabelled[24] = 2;
    assert_eq!(ItemsKey::open(&second, &relabelled).err(), refused);
    for place in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[place] ^= 1;
        assert!(ItemsKey::open(&first, &altered).is_err(), "byte {place}");
    }
}

#[test]
fn a_seed_is_its_device_s_only_and_each_hub_epoch_has_its_own_relay_key() {
    let (one, again, other) = (keys(1), keys(1), keys(2));
    assert_eq!(one.card(), again.card());
    assert_ne!(one.card().sign_key(), other.card().sign_key());
    assert_ne!(one.card().hpke_key(), other.card().hpke_key());
    let relay_key = |keys: &DeviceKeys, hub, epoch| {
        let hub = HubId::from_bytes([hub; 16]);
        *keys.transport_key(hub, epoch).public_key().as_bytes()
    };
    let keys = BTreeSet::from([
        relay_key(&one, 1, 1),
        relay_key(&one, 1, 2),
        relay_key(&one, 2, 1),
        relay_key(&other, 1, 1),
    ]);
    assert_eq!(keys.len(), 4);
    assert_eq!(relay_key(&again, 1, 2), relay_key(&one, 1, 2));
}

#[test]
fn an_attestation_stands_by_itself() {
    let phone = keys(1);
    let hub = HubId::from_bytes([7; 16]);
    let made = TransportAttestation::new(&phone, hub, 3, &mut OsEntropy).unwrap();
    let read = TransportAttestation::decode(&made.encode()).unwrap();
    let key = phone.signing_key().verifying_key();
    assert_eq!(read.verify(&key), Ok(()));
    assert_eq!((read.hub(), read.epoch()), (hub, 3));
    assert_eq!(read.key(), &phone.transport_key(hub, 3).public_key());
    let other = keys(2).signing_key().verifying_key();
    assert_eq!(read.verify(&other), Err(SigchainError::BadAttestation));
    let bytes = made.encode();
    for place in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[place] ^= 1;
        let verdict = TransportAttestation::decode(&altered).and_then(|read| read.verify(&key));
        assert!(verdict.is_err(), "byte {place}");
    }
}

#[test]
fn no_secret_is_shown() {
    let (phone, _, puk) = person();
    let items = ItemsKey::generate(&puk, &mut OsEntropy).unwrap();
    let facts = RequestFacts::new("GET", "/notes/7", b"", b"secret").unwrap();
    let shown = format!("{phone:?} {puk:?} {items:?} {facts:?}");
    let user = phone.user();
    let expected = format!(
        "DeviceKeys(… of {} of {user}) Puk(… generation 1 of {user}) \
         ItemsKey(… generation 1 of {user}) RequestFacts(GET …)",
        phone.device()
    );
    assert_eq!(shown, expected);
}

/// A chain with an entry of every type.
fn full_chain() -> Vec<u8> {
    let (phone, mut chain, first) = person();
    let (laptop, e) = (keys(2), &mut OsEntropy);
    let hub = HubId::from_bytes([7; 16]);
    chain
        .add_device(&phone, &laptop.card(), Some(&first), 3, e)
        .unwrap();
    chain.attest_transport_key(&laptop, hub, 1, 4, e).unwrap();
    chain.rotate_puk(&laptop, Some(&first), 5, e).unwrap();
    chain.revoke_device(&laptop, phone.device(), 6).unwrap();
    chain.encode()
}

#[test]
fn a_chain_that_is_cut_or_carries_more_is_refused() {
    let bytes = full_chain();
    let chain = Sigchain::decode(&bytes).unwrap();
    assert_eq!(chain.encode(), bytes);
    for end in 0..bytes.len() {
        assert!(Sigchain::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
    assert!(Sigchain::decode(&[&bytes[..], &[0]].concat()).is_err());
    let head = chain.head();
    assert_eq!(ChainHead::decode(&head.encode()), head);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_are_refused_and_never_panic(
        magic in prop::sample::select(vec![
            &b"HLSC"[..], b"HLSL", b"HLDC", b"HLTA", b"HLLC", b"HLLP", b"HLRP", b"HLIK", b"",
        ]),
        version in 0_u8..3,
        rest in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let bytes = [magic, &[version], &rest].concat();
        prop_assert!(Sigchain::decode(&bytes).is_err());
        prop_assert!(Sigchain::from_links([&bytes]).is_err());
        prop_assert!(DeviceCard::decode(&bytes).is_err());
        // These two are mostly free of structure: only panics would be news.
        let _ = TransportAttestation::decode(&bytes);
        let _ = (LoginProof::decode(&bytes), RequestProof::decode(&bytes));
        if let Ok(challenge) = LoginChallenge::decode(&bytes) {
            prop_assert_eq!(challenge.encode(), bytes.clone());
        }
        prop_assert!(ItemsKey::open(&person().2, &bytes).is_err());
    }

    #[test]
    fn a_valid_chain_with_one_bit_changed_is_refused(at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = full_chain();
        let place = at.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        prop_assert!(Sigchain::decode(&bytes).is_err());
    }

    #[test]
    fn a_card_with_one_bit_changed_is_refused(at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = keys(1).card().encode();
        prop_assert_eq!(DeviceCard::decode(&bytes).unwrap(), keys(1).card());
        let place = at.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        prop_assert!(DeviceCard::decode(&bytes).is_err());
    }
}
