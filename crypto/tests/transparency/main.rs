//! A server that lies about keys, and the people who notice.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use crypto::identity::{ChainHead, DeviceKeys, Sigchain};
use crypto::transparency::{
    CheckpointRefused, Client, Leaf, Log, LogAltered, LogSigner, NoteName, OwnChainAltered, Proof,
    SignedCheckpoint, Subject, Witness, WitnessKey, WitnessRefusal, WitnessSigner,
};
use crypto::{DeviceId, HubId, OsEntropy, SigningKey, UserId};

mod formats;
#[path = "../peer/mod.rs"]
mod peer;
mod witnesses;

const NOW_S: u64 = 1_763_690_000;
const DAY_S: u64 = 86_400;
const ORIGIN: &str = "hotline.example/keys";

fn name(text: &str) -> NoteName {
    NoteName::new(text).unwrap()
}

fn signing() -> SigningKey {
    SigningKey::generate_with(&mut OsEntropy).unwrap()
}

fn head(seqno: u32, byte: u8) -> ChainHead {
    let hash = [byte; 32];
    ChainHead { seqno, hash }
}

fn person(byte: u8) -> UserId {
    UserId::from_bytes([byte; 16])
}

fn entry(user: u8, seqno: u32, byte: u8) -> Leaf {
    let subject = Subject::User(person(user));
    let head = head(seqno, byte);
    Leaf { subject, head }
}

/// Three witnesses of one log, and clients that want two of them.
struct World {
    signer: LogSigner,
    log: Log,
    witnesses: Vec<Witness>,
    keys: Vec<WitnessKey>,
}

impl World {
    fn new() -> Self {
        let signer = LogSigner::new(name(ORIGIN), signing());
        let made = ["one.example/w", "two.example/w", "three.example/w"].map(|witness| {
            let witness_signer = WitnessSigner::new(name(witness), signing());
            let key = witness_signer.key().clone();
            let mut witness = Witness::new(witness_signer);
            witness.watch(signer.key().clone());
            (witness, key)
        });
        let (witnesses, keys) = made.into_iter().unzip();
        let log = Log::from_leaves(name(ORIGIN), (0..5).map(|user| entry(user, 1, user)));
        Self {
            signer,
            log,
            witnesses,
            keys,
        }
    }

    fn client(&self) -> Client {
        Client::new(self.signer.key().clone(), self.keys.clone(), 2).unwrap()
    }

    /// Signs a log and asks the witnesses with these numbers.
    fn confirm(
        &mut self,
        log: &Log,
        asked: &[usize],
        now_s: u64,
    ) -> Result<SignedCheckpoint, WitnessRefusal> {
        let mut signed = log.sign(&self.signer);
        let plain = signed.clone();
        for place in asked {
            let witness = &mut self.witnesses[*place];
            let old = witness.latest(&name(ORIGIN));
            let old = old.map_or(0, |latest| latest.checkpoint().size);
            let request = log.request(old, &plain).ok_or(WitnessRefusal::BadRequest)?;
            let lines = witness.add_checkpoint(&request.to_body(), now_s)?;
            signed = signed.with_cosignatures(&lines).unwrap();
        }
        Ok(signed)
    }

    fn publish(&mut self, now_s: u64) -> SignedCheckpoint {
        let log = self.log.clone();
        self.confirm(&log, &[0, 1, 2], now_s).unwrap()
    }
}

fn accept(
    client: &mut Client,
    log: &Log,
    signed: &SignedCheckpoint,
) -> Result<(), CheckpointRefused> {
    let old = client.latest().map_or(0, |latest| latest.size);
    let proof = log.prove_consistency(old, signed.checkpoint().size);
    client.accept(signed.as_str(), &proof.unwrap_or_default(), NOW_S, DAY_S)
}

#[test]
fn a_log_that_only_grows_is_believed() {
    let mut world = World::new();
    let mut client = world.client();
    for round in 0..20_u8 {
        let signed = world.publish(NOW_S);
        accept(&mut client, &world.log, &signed).unwrap();
        accept(&mut client, &world.log, &signed).unwrap();
        for (place, leaf) in (0..).zip(world.log.leaves()) {
            let proof = world.log.prove_inclusion(place, world.log.size()).unwrap();
            client.check_entry(leaf, place, &proof).unwrap();
            let other = entry(99, 1, round);
            let refused = client.check_entry(&other, place, &proof).unwrap_err();
            assert_eq!(refused, LogAltered::NotInLog);
        }
        let full = client.check_download(world.log.leaves().to_vec()).unwrap();
        let newest = full.newest(&Subject::User(person(1))).unwrap();
        assert_eq!(newest.seqno, u32::from(round) + 1);
        world.log.append(entry(1, u32::from(round) + 2, round));
        if round % 3 == 0 {
            let subject = Subject::Roster(HubId::from_bytes([1; 16]));
            let head = head(u32::from(round) + 1, 7);
            world.log.append(Leaf { subject, head });
        }
    }
}

#[test]
fn a_proof_for_another_entry_or_place_is_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let leaf = *world.log.leaves().first().unwrap();
    let proof = world.log.prove_inclusion(0, 5).unwrap();
    let refused = client.check_entry(&leaf, 0, &proof).unwrap_err();
    assert_eq!(refused, LogAltered::NoCheckpoint);
    let signed = world.publish(NOW_S);
    accept(&mut client, &world.log, &signed).unwrap();
    client.check_entry(&leaf, 0, &proof).unwrap();
    for (leaf, place, proof) in [
        (world.log.leaves()[1], 0, proof.clone()),
        (leaf, 1, proof.clone()),
        (leaf, 5, proof.clone()),
        (leaf, u64::MAX, proof.clone()),
        (leaf, 0, world.log.prove_inclusion(1, 5).unwrap()),
        (leaf, 0, world.log.prove_inclusion(0, 4).unwrap()),
        (leaf, 0, Proof::default()),
    ] {
        let refused = client.check_entry(&leaf, place, &proof).unwrap_err();
        assert_eq!(refused, LogAltered::NotInLog);
    }
}

/// A person whose devices are their own.
fn someone(user: UserId, byte: u8) -> Sigchain {
    let keys = DeviceKeys::from_seed(user, DeviceId::from_bytes([byte; 16]), &[byte; 32]);
    Sigchain::create(&keys, NOW_S * 1000).unwrap()
}

#[test]
fn a_server_that_hands_out_its_own_key_as_an_admin_s_is_caught() {
    let admin = person(200);
    let (honest, forged) = (someone(admin, 1), someone(admin, 2));
    let subject = Subject::User(admin);
    let leaf = |chain: &Sigchain| Leaf {
        subject,
        head: chain.head(),
    };
    let mut world = World::new();
    world.log.append(leaf(&honest));
    let signed = world.publish(NOW_S);
    let mut volunteer = world.client();
    accept(&mut volunteer, &world.log, &signed).unwrap();

    // Not entered in the log: the volunteer sees that this is not the chain.
    let full = volunteer
        .check_download(world.log.leaves().to_vec())
        .unwrap();
    let newest = full.newest(&subject).unwrap();
    assert!(forged.check_contains(&newest).is_err());
    assert!(honest.check_contains(&newest).is_ok());
    let proof = world.log.prove_inclusion(5, 6).unwrap();
    assert_eq!(
        volunteer.check_entry(&leaf(&forged), 5, &proof),
        Err(LogAltered::NotInLog)
    );

    // Entered beside the real one: the log contradicts itself.
    world.log.append(leaf(&forged));
    let signed = world.publish(NOW_S);
    accept(&mut volunteer, &world.log, &signed).unwrap();
    let contradiction = volunteer.check_download(world.log.leaves().to_vec());
    assert_eq!(
        contradiction.unwrap_err(),
        LogAltered::Contradiction(subject)
    );

    // Entered instead of the real one: the admin's own devices see it.
    let mut world = World::new();
    world.log.append(leaf(&forged));
    let signed = world.publish(NOW_S);
    let mut own = world.client();
    accept(&mut own, &world.log, &signed).unwrap();
    let full = own.check_download(world.log.leaves().to_vec()).unwrap();
    let refused = full.check_own(&honest).unwrap_err();
    assert_eq!(refused, OwnChainAltered::Foreign { seqno: 1 });
}

#[test]
fn a_person_sees_additions_and_omissions_under_their_name() {
    let user = person(200);
    let own = someone(user, 1);
    let subject = Subject::User(user);
    let mut world = World::new();
    let check = |world: &mut World| {
        let signed = world.publish(NOW_S);
        let mut client = world.client();
        accept(&mut client, &world.log, &signed).unwrap();
        let full = client.check_download(world.log.leaves().to_vec()).unwrap();
        full.check_own(&own)
    };
    assert_eq!(
        check(&mut world),
        Err(OwnChainAltered::Withheld { seqno: 1 })
    );
    let head = own.head();
    world.log.append(Leaf { subject, head });
    assert_eq!(check(&mut world), Ok(()));
    let head = ChainHead { seqno: 2, ..head };
    world.log.append(Leaf { subject, head });
    assert_eq!(
        check(&mut world),
        Err(OwnChainAltered::Unknown { seqno: 2 })
    );
}

#[test]
fn a_download_with_another_entry_is_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let signed = world.publish(NOW_S);
    accept(&mut client, &world.log, &signed).unwrap();
    let leaves = world.log.leaves().to_vec();
    let mut other = leaves.clone();
    other[2] = entry(2, 1, 77);
    let longer = [&leaves[..], &[entry(9, 1, 9)]].concat();
    for wrong in [other, longer, leaves[..4].to_vec(), Vec::new()] {
        let refused = client.check_download(wrong).unwrap_err();
        assert_eq!(refused, LogAltered::OtherEntries);
    }
}

#[test]
fn numbers_that_go_back_are_a_contradiction() {
    let mut world = World::new();
    world.log.append(entry(1, 3, 3));
    world.log.append(entry(1, 3, 3));
    let mut client = world.client();
    let signed = world.publish(NOW_S);
    accept(&mut client, &world.log, &signed).unwrap();
    client.check_download(world.log.leaves().to_vec()).unwrap();
    world.log.append(entry(1, 2, 2));
    let signed = world.publish(NOW_S);
    accept(&mut client, &world.log, &signed).unwrap();
    let refused = client
        .check_download(world.log.leaves().to_vec())
        .unwrap_err();
    assert_eq!(refused, LogAltered::Contradiction(Subject::User(person(1))));
}

#[test]
fn two_versions_of_the_log_do_not_get_past_the_witnesses() {
    let mut world = World::new();
    world.publish(NOW_S);
    let (mut mine, mut yours) = (world.log.clone(), world.log.clone());
    mine.append(entry(1, 2, 10));
    yours.append(entry(1, 2, 66));
    let shown_to_me = world.confirm(&mine, &[0, 1], NOW_S).unwrap();
    let mut me = world.client();
    accept(&mut me, &mine, &shown_to_me).unwrap();

    // The two that confirmed mine do not confirm yours, of any size.
    let refused = world.confirm(&yours, &[0], NOW_S).unwrap_err();
    assert_eq!(refused, WitnessRefusal::Conflict { size: 6 });
    yours.append(entry(1, 3, 67));
    let refused = world.confirm(&yours, &[1], NOW_S).unwrap_err();
    assert_eq!(refused, WitnessRefusal::ProofRefused);
    // The third does, but one is not enough for you …
    let shown_to_you = world.confirm(&yours, &[2], NOW_S).unwrap();
    let mut you = world.client();
    let refused = accept(&mut you, &yours, &shown_to_you).unwrap_err();
    let (found, needed) = (1, 2);
    assert_eq!(
        refused,
        CheckpointRefused::TooFewWitnesses { found, needed }
    );
    // … and somebody who believes one alone still sees the fork.
    let mut careless = Client::new(world.signer.key().clone(), world.keys.clone(), 1).unwrap();
    accept(&mut careless, &mine, &shown_to_me).unwrap();
    let refused = accept(&mut careless, &yours, &shown_to_you).unwrap_err();
    assert_eq!(refused, CheckpointRefused::Fork);
    assert_eq!(careless.latest(), Some(shown_to_me.checkpoint()));
}

#[test]
fn a_log_without_witnesses_shows_one_device_one_history() {
    let world = World::new();
    let alone = || Client::unwitnessed(world.signer.key().clone());
    assert!(world.client().is_witnessed() && !alone().is_witnessed());
    let before = world.log.sign(&world.signer);
    let (mut mine, mut yours) = (world.log.clone(), world.log.clone());
    mine.append(entry(1, 2, 10));
    yours.append(entry(1, 2, 66));
    let mut me = alone();
    accept(&mut me, &world.log, &before).unwrap();
    let shown = mine.sign(&world.signer);
    accept(&mut me, &mine, &shown).unwrap();
    let stored = me.latest_signed().unwrap().as_str().to_owned();
    let mut again = alone();
    again.resume(&stored).unwrap();
    for mut client in [me, again] {
        // Of the same size, and of a larger one.
        let mut other = yours.clone();
        for _ in 0..2 {
            let fork = accept(&mut client, &other, &other.sign(&world.signer));
            assert_eq!(fork.unwrap_err(), CheckpointRefused::Fork);
            other.append(entry(2, 2, 66));
        }
        let smaller = accept(&mut client, &world.log, &before).unwrap_err();
        assert_eq!(smaller, CheckpointRefused::Rollback);
        assert_eq!(client.latest(), Some(shown.checkpoint()));
    }
    let stranger = LogSigner::new(name(ORIGIN), signing());
    let forged = mine.sign(&stranger);
    let refused = accept(&mut alone(), &mine, &forged).unwrap_err();
    assert_eq!(refused, CheckpointRefused::NotSigned);
    // What nobody's signature prevents: another device is shown the other log.
    accept(&mut alone(), &yours, &yours.sign(&world.signer)).unwrap();
    // Once there are witnesses, what was believed without them does not count.
    let refused = world.client().resume(&stored).unwrap_err();
    let (found, needed) = (0, 2);
    assert_eq!(
        refused,
        CheckpointRefused::TooFewWitnesses { found, needed }
    );
}

#[test]
fn nothing_is_taken_back() {
    let mut world = World::new();
    let before = world.publish(NOW_S);
    let mut client = world.client();
    let small = world.log.clone();
    world.log.append(entry(1, 2, 2));
    let after = world.publish(NOW_S);
    accept(&mut client, &world.log, &after).unwrap();
    let refused = accept(&mut client, &world.log, &before).unwrap_err();
    assert_eq!(refused, CheckpointRefused::Rollback);
    // The witness knows six entries; five are not confirmed again.
    let body = small
        .request(5, &small.sign(&world.signer))
        .unwrap()
        .to_body();
    let refused = world.witnesses[0].add_checkpoint(&body, NOW_S).unwrap_err();
    assert_eq!(
        (refused, refused.status()),
        (WitnessRefusal::Conflict { size: 6 }, 409)
    );
    assert_eq!(refused.body(), Some(("text/x.tlog.size", "6\n".to_owned())));
    // Nor after a restart of either.
    let stored = client.latest_signed().unwrap().as_str().to_owned();
    let mut client = world.client();
    client.resume(&stored).unwrap();
    let refused = accept(&mut client, &world.log, &before).unwrap_err();
    assert_eq!(refused, CheckpointRefused::Rollback);
    let stored = world.witnesses[0]
        .latest(&name(ORIGIN))
        .unwrap()
        .as_str()
        .to_owned();
    let mut witness = Witness::new(WitnessSigner::new(name("new.example"), signing()));
    witness.resume(world.signer.key().clone(), &stored).unwrap();
    let refused = witness.add_checkpoint(&body, NOW_S).unwrap_err();
    assert_eq!(refused, WitnessRefusal::Conflict { size: 6 });
}

#[test]
fn every_altered_character_of_a_checkpoint_is_noticed_or_without_meaning() {
    let mut world = World::new();
    let signed = world.publish(NOW_S);
    let whole = signed.as_str();
    for (place, character) in whole.char_indices() {
        let other = if character == 'A' { 'B' } else { 'A' };
        let altered: String =
            [&whole[..place], &other.to_string()].concat() + &whole[place + character.len_utf8()..];
        let mut client = world.client();
        if client
            .accept(&altered, &Proof::default(), NOW_S, DAY_S)
            .is_ok()
        {
            // A name or id that was altered makes one of three witnesses unknown.
            let line = altered[..place].matches('\n').count();
            assert!(line >= 5, "{place}: {altered}");
        }
        assert!(
            client
                .latest()
                .is_none_or(|latest| latest == signed.checkpoint())
        );
    }
}
