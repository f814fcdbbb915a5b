//! What a server that wants to read along can try with a sigchain.
//!
//! The server has every byte ever sent and its own keys, but no device's.

use super::link::{LinkBody, Payload};
use super::*;
use crate::OsEntropy;
use crate::identity::subkey::{Subkey, attested};
use crate::primitive::hash;

struct Person {
    phone: DeviceKeys,
    laptop: DeviceKeys,
    puk: Puk,
    chain: Sigchain,
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

fn keys(user: UserId, device: u8, seed: u8) -> DeviceKeys {
    DeviceKeys::from_seed(user, DeviceId::from_bytes([device; 16]), &[seed; 32])
}

/// A phone, a first key, and a laptop that was added later.
fn person() -> Person {
    let phone = keys(user(1), 1, 11);
    let laptop = keys(user(1), 2, 12);
    let mut chain = Sigchain::create(&phone, 1_000).unwrap();
    let puk = chain
        .rotate_puk(&phone, None, 2_000, &mut OsEntropy)
        .unwrap();
    chain
        .add_device(&phone, &laptop.card(), Some(&puk), 3_000, &mut OsEntropy)
        .unwrap();
    Person {
        phone,
        laptop,
        puk,
        chain,
    }
}

/// The next entry as `signer` would write it, whatever the rules say.
fn forged(chain: &Sigchain, signer: &DeviceKeys, payload: Payload) -> Vec<u8> {
    let body = LinkBody {
        user: chain.user(),
        seqno: chain.head().seqno + 1,
        prev: chain.head().hash,
        time_ms: 9_000,
        signer: signer.device(),
        payload,
    };
    body.sign(signer.signing_key())
}

/// The server's verdict on an entry; a refused entry must leave no trace.
fn offer(chain: &Sigchain, link: &[u8]) -> SigchainError {
    let mut target = chain.clone();
    let refusal = target.append(link).unwrap_err();
    assert_eq!(&target, chain);
    refusal
}

fn add(card: DeviceCard, puk: &Puk) -> Payload {
    let wrap = puk
        .wrap_for(card.device, &card.hpke_key, &mut OsEntropy)
        .unwrap();
    Payload::Add {
        card,
        puk: Some((puk.generation(), wrap)),
    }
}

#[test]
fn the_server_cannot_add_a_device_of_its_own() {
    let person = person();
    // The server knows no seed, so it wraps whatever it likes.
    let bait = Puk::generate(user(1), 1, &mut OsEntropy).unwrap();
    let spy = keys(user(1), 9, 99);
    let payload = add(spy.card(), &bait);
    assert_eq!(
        offer(&person.chain, &forged(&person.chain, &spy, payload.clone())),
        SigchainError::UnknownSigner { seqno: 4 }
    );
    // It says that the phone signed, and signs itself.
    let posing = keys(user(1), 1, 99);
    assert_eq!(
        offer(&person.chain, &forged(&person.chain, &posing, payload)),
        SigchainError::BadSignature { seqno: 4 }
    );
}

#[test]
fn a_device_joins_only_with_its_own_signature_for_this_person() {
    let person = person();
    let tablet = keys(user(1), 3, 13);
    let refusal = |card: DeviceCard| {
        let payload = add(card, &person.puk);
        offer(
            &person.chain,
            &forged(&person.chain, &person.phone, payload),
        )
    };
    let mut unsigned = tablet.card();
    unsigned.attestation = person.phone.card().attestation;
    assert_eq!(refusal(unsigned), SigchainError::BadCard);
    let mut swapped = tablet.card();
    swapped.hpke_key = *keys(user(1), 3, 14).hpke_key().public_key();
    assert_eq!(refusal(swapped), SigchainError::BadCard);
    // A device that said yes to somebody else.
    let mut others = keys(user(2), 3, 13).card();
    others.user = user(1);
    assert_eq!(refusal(others), SigchainError::BadCard);
}

#[test]
fn a_revoked_device_can_neither_sign_nor_come_back() {
    let Person {
        phone,
        laptop,
        puk,
        mut chain,
    } = person();
    assert!(!chain.state().puk_rotation_due());
    chain.revoke_device(&laptop, phone.device(), 4_000).unwrap();
    assert!(chain.state().puk_rotation_due());
    let revoke = Payload::Revoke(laptop.device());
    assert_eq!(
        offer(&chain, &forged(&chain, &phone, revoke)),
        SigchainError::RevokedSigner { seqno: 5 }
    );
    // With all of its old keys; with its old id; with one old key under a new id.
    let renamed = |signing: &DeviceKeys, sealing: &DeviceKeys| {
        let device = DeviceId::from_bytes([5; 16]);
        let sign_key = signing.signing_key().verifying_key();
        let hpke_key = *sealing.hpke_key().public_key();
        let message = attested(user(1), device, &sign_key, Subkey::Hpke(&hpke_key));
        DeviceCard {
            user: user(1),
            device,
            sign_key,
            hpke_key,
            attestation: signing.signing_key().sign(&message),
        }
    };
    let new = keys(user(1), 1, 15);
    for card in [
        phone.card(),
        new.card(),
        renamed(&phone, &new),
        renamed(&new, &phone),
    ] {
        let link = forged(&chain, &laptop, add(card, &puk));
        assert_eq!(offer(&chain, &link), SigchainError::DeviceKnown);
    }
    let link = forged(&chain, &laptop, add(renamed(&new, &new), &puk));
    chain.append(&link).unwrap();
}

#[test]
fn entries_cannot_be_left_out_repeated_swapped_or_taken_from_another_chain() {
    let person = person();
    let links: Vec<&[u8]> = person.chain.links().collect();
    let refusal = |order: &[usize]| {
        Sigchain::from_links(order.iter().map(|place| links[*place])).unwrap_err()
    };
    let gap = |expected, found| SigchainError::Gap { expected, found };
    assert_eq!(refusal(&[0, 2]), gap(2, 3));
    assert_eq!(refusal(&[0, 1, 1]), gap(3, 2));
    assert_eq!(refusal(&[0, 2, 1]), gap(2, 3));
    assert_eq!(refusal(&[0, 0]), gap(2, 1));
    assert_eq!(refusal(&[1, 2]), SigchainError::NoEldest);
    assert_eq!(refusal(&[]), SigchainError::Empty);
    let stranger = Sigchain::create(&keys(user(2), 1, 21), 1_000).unwrap();
    let eldest = Payload::Eldest(person.phone.card());
    let foreign = forged(&stranger, &person.phone, eldest.clone());
    assert_eq!(
        offer(&person.chain, &foreign),
        SigchainError::OtherUser { seqno: 4 }
    );
    assert_eq!(
        offer(&person.chain, &forged(&person.chain, &person.phone, eldest)),
        SigchainError::SecondEldest { seqno: 4 }
    );
    // The right number after the wrong history.
    let mut other = Sigchain::create(&person.phone, 1_001).unwrap();
    other
        .rotate_puk(&person.phone, None, 2_000, &mut OsEntropy)
        .unwrap();
    let revoke = Payload::Revoke(person.laptop.device());
    let mut late = forged(&person.chain, &person.phone, revoke.clone());
    let body = LinkBody {
        user: user(1),
        seqno: 4,
        prev: other.head().hash,
        time_ms: 4_000,
        signer: person.phone.device(),
        payload: revoke,
    };
    assert_eq!(
        offer(&person.chain, &body.sign(person.phone.signing_key())),
        SigchainError::WrongPrev { seqno: 4 }
    );
    late.push(0);
    assert!(matches!(
        offer(&person.chain, &late),
        SigchainError::Malformed(_)
    ));
}

#[test]
fn an_older_or_another_history_is_noticed_by_whoever_saw_the_first() {
    let mut person = person();
    let before = person.chain.clone();
    let (phone, laptop) = (&person.phone, &person.laptop);
    person
        .chain
        .revoke_device(phone, laptop.device(), 4_000)
        .unwrap();
    let seen = person.chain.head();
    person.chain.check_contains(&before.head()).unwrap();
    person.chain.check_contains(&seen).unwrap();
    // The server withholds the revocation.
    assert_eq!(
        before.check_contains(&seen).unwrap_err(),
        SigchainError::Rollback
    );
    // A stolen laptop tells the story in which it is the phone that was revoked.
    let mut fork = before.clone();
    fork.revoke_device(laptop, phone.device(), 4_000).unwrap();
    assert_eq!(fork.check_contains(&seen), Err(SigchainError::Fork));
    let nothing = ChainHead {
        seqno: 0,
        hash: [0; 32],
    };
    assert_eq!(fork.check_contains(&nothing), Err(SigchainError::Fork));
    // A wholly new person under the same name.
    let impostor = Sigchain::create(&keys(user(1), 1, 99), 1_000).unwrap();
    let first = ChainHead {
        seqno: 1,
        hash: chain::link_hash(person.chain.links().next().unwrap()),
    };
    person.chain.check_contains(&first).unwrap();
    assert_eq!(impostor.check_contains(&first), Err(SigchainError::Fork));
}

#[test]
fn the_server_cannot_put_its_own_key_in_a_person_s_place() {
    let person = person();
    let its = Puk::generate(user(1), 1, &mut OsEntropy).unwrap();
    let named = person.chain.state().reader().unwrap();
    assert_eq!(named, person.puk.reader());
    // In the stored entry that made generation 1.
    let mut links: Vec<Vec<u8>> = person.chain.links().map(<[u8]>::to_vec).collect();
    let place = links[1]
        .windows(32)
        .position(|window| window == named.key.as_bytes())
        .unwrap();
    links[1][place..place + 32].copy_from_slice(its.reader().key.as_bytes());
    assert_eq!(
        Sigchain::from_links(&links).unwrap_err(),
        SigchainError::BadSignature { seqno: 2 }
    );
}

#[test]
fn a_device_that_names_one_key_and_gives_another_is_found_out() {
    let person = person();
    let [named, given] = [(); 2].map(|()| Puk::generate(user(1), 2, &mut OsEntropy).unwrap());
    let lie = |puk: &Puk| {
        let wraps = [&person.phone, &person.laptop].map(|keys| {
            let wrap = Puk::wrap_for(
                &given,
                keys.device(),
                keys.hpke_key().public_key(),
                &mut OsEntropy,
            );
            (keys.device(), wrap.unwrap())
        });
        let payload = Payload::Puk {
            generation: 2,
            key: puk.reader().key,
            wraps: wraps.to_vec(),
            previous: Some(given.box_previous(&person.puk, &mut OsEntropy).unwrap()),
        };
        let mut chain = person.chain.clone();
        chain
            .append(&forged(&chain, &person.laptop, payload))
            .unwrap();
        chain
            .open_puk(&person.phone)
            .map(|ring| ring.current().generation())
    };
    assert_eq!(lie(&given), Ok(2));
    // The wrap is bound to the public key that the entry names.
    assert_eq!(lie(&named), Err(PukError::Refused(2)));
}

#[test]
fn a_generation_skips_nothing_and_leaves_nobody_out() {
    let person = person();
    let next = Puk::generate(user(1), 2, &mut OsEntropy).unwrap();
    let wrap = |keys: &DeviceKeys| {
        let public = keys.hpke_key().public_key();
        let wrap = next.wrap_for(keys.device(), public, &mut OsEntropy);
        (keys.device(), wrap.unwrap())
    };
    let (phone, laptop) = (wrap(&person.phone), wrap(&person.laptop));
    let spy = wrap(&keys(user(1), 9, 99));
    let refusal = |generation, key, wraps: &[(DeviceId, link::Wrap)]| {
        let boxed = next.box_previous(&person.puk, &mut OsEntropy).unwrap();
        let payload = Payload::Puk {
            generation,
            key,
            wraps: wraps.to_vec(),
            previous: (generation > 1).then_some(boxed),
        };
        offer(
            &person.chain,
            &forged(&person.chain, &person.phone, payload),
        )
    };
    let (all, key) = ([phone, laptop], next.reader().key);
    for found in [0, 1, 3] {
        let expected = 2;
        assert_eq!(
            refusal(found, key, &all),
            SigchainError::PukGeneration { expected, found }
        );
    }
    for wraps in [&[][..], &[phone], &[laptop], &[phone, laptop, spy]] {
        assert_eq!(refusal(2, key, wraps), SigchainError::PukWraps);
    }
    assert!(matches!(
        refusal(2, key, &[laptop, phone]),
        SigchainError::Malformed(_)
    ));
    let old = person.puk.reader().key;
    assert_eq!(refusal(2, old, &all), SigchainError::PukKeyReused);
}

#[test]
fn a_new_device_is_given_the_newest_key_and_no_other() {
    let person = person();
    let card = keys(user(1), 3, 13).card();
    let older = Payload::Add { card, puk: None };
    let link = forged(&person.chain, &person.phone, older);
    let (expected, found) = (1, 0);
    assert_eq!(
        offer(&person.chain, &link),
        SigchainError::PukGeneration { expected, found }
    );
}

#[test]
fn nobody_can_claim_another_device_s_relay_key() {
    let mut person = person();
    let hub = HubId::from_bytes([7; 16]);
    person
        .chain
        .attest_transport_key(&person.phone, hub, 1, 4_000, &mut OsEntropy)
        .unwrap();
    let key = *person
        .chain
        .state()
        .transport_key(person.phone.device(), hub, 1)
        .unwrap();
    assert_eq!(key, person.phone.transport_key(hub, 1).public_key());
    // The laptop signs for the phone's key, and cannot make the key sign.
    let mut claim = TransportAttestation::new(&person.laptop, hub, 1, &mut OsEntropy).unwrap();
    claim.key = key;
    let subkey = Subkey::Transport(hub, 1, &key);
    let laptop = &person.laptop;
    let sign_key = laptop.signing_key().verifying_key();
    let message = attested(laptop.user(), laptop.device(), &sign_key, subkey);
    claim.by_device = laptop.signing_key().sign(&message);
    let own = laptop.transport_key(hub, 1);
    claim.by_key = own.sign(&hash(&message), &mut OsEntropy).unwrap();
    let link = forged(&person.chain, laptop, Payload::Subkey(claim));
    assert_eq!(offer(&person.chain, &link), SigchainError::BadAttestation);
    let again = TransportAttestation::new(&person.phone, hub, 1, &mut OsEntropy).unwrap();
    let link = forged(&person.chain, &person.phone, Payload::Subkey(again));
    assert_eq!(offer(&person.chain, &link), SigchainError::BadAttestation);
}

#[test]
fn a_stolen_device_cannot_take_the_older_keys_away() {
    let person = person();
    let next = Puk::generate(user(1), 2, &mut OsEntropy).unwrap();
    let wraps = [&person.phone, &person.laptop].map(|keys| {
        let public = keys.hpke_key().public_key();
        let wrap = next.wrap_for(keys.device(), public, &mut OsEntropy);
        (keys.device(), wrap.unwrap())
    });
    // The laptop boxes rubbish instead of the generation before.
    let rubbish = Puk::generate(user(1), 1, &mut OsEntropy).unwrap();
    let payload = Payload::Puk {
        generation: 2,
        key: next.reader().key,
        wraps: wraps.to_vec(),
        previous: Some(next.box_previous(&rubbish, &mut OsEntropy).unwrap()),
    };
    let mut chain = person.chain;
    let link = forged(&chain, &person.laptop, payload);
    chain.append(&link).unwrap();
    let ring = chain.open_puk(&person.phone).unwrap();
    let oldest = ring.generation(1).unwrap();
    assert_eq!(oldest.reader(), person.puk.reader());
    // A device that came too late for a wrap of its own says what is wrong.
    let tablet = keys(user(1), 3, 13);
    chain
        .add_device(
            &person.phone,
            &tablet.card(),
            Some(&next),
            9,
            &mut OsEntropy,
        )
        .unwrap();
    assert_eq!(chain.open_puk(&tablet).unwrap_err(), PukError::Swapped(1));
}

#[test]
fn a_chain_does_not_grow_for_ever() {
    let mut chain = person().chain;
    chain.state.head.seqno = MAX_SIGCHAIN_LINKS as u32;
    let revoke = Payload::Revoke(DeviceId::from_bytes([2; 16]));
    let link = forged(&chain, &keys(user(1), 1, 11), revoke);
    assert_eq!(offer(&chain, &link), SigchainError::TooLong);
    let file = [&b"HLSC\x01\x10\x01"[..], &[0; 5_000]].concat();
    assert_eq!(Sigchain::decode(&file), Err(SigchainError::TooLong));
}
