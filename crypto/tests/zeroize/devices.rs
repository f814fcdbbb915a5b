//! Devices, the keys of persons, and content keys.

use std::collections::BTreeSet;

use crypto::cobblestone::{ContentKey, Decryptor, Encryptor};
use crypto::identity::{DeviceKeys, ItemsKey, Puk, Sigchain};
use crypto::record::{
    Expected, KnownDevice, NOBODY, OpeningKey, Position, RecordAuthor, RecordKind, RecordPlace,
    RecordWriter,
};
use crypto::{DeviceId, HubId, Label, OsEntropy, RecordId, UserId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

use crate::watching::{Still, assert_left_nothing, assert_wiped};
use crate::{derived, expanded, scalar};

const USER: UserId = UserId::from_bytes([1; 16]);
const HUB: HubId = HubId::from_bytes([2; 16]);
const RECORD: RecordId = RecordId::from_bytes([3; 16]);
const SEED: [u8; 32] = *b"the seed that makes a device, 32";
const KEY: [u8; 32] = *b"one record's own key, 32 bytes..";

pub fn device() -> DeviceKeys {
    DeviceKeys::from_seed(USER, DeviceId::from_bytes([4; 16]), &SEED)
}

/// A person with one device, and their first generation; its seed is fill 0.
pub fn person(entropy: &mut Still) -> (Sigchain, Puk) {
    let keys = device();
    let mut chain = Sigchain::create(&keys, 1).unwrap();
    let puk = chain.rotate_puk(&keys, None, 2, entropy).unwrap();
    (chain, puk)
}

/// The secrets of that generation: seed, symmetric key, input of the key pair,
/// private key.
fn secrets_of_puk() -> [[u8; 32]; 4] {
    let mut entropy = Still::new(5);
    person(&mut entropy);
    let seed = entropy.made(0);
    let context = [USER.as_bytes().as_slice(), &[0, 0, 0, 1]].concat();
    let ikm = derived(&seed, Label::PukHpkeIkm, &context);
    [
        seed,
        derived(&seed, Label::PukSym, &context),
        ikm,
        scalar(&ikm),
    ]
}

#[test]
fn a_device() {
    let sign_seed = derived(&SEED, Label::DeviceSignSeed, b"");
    let ikm = derived(&SEED, Label::DeviceHpkeIkm, b"");
    let hub = [HUB.as_bytes().as_slice(), &[0, 0, 0, 7, 0]].concat();
    let held: [&[u8]; 3] = [&SEED, &sign_seed, &scalar(&ikm)];
    for secret in held {
        assert_wiped(&[secret], device, |_| {});
    }
    let secrets: [&[u8]; 7] = [
        &SEED,
        &sign_seed,
        &ikm,
        &scalar(&ikm),
        &expanded(&sign_seed),
        &derived(&SEED, Label::DeviceNostrKey, &hub),
        &derived(&SEED, Label::DraftKey, b""),
    ];
    assert_wiped(&secrets, device, |keys| {
        let mut chain = Sigchain::create(keys, 1).unwrap();
        chain.rotate_puk(keys, None, 2, &mut OsEntropy).unwrap();
        chain
            .attest_transport_key(keys, HUB, 7, 3, &mut OsEntropy)
            .unwrap();
        chain.open_puk(keys).unwrap();
        let draft = keys.seal_draft("draft", b"half", &mut OsEntropy).unwrap();
        keys.open_draft("draft", &draft).unwrap();
        drop(Box::new(keys.transport_key(HUB, 7)));
        drop(Box::new(keys.signing_key().clone()));
        drop(Box::new(keys.hpke_key().clone()));
        keys.hpke_key().reveal();
    });
}

#[test]
fn a_person_s_key() {
    let secrets = secrets_of_puk();
    let secrets = secrets.each_ref().map(<[u8; 32]>::as_slice);
    let make = || person(&mut Still::new(5)).1;
    assert_wiped(&secrets[..1], make, |_| {});
    assert_wiped(&secrets, make, |puk| {
        let keys = device();
        let (mut chain, _) = person(&mut Still::new(5));
        let next = chain.rotate_puk(&keys, Some(puk), 3, &mut OsEntropy);
        drop(Box::new(next.unwrap()));
        let ring = chain.open_puk(&keys).unwrap();
        drop(Box::new(ring.generation(1).unwrap().reader_key()));
        drop(ring.clone());
    });
}

#[test]
fn an_items_key() {
    let (_, puk) = person(&mut Still::new(5));
    let make = || ItemsKey::generate(&puk, &mut Still::new(6)).unwrap();
    let mut entropy = Still::new(6);
    ItemsKey::generate(&puk, &mut entropy).unwrap();
    let symmetric = secrets_of_puk()[1];
    assert_wiped(&[&entropy.made(0), &KEY, &symmetric], make, |items| {
        let sealed = items.seal(&puk, &mut OsEntropy).unwrap();
        let opened = Box::new(ItemsKey::open(&puk, &sealed).unwrap());
        let key = ContentKey::from_slice(&KEY).unwrap();
        let wrap = items.wrap_content_key(RECORD, 1, &[9; 32], &key, &mut OsEntropy);
        let wrap = wrap.unwrap();
        let key = opened.unwrap_content_key(RECORD, 1, &[9; 32], &wrap);
        drop(Box::new(key.unwrap()));
    });
}

/// The key of the chunks: the first block of HKDF-Expand, which a ready
/// function refuses for a key that is shorter than the hash.
fn key_of_chunks(salt: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha512>::new_from_slice(&KEY).unwrap();
    mac.update(b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0");
    mac.update(salt);
    mac.update(b"context\x01");
    mac.finalize().into_bytes()[..32].to_vec()
}

#[test]
fn a_content_key() {
    let make = || ContentKey::from_slice(&KEY).unwrap();
    let mut entropy = Still::new(7);
    let (encryptor, prefix) = Encryptor::new(&make(), b"context", &mut entropy).unwrap();
    drop(encryptor);
    let chunks = key_of_chunks(&prefix[..24]);
    let text = b"a text that the key is to protect".repeat(600);
    let secrets: [&[u8]; 3] = [&KEY, &chunks, &text[..33]];
    assert_wiped(&secrets, make, |key| {
        let started = Encryptor::new(key, b"context", &mut Still::new(7)).unwrap();
        let (mut encryptor, prefix) = started;
        let mut sealed = prefix.to_vec();
        sealed.extend(encryptor.push(&text).unwrap());
        sealed.extend(encryptor.finish().unwrap());
        let mut decryptor = Decryptor::new(key.clone(), b"context");
        let first = decryptor.push(&sealed).unwrap();
        assert_eq!(*first, text[..first.len()]);
        decryptor.finish().unwrap();
        // Given up half way.
        let started = Encryptor::new(key, b"context", &mut Still::new(7)).unwrap();
        drop(Box::new(started.0));
        let mut decryptor = Box::new(Decryptor::new(key.clone(), b"context"));
        decryptor.push(&sealed).unwrap();
    });
}

#[test]
fn a_record_and_the_key_that_was_made_for_it() {
    let (_, puk) = person(&mut Still::new(5));
    let (keys, secret) = (device(), puk.reader_key());
    let items = ItemsKey::generate(&puk, &mut Still::new(6)).unwrap();
    let place = RecordPlace {
        kind: RecordKind::Note,
        hub: HUB,
        record: RECORD,
    };
    let readers = [puk.reader()];
    let allowed = BTreeSet::from([USER]);
    let expected = Expected {
        place,
        at_least: Position::START,
        author: RecordAuthor::Person(KnownDevice {
            user: USER,
            device: keys.device(),
            key: keys.signing_key().verifying_key(),
        }),
        manifest_signers: &[],
        allowed_readers: &allowed,
        former_readers: &NOBODY,
    };
    let by_wrap = OpeningKey::PerUserKey {
        user: USER,
        generation: 1,
        secret: &secret,
    };
    let text = b"a sentence that stands nowhere else in memory";
    let own = RecordWriter::person(&keys);
    let by_items_key = OpeningKey::ItemsKey(&items);
    for (writer, opening) in [(own, by_wrap), (own.with_items_key(&items), by_items_key)] {
        let seal = |entropy: &mut Still| writer.seal(place, text, &readers, entropy).unwrap();
        let mut entropy = Still::new(8);
        seal(&mut entropy);
        // The note's own key is made first.
        let (key, private) = (entropy.made(0), secrets_of_puk()[3]);
        assert_left_nothing(&[&key, &private, text], || {
            let record = seal(&mut Still::new(8));
            let opened = record.open(&opening, &expected).unwrap();
            assert_eq!(opened.plaintext.as_slice(), text);
        });
    }
}
