//! A call whose sound the server passes on, and a server that would listen.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod peer;

use crypto::identity::{DeviceCard, DeviceKeys, Sigchain};
use crypto::sframe::{
    CallKey, CallKeyError, CallKeyOffer, FrameError, FrameOpener, FrameSealer, MAX_FRAME_BYTES,
    MAX_STREAMS, Member,
};
use crypto::{CallId, DeviceId, Entropy, OsEntropy, UserId};
use peer::{ask, hex, unhex};
use proptest::prelude::*;
use serde_json::json;

const SCRIPT: &str = "sframe_peer.py";
const TIME_MS: u64 = 1_763_690_000_000;

struct Person {
    seed: [u8; 32],
    keys: DeviceKeys,
    chain: Sigchain,
}

impl Person {
    fn new() -> Self {
        let mut seed = [0; 32];
        OsEntropy.fill(&mut seed).unwrap();
        let user = UserId::generate(&mut OsEntropy).unwrap();
        let device = DeviceId::generate(&mut OsEntropy).unwrap();
        let keys = DeviceKeys::from_seed(user, device, &seed);
        let chain = Sigchain::create(&keys, TIME_MS).unwrap();
        Self { seed, keys, chain }
    }

    fn member(&self) -> Member {
        Member {
            user: self.keys.user(),
            device: self.keys.device(),
        }
    }
}

fn call() -> CallId {
    CallId::generate(&mut OsEntropy).unwrap()
}

fn cards(people: &[&Person]) -> Vec<DeviceCard> {
    people.iter().map(|person| person.keys.card()).collect()
}

fn offer(call: CallId, epoch: u32, people: &[&Person]) -> (CallKeyOffer, CallKey) {
    let maker = people[0];
    CallKeyOffer::create(&maker.keys, call, epoch, &cards(people), &mut OsEntropy).unwrap()
}

fn opener(key: &CallKey) -> FrameOpener {
    let mut opener = FrameOpener::new(key.call());
    opener.use_key(key.clone()).unwrap();
    opener
}

#[test]
fn everybody_in_the_call_hears_who_speaks() {
    let people = [Person::new(), Person::new(), Person::new()];
    let [ana, ben, eva] = &people;
    let call = call();
    let (offer, anas) = offer(call, 0, &[ana, ben, eva]);
    let offer = CallKeyOffer::decode(&offer.encode()).unwrap();
    assert_eq!(offer.signer(), ana.member());
    let opened = |person: &Person| offer.open(&person.keys, call, ana.chain.state()).unwrap();
    let keys = [anas, opened(ben), opened(eva)];
    for (speaker, key) in people.iter().zip(&keys) {
        let mut sealer = FrameSealer::new(key, &mut OsEntropy).unwrap();
        let mut listeners: Vec<_> = keys.iter().map(opener).collect();
        for length in [0, 1, 60, 160, MAX_FRAME_BYTES] {
            let sound = vec![7; length];
            let sealed = sealer.seal(&sound).unwrap();
            assert!(sealed.len() <= length + 29, "{length}");
            for (person, listener) in people.iter().zip(&mut listeners) {
                let heard = listener.open(&sealed);
                match person.member() == speaker.member() {
                    true => assert_eq!(heard, Err(FrameError::Reflected)),
                    false => assert_eq!(heard, Ok((speaker.member(), sound.clone().into()))),
                }
            }
        }
        let too_long = sealer.seal(&vec![0; MAX_FRAME_BYTES + 1]);
        assert_eq!(too_long, Err(FrameError::Malformed));
    }
}

#[test]
fn frames_come_late_but_never_twice() {
    let (ana, ben) = (Person::new(), Person::new());
    let (offer, key) = offer(call(), 0, &[&ana, &ben]);
    let bens = offer.open(&ben.keys, key.call(), ana.chain.state());
    let mut listener = opener(&bens.unwrap());
    let mut sealer = FrameSealer::new(&key, &mut OsEntropy).unwrap();
    let frames: Vec<_> = (0..300_u32)
        .map(|number| sealer.seal(&number.to_be_bytes()).unwrap())
        .collect();
    for at in [0, 5, 3, 4, 250, 200] {
        assert!(listener.open(&frames[at]).is_ok(), "{at}");
    }
    for at in [0, 3, 4, 5, 200, 250, 1] {
        assert_eq!(
            listener.open(&frames[at]),
            Err(FrameError::Replayed),
            "{at}"
        );
    }
    assert!(listener.open(&frames[299]).is_ok());
}

#[test]
fn an_altered_frame_is_silence() {
    let (ana, ben) = (Person::new(), Person::new());
    let (offer, key) = offer(call(), 0, &[&ana, &ben]);
    let bens = offer.open(&ben.keys, key.call(), ana.chain.state());
    let bens = bens.unwrap();
    let sealed = FrameSealer::new(&key, &mut OsEntropy)
        .unwrap()
        .seal(b"sound")
        .unwrap();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut altered = sealed.clone();
            altered[at] ^= 1 << bit;
            assert!(opener(&bens).open(&altered).is_err(), "{at} {bit}");
        }
        assert!(opener(&bens).open(&sealed[..at]).is_err());
    }
    assert!(opener(&bens).open(&sealed).is_ok());
    assert_eq!(
        FrameOpener::new(key.call()).open(&sealed),
        Err(FrameError::NoKey)
    );
    // One member cannot speak as another: the key is of the place and the id.
    let eva = Person::new();
    let others = [ana.member(), ben.member(), eva.member()];
    let secret = [9; 32];
    let key = |own| CallKey::from_shared_secret(bens.call(), 0, &secret, others.to_vec(), own);
    let bens = key(ben.member()).unwrap();
    let evas = key(eva.member()).unwrap();
    let mut sealed = FrameSealer::new(&bens, &mut OsEntropy)
        .unwrap()
        .seal(b"x")
        .unwrap();
    sealed[8] = 0;
    assert_eq!(opener(&evas).open(&sealed), Err(FrameError::Altered));
}

#[test]
fn a_page_that_is_reloaded_never_uses_a_key_twice() {
    let (ana, ben) = (Person::new(), Person::new());
    let (offer, key) = offer(call(), 0, &[&ana, &ben]);
    let bens = offer.open(&ben.keys, key.call(), ana.chain.state());
    let mut listener = opener(&bens.unwrap());
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..MAX_STREAMS {
        let mut sealer = FrameSealer::new(&key, &mut OsEntropy).unwrap();
        let sealed = sealer.seal(b"the same words").unwrap();
        assert!(seen.insert(sealed[9..].to_vec()));
        assert!(listener.open(&sealed).is_ok());
    }
    let mut sealer = FrameSealer::new(&key, &mut OsEntropy).unwrap();
    let sealed = sealer.seal(b"once too often").unwrap();
    assert_eq!(listener.open(&sealed), Err(FrameError::TooManyStreams));
}

#[test]
fn who_comes_and_goes_hears_only_their_time() {
    let (ana, ben, eva) = (Person::new(), Person::new(), Person::new());
    let call = call();
    let (first, first_key) = offer(call, 0, &[&ana, &ben]);
    let (second, second_key) = offer(call, 1, &[&ana, &eva]);
    let bens = first.open(&ben.keys, call, ana.chain.state()).unwrap();
    let evas = second.open(&eva.keys, call, ana.chain.state()).unwrap();
    let refused = second.open(&ben.keys, call, ana.chain.state());
    assert_eq!(refused.unwrap_err(), CallKeyError::NotMember);

    let mut before = FrameSealer::new(&first_key, &mut OsEntropy).unwrap();
    let mut after = FrameSealer::new(&second_key, &mut OsEntropy).unwrap();
    let (early, late) = (before.seal(b"early").unwrap(), after.seal(b"late").unwrap());
    assert!(opener(&bens).open(&early).is_ok());
    assert_eq!(opener(&bens).open(&late), Err(FrameError::UnknownKey));
    assert!(opener(&evas).open(&late).is_ok());
    assert_eq!(opener(&evas).open(&early), Err(FrameError::UnknownKey));

    // Whoever stays hears what is still on its way, until it cannot be any more.
    let mut listener = opener(&bens);
    let members = vec![ana.member(), ben.member()];
    let next = |epoch| {
        CallKey::from_shared_secret(call, epoch, &[1; 32], members.clone(), ben.member()).unwrap()
    };
    listener.use_key(next(1)).unwrap();
    assert!(listener.open(&early).is_ok());
    for old in [0, 1] {
        assert_eq!(listener.use_key(next(old)), Err(CallKeyError::Old));
    }
    listener.forget_older();
    let another = before.seal(b"too late").unwrap();
    assert_eq!(listener.open(&another), Err(FrameError::UnknownKey));
    let elsewhere = offer(self::call(), 9, &[&ana, &ben]).1;
    assert_eq!(listener.use_key(elsewhere), Err(CallKeyError::OtherCall));
}

#[test]
fn a_key_that_the_server_made_up_is_refused() {
    let (ana, ben, server) = (Person::new(), Person::new(), Person::new());
    let call = call();
    let (genuine, _) = offer(call, 0, &[&ana, &ben]);
    let forged = {
        // Ana's name, the server's signature.
        let (made, _) = offer(call, 0, &[&server, &ben]);
        let mut bytes = made.encode();
        bytes[25..57].copy_from_slice(&genuine.encode()[25..57]);
        CallKeyOffer::decode(&bytes).unwrap()
    };
    assert_eq!(forged.signer(), ana.member());
    let refused = forged.open(&ben.keys, call, ana.chain.state());
    assert_eq!(refused.unwrap_err(), CallKeyError::Forged);
    // The server's own name is nobody's in the hub; a chain of another does not help.
    let (own, _) = offer(call, 0, &[&server, &ben]);
    let refused = own.open(&ben.keys, call, ana.chain.state());
    assert_eq!(refused.unwrap_err(), CallKeyError::UnknownSigner);
    // An offer for another call, or read by somebody who is not in it.
    let refused = genuine.open(&ben.keys, self::call(), ana.chain.state());
    assert_eq!(refused.unwrap_err(), CallKeyError::OtherCall);
    let refused = genuine.open(&server.keys, call, ana.chain.state());
    assert_eq!(refused.unwrap_err(), CallKeyError::NotMember);
    // Every byte counts.
    let bytes = genuine.encode();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        let opened = CallKeyOffer::decode(&altered)
            .and_then(|offer| offer.open(&ben.keys, call, ana.chain.state()));
        assert!(opened.is_err(), "{at}");
    }
}

#[test]
fn a_revoked_device_gives_no_keys() {
    let (mut ana, ben) = (Person::new(), Person::new());
    let mut seed = [0; 32];
    OsEntropy.fill(&mut seed).unwrap();
    let device = DeviceId::generate(&mut OsEntropy).unwrap();
    let laptop = DeviceKeys::from_seed(ana.keys.user(), device, &seed);
    ana.chain
        .add_device(&ana.keys, &laptop.card(), None, TIME_MS + 1, &mut OsEntropy)
        .unwrap();
    let call = call();
    let list = [laptop.card(), ben.keys.card()];
    let (offer, _) = CallKeyOffer::create(&laptop, call, 0, &list, &mut OsEntropy).unwrap();
    assert!(offer.open(&ben.keys, call, ana.chain.state()).is_ok());
    ana.chain
        .revoke_device(&ana.keys, device, TIME_MS + 2)
        .unwrap();
    let refused = offer.open(&ben.keys, call, ana.chain.state());
    assert_eq!(refused.unwrap_err(), CallKeyError::UnknownSigner);
}

#[test]
fn a_call_has_each_device_once() {
    let (ana, ben) = (Person::new(), Person::new());
    let create = |people: &[&Person]| {
        CallKeyOffer::create(&ana.keys, call(), 0, &cards(people), &mut OsEntropy).map(drop)
    };
    assert_eq!(create(&[]), Err(CallKeyError::Members));
    assert_eq!(create(&[&ana, &ben, &ben]), Err(CallKeyError::Members));
    assert_eq!(create(&[&ana; 65]), Err(CallKeyError::Members));
    assert_eq!(create(&[&ben]), Err(CallKeyError::NotMember));
    assert_eq!(create(&[&ana, &ben]), Ok(()));
}

#[test]
fn a_reader_in_python_opens_the_offer_and_speaks_and_hears() {
    let (ana, ben) = (Person::new(), Person::new());
    for epoch in [0, 7, 70_000] {
        let call = call();
        let (offer, key) = offer(call, epoch, &[&ana, &ben]);
        let mut sealer = FrameSealer::new(&key, &mut OsEntropy).unwrap();
        let frames: Vec<_> = (0..12_u8)
            .map(|number| hex(sealer.seal(&[number; 60]).unwrap()))
            .collect();
        let mut request = json!({
            "offer": hex(offer.encode()),
            "call": hex(call.as_bytes()),
            "signer": hex(ana.keys.signing_key().verifying_key().as_bytes()),
            "user": hex(ben.keys.user().as_bytes()),
            "device": hex(ben.keys.device().as_bytes()),
            "seed": hex(ben.seed),
            "frames": frames,
            "say": ["", "68656c6c6f", hex([3; 500])],
        });
        let answer = ask(SCRIPT, &request).unwrap();
        for (number, heard) in (0..12_u8).zip(answer["heard"].as_array().unwrap()) {
            assert_eq!(heard[0], hex(ana.keys.device().as_bytes()));
            assert_eq!(unhex(heard[1].as_str().unwrap()), [number; 60]);
        }
        let mut listener = opener(&key);
        let sealed = answer["sealed"].as_array().unwrap();
        for (said, sealed) in request["say"].as_array().unwrap().iter().zip(sealed) {
            let heard = listener.open(&unhex(sealed.as_str().unwrap())).unwrap();
            assert_eq!(heard, (ben.member(), unhex(said.as_str().unwrap()).into()));
        }
        // And what it must refuse.
        request["signer"] = hex(ben.keys.signing_key().verifying_key().as_bytes()).into();
        assert_eq!(
            ask(SCRIPT, &request).unwrap_err(),
            "a signature does not fit"
        );
    }
}

#[test]
fn the_reader_in_python_agrees_with_the_rfc() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("data/rfc9605.json")).unwrap();
    let answer = ask(SCRIPT, &json!({ "vectors": vectors })).unwrap();
    assert_eq!(answer["checked"], 290);
}

proptest! {
    #[test]
    fn noise_is_no_offer_and_no_frame(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = b"HLCK\x01".to_vec();
        bytes.extend(&noise);
        if let Ok(offer) = CallKeyOffer::decode(&bytes) {
            prop_assert_eq!(offer.encode(), bytes);
        }
        let own = Member {
            user: UserId::from_bytes([1; 16]),
            device: DeviceId::from_bytes([1; 16]),
        };
        let other = Member { device: DeviceId::from_bytes([2; 16]), ..own };
        let call = CallId::from_bytes([3; 16]);
        let key = CallKey::from_shared_secret(call, 0, &[4; 32], vec![own, other], own).unwrap();
        prop_assert!(opener(&key).open(&noise).is_err());
    }
}
