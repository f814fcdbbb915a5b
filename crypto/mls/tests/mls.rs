//! Groups of our devices, and with another implementation.

#![cfg(feature = "mls")]
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crypto::identity::DeviceKeys;
use crypto::sframe::{CallKey, FrameOpener, FrameSealer, Member, mls_exporter_label};
use crypto::{CallId, DeviceId, OsEntropy, UserId, VerifyingKey};
use crypto_mls::{Directory, Group, MAX_MEMBERS, MAX_MESSAGE_BYTES, MlsDevice, MlsError, Received};
use serde_json::{Value, json};

/// What everybody's sigchains say.
#[derive(Default)]
struct Chains(RefCell<BTreeMap<Member, VerifyingKey>>);

impl Directory for Chains {
    fn sign_key(&self, member: Member) -> Option<VerifyingKey> {
        self.0.borrow().get(&member).copied()
    }
}

impl Chains {
    /// A device that is in its person's sigchain.
    fn device(&self) -> MlsDevice {
        let keys = keys();
        let member = Member {
            user: keys.user(),
            device: keys.device(),
        };
        let key = keys.signing_key().verifying_key();
        self.0.borrow_mut().insert(member, key);
        MlsDevice::new(keys)
    }

    fn revoke(&self, member: Member) {
        self.0.borrow_mut().remove(&member);
    }
}

fn keys() -> DeviceKeys {
    let user = UserId::generate(&mut OsEntropy).unwrap();
    let device = DeviceId::generate(&mut OsEntropy).unwrap();
    let mut seed = [0; 32];
    crypto::Entropy::fill(&mut OsEntropy, &mut seed).unwrap();
    DeviceKeys::from_seed(user, device, &seed)
}

/// Adds a device to a group, and tells the others.
fn add(chains: &Chains, by: usize, groups: &mut Vec<Group>, device: &MlsDevice) {
    let package = device.key_package().unwrap();
    let invitation = groups[by].add(&[&package], chains).unwrap();
    for (place, group) in groups.iter_mut().enumerate() {
        match place == by {
            true => group.accepted().unwrap(),
            false => drop(group.receive(&invitation.commit, chains).unwrap()),
        }
    }
    groups.push(device.join(&invitation.welcome, chains).unwrap());
}

fn trio(chains: &Chains) -> (Vec<MlsDevice>, Vec<Group>) {
    let devices: Vec<_> = (0..3).map(|_| chains.device()).collect();
    let mut groups = vec![devices[0].create_group(&[7; 16]).unwrap()];
    add(chains, 0, &mut groups, &devices[1]);
    add(chains, 1, &mut groups, &devices[2]);
    (devices, groups)
}

fn text(from: &MlsDevice, text: &[u8]) -> Received {
    Received::Message {
        from: from.member(),
        text: text.to_vec(),
    }
}

#[test]
fn everybody_reads_what_a_member_says() {
    let chains = Chains::default();
    let (devices, mut groups) = trio(&chains);
    let everybody: Vec<Member> = devices.iter().map(MlsDevice::member).collect();
    for by in 0..3 {
        assert_eq!(groups[by].members(), everybody);
        let sealed = groups[by].seal(b"hello").unwrap();
        for (place, group) in groups.iter_mut().enumerate() {
            let heard = group.receive(&sealed, &chains);
            match place == by {
                true => assert!(heard.is_err()),
                false => assert_eq!(heard, Ok(text(&devices[by], b"hello"))),
            }
            // Never twice.
            assert!(group.receive(&sealed, &chains).is_err());
        }
    }
    let length = |group: &mut Group, text: &[u8]| group.seal(text).unwrap().len();
    assert_eq!(
        length(&mut groups[0], b"no"),
        length(&mut groups[0], b"yes")
    );
    let longest = groups[0].seal(&vec![0; MAX_MESSAGE_BYTES / 2]).unwrap();
    assert!(groups[1].receive(&longest, &chains).is_ok());
    let too_long = groups[0].seal(&vec![0; MAX_MESSAGE_BYTES / 2 + 1]);
    assert_eq!(too_long, Err(MlsError::Malformed));
}

#[test]
fn a_log_shows_nothing_of_what_was_said() {
    let device = Chains::default().device();
    let shown = format!("{:?}", text(&device, b"hello"));
    assert!(shown.starts_with("Message(5 bytes from "), "{shown}");
    assert!(!shown.contains("hello") && !shown.contains("104, 101"));
}

#[test]
fn who_is_removed_reads_nothing_more_and_knows_it() {
    let chains = Chains::default();
    let (devices, mut groups) = trio(&chains);
    let before = groups[0].seal(b"before").unwrap();
    let commit = groups[0].remove(&[devices[2].member()]).unwrap();
    groups[0].accepted().unwrap();
    let by = devices[0].member();
    assert_eq!(
        groups[1].receive(&commit, &chains),
        Ok(Received::Changed { by })
    );
    assert!(groups[2].receive(&before, &chains).is_ok());
    // What comes after the change is too late.
    let late = groups[1].receive(&before, &chains);
    assert!(matches!(late, Err(MlsError::Refused(_))), "{late:?}");
    assert_eq!(
        groups[2].receive(&commit, &chains),
        Ok(Received::Removed { by })
    );
    let after = groups[1].seal(b"after").unwrap();
    assert_eq!(
        groups[0].receive(&after, &chains),
        Ok(text(&devices[1], b"after"))
    );
    assert_eq!(groups[2].receive(&after, &chains), Err(MlsError::Removed));
    assert_eq!(groups[2].seal(b"still here"), Err(MlsError::Removed));
    let call = CallId::generate(&mut OsEntropy).unwrap();
    assert!(groups[2].call_key(call).is_err());
    assert_eq!(groups[0].members().len(), 2);
    // And nobody removes themselves, or who is not there.
    for nobody in [devices[0].member(), devices[2].member()] {
        let refused = groups[0].remove(&[nobody]);
        assert!(matches!(refused, Err(MlsError::BadChange(_))));
    }
}

#[test]
fn a_change_that_came_second_is_taken_back() {
    let chains = Chains::default();
    let (devices, mut groups) = trio(&chains);
    let first = groups[0].refresh().unwrap();
    let _second = groups[1].remove(&[devices[2].member()]).unwrap();
    assert_eq!(groups[1].seal(b"not now"), Err(MlsError::ChangePending));
    assert_eq!(groups[1].refresh(), Err(MlsError::ChangePending));
    groups[1].rejected().unwrap();
    groups[0].accepted().unwrap();
    for group in &mut groups[1..] {
        group.receive(&first, &chains).unwrap();
    }
    let sealed = groups[1].seal(b"still together").unwrap();
    assert!(groups[2].receive(&sealed, &chains).is_ok());
}

#[test]
fn nobody_vouches_for_the_server() {
    let chains = Chains::default();
    let (devices, mut groups) = trio(&chains);
    // Its own device, and one in the name of a member with another key.
    let server_keys = keys();
    let server = MlsDevice::new(server_keys.clone());
    let package = server.key_package().unwrap();
    let refused = groups[0].add(&[&package], &chains);
    assert_eq!(refused, Err(MlsError::Stranger));
    let Member { user, device } = devices[1].member();
    let named = MlsDevice::new(DeviceKeys::from_seed(user, device, &[9; 32]));
    let refused = groups[0].add(&[&named.key_package().unwrap()], &chains);
    assert_eq!(refused, Err(MlsError::Stranger));

    // A member who is fooled adds it: the others do not follow.
    let fooled = |member: Member| match member == server.member() {
        true => Some(server_keys.signing_key().verifying_key()),
        false => chains.sign_key(member),
    };
    let invitation = groups[1].add(&[&package], &fooled).unwrap();
    groups[1].accepted().unwrap();
    let epoch = groups[0].epoch();
    let refused = groups[0].receive(&invitation.commit, &chains);
    assert_eq!(refused, Err(MlsError::Stranger));
    assert_eq!(groups[0].epoch(), epoch);

    // Whoever is invited into a group with it does not join.
    let late = chains.device();
    let package = late.key_package().unwrap();
    let invitation = groups[1].add(&[&package], &fooled).unwrap();
    let refused = late.join(&invitation.welcome, &chains);
    assert_eq!(refused.unwrap_err(), MlsError::Stranger);
}

#[test]
fn a_device_that_was_revoked_does_not_come_in_or_renew_itself() {
    let chains = Chains::default();
    let (devices, mut groups) = trio(&chains);
    let late = chains.device();
    let package = late.key_package().unwrap();
    chains.revoke(late.member());
    let refused = groups[0].add(&[&package], &chains);
    assert_eq!(refused, Err(MlsError::Stranger));
    chains.revoke(devices[2].member());
    let commit = groups[2].refresh().unwrap();
    assert_eq!(groups[0].receive(&commit, &chains), Err(MlsError::Stranger));
}

#[test]
fn a_device_that_was_revoked_is_not_heard_before_it_is_removed() {
    let chains = Chains::default();
    let (devices, mut groups) = trio(&chains);
    let [before, after] = [b"before", b"after."].map(|text| groups[2].seal(text).unwrap());
    let heard = groups[0].receive(&before, &chains);
    assert_eq!(heard, Ok(text(&devices[2], b"before")));
    chains.revoke(devices[2].member());
    let stranger = Err(MlsError::Stranger);
    assert_eq!(groups[0].receive(&after, &chains), stranger);
    // It cannot put anybody out either.
    let commit = groups[2].remove(&[devices[1].member()]).unwrap();
    assert_eq!(groups[0].receive(&commit, &chains), stranger);
    assert_eq!(groups[0].members().len(), 3);
    // The others go on, and remove it.
    let said = groups[1].seal(b"go on").unwrap();
    let heard = groups[0].receive(&said, &chains);
    assert_eq!(heard, Ok(text(&devices[1], b"go on")));
    groups[0].remove(&[devices[2].member()]).unwrap();
    groups[0].accepted().unwrap();
    assert_eq!(groups[0].members().len(), 2);
}

/// The key of a device is looked at, not only its name.
#[test]
fn a_device_whose_key_is_another_by_now_is_not_heard() {
    let chains = Chains::default();
    let (devices, mut groups) = trio(&chains);
    let said = groups[2].seal(b"hello").unwrap();
    let other = keys().signing_key().verifying_key();
    let replaced = chains.0.borrow_mut().insert(devices[2].member(), other);
    assert!(replaced.is_some());
    let heard = groups[0].receive(&said, &chains);
    assert_eq!(heard, Err(MlsError::Stranger));
}

#[test]
fn altered_and_foreign_messages_change_nothing() {
    let chains = Chains::default();
    let (devices, mut groups) = trio(&chains);
    let sealed = groups[0].seal(b"genuine").unwrap();
    for at in (0..sealed.len()).step_by(3) {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(groups[1].receive(&altered, &chains).is_err(), "{at}");
        assert!(groups[1].receive(&sealed[..at], &chains).is_err(), "{at}");
    }
    let longer = [&sealed[..], b"x"].concat();
    assert_eq!(
        groups[1].receive(&longer, &chains),
        Err(MlsError::Malformed)
    );
    // What somebody publishes bears their signature, to the last bit.
    let late = chains.device().key_package().unwrap();
    for at in (0..late.len()).step_by(3).chain(late.len() - 8..late.len()) {
        let mut altered = late.clone();
        altered[at] ^= 1;
        assert!(groups[0].add(&[&altered], &chains).is_err(), "{at}");
        assert!(groups[0].add(&[&late[..at]], &chains).is_err(), "{at}");
    }
    let mut elsewhere = devices[0].create_group(&[8; 16]).unwrap();
    let foreign = elsewhere.seal(b"elsewhere").unwrap();
    assert!(groups[1].receive(&foreign, &chains).is_err());
    // A key package is no welcome, a welcome is no message.
    let package = chains.device().key_package().unwrap();
    assert_eq!(
        devices[0].join(&package, &chains).unwrap_err(),
        MlsError::Malformed
    );
    assert_eq!(
        groups[1].receive(&package, &chains),
        Err(MlsError::Malformed)
    );
    assert_eq!(groups[1].add(&[&sealed], &chains), Err(MlsError::Malformed));
    assert_eq!(
        groups[1].receive(&sealed, &chains),
        Ok(text(&devices[0], b"genuine"))
    );
}

#[test]
fn a_group_speaks_with_keys_of_its_own_and_new_ones_after_each_change() {
    let chains = Chains::default();
    let (devices, mut groups) = trio(&chains);
    let call = CallId::generate(&mut OsEntropy).unwrap();
    let keys: Vec<CallKey> = groups
        .iter()
        .map(|group| group.call_key(call).unwrap())
        .collect();
    let mut sealer = FrameSealer::new(&keys[0], &mut OsEntropy).unwrap();
    let mut listener = FrameOpener::new(call);
    listener.use_key(keys[1].clone()).unwrap();
    let sealed = sealer.seal(b"sound").unwrap();
    let heard = listener.open(&sealed);
    assert_eq!(heard, Ok((devices[0].member(), b"sound".to_vec().into())));
    // Another call of the same group, or the same call after a change.
    let another = CallId::generate(&mut OsEntropy).unwrap();
    let mut deaf = FrameOpener::new(another);
    deaf.use_key(groups[1].call_key(another).unwrap()).unwrap();
    assert!(deaf.open(&sealer.seal(b"sound").unwrap()).is_err());
    let commit = groups[0].remove(&[devices[2].member()]).unwrap();
    groups[0].accepted().unwrap();
    groups[1].receive(&commit, &chains).unwrap();
    let mut sealer = FrameSealer::new(&groups[0].call_key(call).unwrap(), &mut OsEntropy).unwrap();
    let sealed = sealer.seal(b"alone").unwrap();
    let mut removed = FrameOpener::new(call);
    removed.use_key(keys[2].clone()).unwrap();
    assert!(removed.open(&sealed).is_err());
    listener.use_key(groups[1].call_key(call).unwrap()).unwrap();
    assert!(listener.open(&sealed).is_ok());
}

/// A member over npm `ts-mls`.
struct Peer {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    member: Member,
    key_package: Vec<u8>,
}

impl Peer {
    fn start(chains: &Chains) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
        assert!(
            folder.join("node_modules").exists(),
            "the tests need JavaScript packages: npm ci --prefix crypto/mls/tests/node"
        );
        let mut process = Command::new("node")
            .arg(folder.join("peer.js"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let member = Member {
            user: UserId::generate(&mut OsEntropy).unwrap(),
            device: DeviceId::generate(&mut OsEntropy).unwrap(),
        };
        let mut peer = Self {
            to: process.stdin.take().unwrap(),
            from: BufReader::new(process.stdout.take().unwrap()),
            process,
            member,
            key_package: Vec::new(),
        };
        let own = peer.ask(json!({"do": "introduce", "identity": identity(&member)}));
        peer.key_package = unhex(&own["key_package"]);
        let key = unhex(&own["sign_key"]).try_into().unwrap();
        let key = VerifyingKey::from_bytes(&key).unwrap();
        chains.0.borrow_mut().insert(member, key);
        peer
    }

    fn ask(&mut self, command: Value) -> Value {
        writeln!(self.to, "{command}").unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer.get("error").is_none(), "{command} {answer}");
        answer
    }

    /// Messages both ways, and one secret.
    fn talk(&mut self, device: &MlsDevice, group: &mut Group, chains: &Chains) {
        let said = self.ask(json!({"do": "say", "text": hex(b"from there")}));
        let heard = group.receive(&unhex(&said["message"]), chains).unwrap();
        let (from, text) = (self.member, b"from there".to_vec());
        assert_eq!(heard, Received::Message { from, text });
        let sealed = group.seal(b"from here").unwrap();
        let heard = self.ask(json!({"do": "hear", "message": hex(sealed)}));
        assert_eq!(unhex(&heard["text"]), b"from here");

        let call = CallId::generate(&mut OsEntropy).unwrap();
        let theirs = self.ask(json!({
            "do": "export", "label": mls_exporter_label(), "context": hex(call.as_bytes()),
        }));
        let secret = unhex(&theirs["secret"]).try_into().unwrap();
        let epoch = theirs["epoch"].as_u64().unwrap();
        assert_eq!(epoch, group.epoch());
        let epoch = u32::try_from(epoch).unwrap();
        let members = group.members();
        let named: Vec<Value> = members
            .iter()
            .map(|member| identity(member).into())
            .collect();
        assert_eq!(theirs["members"], Value::from(named));
        let theirs = CallKey::from_shared_secret(call, epoch, &secret, members, self.member);
        let mut sealer = FrameSealer::new(&theirs.unwrap(), &mut OsEntropy).unwrap();
        let mut listener = FrameOpener::new(call);
        listener.use_key(group.call_key(call).unwrap()).unwrap();
        let heard = listener.open(&sealer.seal(b"sound").unwrap());
        assert_eq!(heard, Ok((self.member, b"sound".to_vec().into())));
        assert!(group.members().contains(&device.member()));
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn another_implementation_joins_our_group() {
    let chains = Chains::default();
    let (ana, ben, mut peer) = (chains.device(), chains.device(), Peer::start(&chains));
    let mut anas = ana.create_group(&[1; 16]).unwrap();
    let invitation = anas.add(&[&peer.key_package], &chains).unwrap();
    anas.accepted().unwrap();
    peer.ask(json!({"do": "join", "welcome": hex(invitation.welcome)}));
    peer.talk(&ana, &mut anas, &chains);
    // Our changes, carried out there; and their change, carried out here.
    let invitation = anas.add(&[&ben.key_package().unwrap()], &chains).unwrap();
    anas.accepted().unwrap();
    peer.ask(json!({"do": "hear", "message": hex(invitation.commit)}));
    let mut bens = ben.join(&invitation.welcome, &chains).unwrap();
    peer.talk(&ben, &mut bens, &chains);
    let commit = bens.refresh().unwrap();
    bens.accepted().unwrap();
    peer.ask(json!({"do": "hear", "message": hex(commit)}));
    peer.talk(&ben, &mut bens, &chains);
}

#[test]
fn we_join_the_group_of_another_implementation() {
    let chains = Chains::default();
    let (ana, ben, mut peer) = (chains.device(), chains.device(), Peer::start(&chains));
    peer.ask(json!({"do": "create", "id": hex([2; 16])}));
    let package = hex(ana.key_package().unwrap());
    let added = peer.ask(json!({"do": "add", "key_packages": [package]}));
    let mut anas = ana.join(&unhex(&added["welcome"]), &chains).unwrap();
    assert_eq!(anas.members(), [peer.member, ana.member()]);
    peer.talk(&ana, &mut anas, &chains);
    let package = hex(ben.key_package().unwrap());
    let added = peer.ask(json!({"do": "add", "key_packages": [package]}));
    anas.receive(&unhex(&added["commit"]), &chains).unwrap();
    let mut bens = ben.join(&unhex(&added["welcome"]), &chains).unwrap();
    peer.talk(&ben, &mut bens, &chains);
    // Ana is removed by them, and then they by Ben.
    let removed = peer.ask(json!({"do": "remove", "place": 1}));
    let commit = unhex(&removed["commit"]);
    let by = peer.member;
    assert_eq!(anas.receive(&commit, &chains), Ok(Received::Removed { by }));
    assert_eq!(bens.receive(&commit, &chains), Ok(Received::Changed { by }));
    bens.remove(&[peer.member]).unwrap();
    bens.accepted().unwrap();
    assert_eq!(bens.members(), [ben.member()]);
}

/// A member that knows the protocol but not our limits.
#[test]
fn changes_beyond_what_a_group_does_are_refused() {
    let chains = Chains::default();
    let (ana, ben, mut peer) = (chains.device(), chains.device(), Peer::start(&chains));
    let invite = |peer: &mut Peer, devices: &[MlsDevice]| {
        let packages = devices.iter().map(|device| device.key_package().unwrap());
        let packages: Vec<String> = packages.map(hex).collect();
        peer.ask(json!({"do": "add", "key_packages": packages}))
    };
    peer.ask(json!({"do": "create", "id": hex([3; 16])}));
    let added = invite(&mut peer, &[ana.clone(), ben]);
    let mut anas = ana.join(&unhex(&added["welcome"]), &chains).unwrap();
    let epoch = anas.epoch();
    let extended = peer.ask(json!({"do": "extend", "place": 2}));
    let refused = |why: &str| Err(MlsError::Refused(why.to_owned()));
    assert_eq!(
        anas.receive(&unhex(&extended["commit"]), &chains),
        refused("it changes more than the members")
    );

    peer.ask(json!({"do": "create", "id": hex([4; 16])}));
    let added = invite(&mut peer, std::slice::from_ref(&ana));
    let mut crowd = ana.join(&unhex(&added["welcome"]), &chains).unwrap();
    let many: Vec<_> = (0..MAX_MEMBERS - 1).map(|_| chains.device()).collect();
    let added = invite(&mut peer, &many);
    assert_eq!(
        crowd.receive(&unhex(&added["commit"]), &chains),
        refused("there would be too many")
    );
    let late = many[0].join(&unhex(&added["welcome"]), &chains);
    assert!(matches!(late, Err(MlsError::NotInvited(_))), "{late:?}");
    assert_eq!((anas.epoch(), crowd.epoch()), (epoch, epoch));
    // Nor does one bring it about oneself.
    let packages: Vec<_> = many.iter().map(|one| one.key_package().unwrap()).collect();
    let packages: Vec<&[u8]> = packages.iter().map(Vec::as_slice).collect();
    let refused = crowd.add(&packages, &chains);
    assert!(
        matches!(refused, Err(MlsError::BadChange(_))),
        "{refused:?}"
    );
}

fn identity(member: &Member) -> String {
    hex(member.user.as_bytes()) + &hex(member.device.as_bytes())
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}
