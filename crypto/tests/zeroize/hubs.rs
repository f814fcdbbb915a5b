//! What the members of a hub share.

use crypto::hub::{
    EventEnvelope, HubEpoch, HubKey, HubKeyWrap, IndexField, Invitation, InviteSecret, RoleId,
    SealedSettings, SearchRoot, SettingsHead,
};
use crypto::{HubId, Label, OsEntropy, UserId};
use sha2::{Digest, Sha256};

use crate::derived;
use crate::devices::{device, person};
use crate::watching::{Still, assert_left_nothing, assert_wiped};

const HUB: HubId = HubId::from_bytes([2; 16]);
const SCOPE: [u8; 20] = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 1];
const INVITATION: Invitation = Invitation {
    id: [8; 16],
    role: RoleId(2),
};

fn hub_key() -> HubKey {
    HubKey::generate(HUB, 1, &mut Still::new(11)).unwrap()
}

fn bytes_of_hub_key() -> [u8; 32] {
    let mut entropy = Still::new(11);
    HubKey::generate(HUB, 1, &mut entropy).unwrap();
    entropy.made(0)
}

#[test]
fn a_hub_key() {
    let keys = device();
    let (chain, puk) = person(&mut Still::new(5));
    let epoch = HubEpoch {
        hub: HUB,
        epoch: 1,
        commitment: hub_key().commitment(),
        announced: chain.head(),
    };
    let envelope = EventEnvelope {
        sender: keys.device(),
        transport_key: keys.transport_key(HUB, 1).public_key(),
        kind: 20_001,
        created_at_s: 60,
    };
    let key = bytes_of_hub_key();
    let sender = [SCOPE.as_slice(), keys.device().as_bytes()].concat();
    let (event, settings) = (b"an event of this hub", b"settings of this hub");
    let secrets: [&[u8]; 4] = [
        &key,
        &derived(&key, Label::HubEventKey, &sender),
        event,
        settings,
    ];
    assert_wiped(&secrets, hub_key, |key| {
        let wrap = key.wrap_for(&epoch, &puk.reader(), &mut OsEntropy).unwrap();
        let wrap = HubKeyWrap::decode(&wrap.encode()).unwrap();
        let opened = Box::new(wrap.open(&epoch, &puk).unwrap());
        let sealed = opened.seal_event(&envelope, event, &mut OsEntropy);
        opened.open_event(&envelope, &sealed.unwrap()).unwrap();
        let sealed = SealedSettings::seal(key, 1, settings, &mut OsEntropy).unwrap();
        let announced = SettingsHead {
            hub: HUB,
            revision: 1,
            hash: Sha256::digest(sealed.encode()).into(),
        };
        sealed.open(&announced, key).unwrap();
        key.topic();
        drop(Box::new(key.clone()));
    });
}

#[test]
fn a_search_root() {
    let mut entropy = Still::new(12);
    SearchRoot::generate(HUB, &mut entropy).unwrap();
    let root = entropy.made(0);
    let field = [HUB.as_bytes().as_slice(), &[0, 1]].concat();
    let field = derived(&root, Label::BlindIndexKey, &field);
    let key = hub_key();
    let term = "Anastasia Wintergruen";
    let secrets: [&[u8]; 3] = [&root, &field, b"anastasia wintergruen"];
    let make = || SearchRoot::generate(HUB, &mut Still::new(12)).unwrap();
    assert_wiped(&secrets, make, |root| {
        root.token(IndexField::NAME_WORD, term).unwrap();
        let sealed = root.seal(&key, &mut OsEntropy).unwrap();
        drop(Box::new(SearchRoot::open(&key, &sealed).unwrap()));
    });
}

#[test]
fn the_secret_of_an_invitation() {
    let key = hub_key();
    let context = [&SCOPE[..], &INVITATION.id, &[0, 2]].concat();
    let secret = derived(&bytes_of_hub_key(), Label::InviteSecret, &context);
    let make = || key.invite_secret(&INVITATION);
    let text = make().reveal();
    let (chain, _) = person(&mut Still::new(5));
    let user = UserId::from_bytes([9; 16]);
    assert_wiped(&[&secret, text.as_bytes()], make, |secret| {
        drop(secret.reveal());
        let read = Box::new(text.parse::<InviteSecret>().unwrap());
        let voucher = read.vouch(user, chain.head());
        key.check_voucher(&INVITATION, user, &voucher).unwrap();
    });
    let mistyped = format!("{}q", &text[..text.len() - 1]);
    assert_left_nothing(&[&secret], || mistyped.parse::<InviteSecret>().is_err());
}
