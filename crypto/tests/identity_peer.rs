//! A reader written from `docs/protocol/sigchain-v1.md` alone reads what this
//! crate writes, and refuses what it must; this crate reads what a writer
//! written from it makes, and refuses it with a byte changed.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod peer;

use crypto::cobblestone::{ContentKey, Decryptor};
use crypto::identity::{
    DeviceKeys, InviteProof, ItemsKey, LoginChallenge, Puk, RequestFacts, Sigchain,
};
use crypto::{DeviceId, Entropy, HubId, OsEntropy, RecordId, UserId};
use peer::{ask, hex, unhex};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const SCRIPT: &str = "read_sigchain.py";

struct Person {
    seed: [u8; 32],
    phone: DeviceKeys,
    laptop: DeviceKeys,
    chain: Sigchain,
    puk: Puk,
}

fn keys(user: UserId, seed: &mut [u8; 32]) -> DeviceKeys {
    OsEntropy.fill(seed).unwrap();
    DeviceKeys::from_seed(user, DeviceId::generate(&mut OsEntropy).unwrap(), seed)
}

/// A life: three devices, one revoked, three generations, a relay key.
fn person(hub: HubId) -> Person {
    let user = UserId::generate(&mut OsEntropy).unwrap();
    let (mut seed, mut other) = ([0; 32], [0; 32]);
    let phone = keys(user, &mut seed);
    let [laptop, tablet] = [(); 2].map(|()| keys(user, &mut other));
    let e = &mut OsEntropy;
    let mut chain = Sigchain::create(&phone, 1_763_690_000_000).unwrap();
    chain
        .add_device(&phone, &laptop.card(), None, 1_763_690_000_001, e)
        .unwrap();
    let first = chain
        .rotate_puk(&laptop, None, 1_763_690_000_002, e)
        .unwrap();
    let second = chain
        .rotate_puk(&phone, Some(&first), 1_763_690_000_003, e)
        .unwrap();
    chain
        .add_device(&laptop, &tablet.card(), Some(&second), 1_763_690_000_004, e)
        .unwrap();
    chain
        .attest_transport_key(&phone, hub, 7, 1_763_690_000_005, e)
        .unwrap();
    chain
        .revoke_device(&phone, tablet.device(), 1_763_690_000_006)
        .unwrap();
    let puk = chain
        .rotate_puk(&phone, Some(&second), 1_763_690_000_007, e)
        .unwrap();
    Person {
        seed,
        phone,
        laptop,
        chain,
        puk,
    }
}

#[test]
fn a_chain_says_the_same_to_a_reader_written_from_the_document() {
    let hub = HubId::generate(&mut OsEntropy).unwrap();
    let person = person(hub);
    let state = person.chain.state();
    let answer = ask(
        SCRIPT,
        &json!({"hex": {"chain": hex(person.chain.encode())}}),
    )
    .unwrap();
    let live: Vec<String> = state.live_devices().map(|(id, _)| id.to_string()).collect();
    let ring = person.chain.open_puk(&person.phone).unwrap();
    let generations = 1..=ring.current().generation();
    let generations: Vec<String> = generations
        .map(|generation| hex(ring.generation(generation).unwrap().reader().key.as_bytes()))
        .collect();
    let transport = state.transport_key(person.phone.device(), hub, 7).unwrap();
    let expected = json!({
        "user": person.chain.user().to_string(),
        "seqno": 8,
        "head": hex(person.chain.head().hash),
        "live": live,
        "generations": generations,
        "rotation_due": false,
        "transport": [transport.to_string()],
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_device_opens_its_keys_and_logs_in_by_the_document() {
    let hub = HubId::generate(&mut OsEntropy).unwrap();
    let person = person(hub);
    let items = ItemsKey::generate(&person.puk, &mut OsEntropy).unwrap();
    let content_key = ContentKey::from_slice(&[0x5c; 32]).unwrap();
    let record = RecordId::generate(&mut OsEntropy).unwrap();
    let wrap = items
        .wrap_content_key(record, 3, &[9; 32], &content_key, &mut OsEntropy)
        .unwrap();
    let (origin, device) = ("https://línea.example:8443", person.phone.device());
    let challenge = LoginChallenge::new(origin, device, 50_000, &mut OsEntropy).unwrap();
    let login = challenge.answer(&person.phone, origin, 10_000).unwrap();
    let path = "/api/notes?after=3&".to_owned() + &"x".repeat(80);
    let facts = RequestFacts::new("POST", &path, "{\"é\":1}".as_bytes(), b"token").unwrap();
    let request = facts.sign(&person.phone, 12_345, &mut OsEntropy).unwrap();
    let half = "llamó d".as_bytes();
    let draft = person
        .phone
        .seal_draft("nota", half, &mut OsEntropy)
        .unwrap();
    let input = json!({
        "hex": {
            "chain": hex(person.chain.encode()),
            "seed": hex(person.seed),
            "device": hex(device.as_bytes()),
            "items_key": hex(items.seal(&person.puk, &mut OsEntropy).unwrap()),
            "content_key_wrap": hex(wrap),
            "record": hex(record.as_bytes()),
            "commitment": hex([9; 32]),
            "hub": hex(hub.as_bytes()),
            "draft": hex(draft),
            "login": hex(login.encode()),
            "request": hex(request.encode()),
        },
        "revision": 3,
        "epoch": 7,
        "draft_name": "nota",
        "request": {"method": "POST", "path": path, "body": "{\"é\":1}", "token": "token"},
    });
    let answer = ask(SCRIPT, &input).unwrap();
    assert_eq!(answer["content_key_hash"], hex(Sha256::digest([0x5c; 32])));
    let transport = person.phone.transport_key(hub, 7).public_key();
    assert_eq!(answer["transport_key"], transport.to_string());
    let login = json!({
        "origin": origin,
        "nonce": hex(challenge.nonce()),
        "expires_at_ms": 50_000,
        "device": device.to_string(),
    });
    assert_eq!(answer["login"], login);
    assert_eq!(answer["request_time_ms"], 12_345);
    assert_eq!(answer["draft"], "llamó d");
    // The other device opens the same generations with its own seed.
    let ring = person.chain.open_puk(&person.laptop).unwrap();
    assert_eq!(ring.current().reader(), person.puk.reader());
}

#[test]
fn an_invite_is_redeemed_by_the_document() {
    let person = person(HubId::generate(&mut OsEntropy).unwrap());
    let (origin, code) = ("https://línea.example:8443", "K7QF-2M9D-4XWC");
    let proof = InviteProof::new(&person.laptop, &person.chain, origin, code.as_bytes()).unwrap();
    let verified = |code: &str| {
        let input = json!({
            "hex": {"chain": hex(person.chain.encode()), "invite": hex(proof.encode())},
            "origin": origin,
            "code": code,
        });
        ask(SCRIPT, &input)
    };
    let device = person.laptop.device().to_string();
    assert_eq!(verified(code).unwrap()["invite"], device);
    let refused = verified("another").unwrap_err();
    assert_eq!(refused, "refused: a signature does not fit");
}

#[test]
fn the_reader_written_from_the_document_refuses_what_it_must() {
    let person = person(HubId::generate(&mut OsEntropy).unwrap());
    let links: Vec<Vec<u8>> = person.chain.links().map(<[u8]>::to_vec).collect();
    let file = |links: &[&[u8]]| {
        let mut out = b"HLSC\x01".to_vec();
        out.extend((links.len() as u16).to_be_bytes());
        for link in links {
            let length = link.len() as u16;
            out.extend((0x4000 | length).to_be_bytes());
            out.extend(*link);
        }
        hex(out)
    };
    let refusal = |chain: String| ask(SCRIPT, &json!({"hex": {"chain": chain}})).unwrap_err();
    let all: Vec<&[u8]> = links.iter().map(Vec::as_slice).collect();
    let whole: Value = ask(SCRIPT, &json!({"hex": {"chain": file(&all)}})).unwrap();
    assert_eq!(whole["seqno"], 8);
    let place = "refused: a link is out of place";
    assert_eq!(refusal(file(&[all[0], all[2]])), place);
    assert_eq!(refusal(file(&[all[0], all[0]])), place);
    let mut altered = links[1].clone();
    // In the claimed time.
    altered[60] ^= 1;
    let signature = "refused: a signature does not fit";
    assert_eq!(refusal(file(&[all[0], &altered])), signature);
    let mut newer = links[0].clone();
    newer[4] = 2;
    assert_eq!(refusal(file(&[&newer])), "refused: unknown version");
}

/// Asks a writer that was written from the document for a person's life, whose
/// second device is ours; returns the keys of that device too.
fn made_elsewhere(hub: HubId, record: RecordId) -> (DeviceKeys, Value) {
    let user = UserId::generate(&mut OsEntropy).unwrap();
    let phone = keys(user, &mut [0; 32]);
    let input = json!({
        "hex": {
            "user": hex(user.as_bytes()),
            "card": hex(phone.card().encode()),
            "hub": hex(hub.as_bytes()),
            "record": hex(record.as_bytes()),
        },
        "epoch": 7,
        "revision": 3,
    });
    let made = ask("make_sigchain.py", &input).unwrap();
    (phone, made)
}

fn bytes(made: &Value, part: &str) -> Vec<u8> {
    unhex(made[part].as_str().unwrap())
}

#[test]
fn a_chain_written_from_the_document_says_what_its_writer_meant() {
    let hub = HubId::generate(&mut OsEntropy).unwrap();
    let record = RecordId::generate(&mut OsEntropy).unwrap();
    let (phone, made) = made_elsewhere(hub, record);
    let chain = Sigchain::decode(&bytes(&made, "chain")).unwrap();
    let state = chain.state();
    assert_eq!((chain.user(), chain.head().seqno), (phone.user(), 8));
    assert!(!state.puk_rotation_due());
    let revoked = state.devices().filter(|(_, device)| !device.is_live());
    assert_eq!(revoked.count(), 1);
    let ring = chain.open_puk(&phone).unwrap();
    let generations: Vec<String> = (1..=3)
        .map(|generation| hex(ring.generation(generation).unwrap().reader().key.as_bytes()))
        .collect();
    let live: Vec<String> = state.live_devices().map(|(id, _)| id.to_string()).collect();
    let first = state.live_devices().find(|(id, _)| *id != phone.device());
    let (first, _) = first.unwrap();
    let says = json!({
        "head": hex(chain.head().encode()),
        "live": live,
        "generations": generations,
        "first": first.to_string(),
        "transport": state.transport_key(first, hub, 7).unwrap().to_string(),
    });
    assert_eq!(says, made["says"]);

    let items = ItemsKey::open(ring.current(), &bytes(&made, "items_key")).unwrap();
    let (commitment, wrap) = (bytes(&made, "commitment"), bytes(&made, "content_key_wrap"));
    let content_key = items.unwrap_content_key(record, 3, &commitment, &wrap);
    let body = bytes(&made, "body");
    let mut decryptor = Decryptor::new(content_key.unwrap(), b"body");
    let mut text = decryptor.push(&body).unwrap().to_vec();
    text.extend_from_slice(&decryptor.finish().unwrap());
    assert_eq!(text, "llamó".as_bytes());
}

#[test]
fn a_chain_written_from_the_document_is_refused_when_one_byte_is_another() {
    let hub = HubId::generate(&mut OsEntropy).unwrap();
    let record = RecordId::generate(&mut OsEntropy).unwrap();
    let (phone, made) = made_elsewhere(hub, record);
    let mut chain = bytes(&made, "chain");
    // Not a divisor of the sizes of links: all their fields are met.
    for place in (0..chain.len()).step_by(13) {
        chain[place] ^= 1;
        assert!(Sigchain::decode(&chain).is_err(), "byte {place}");
        chain[place] ^= 1;
    }
    let chain = Sigchain::decode(&chain).unwrap();
    let ring = chain.open_puk(&phone).unwrap();
    let mut items_key = bytes(&made, "items_key");
    for place in 0..items_key.len() {
        items_key[place] ^= 1;
        let opened = ItemsKey::open(ring.current(), &items_key);
        assert!(opened.is_err(), "byte {place}");
        items_key[place] ^= 1;
    }
}
