//! What a device may be given by the server: nothing panics, whatever it is, and nobody says or
//! changes anything but the members. The property test and the fuzz target share it.
//!
//! OpenMLS draws its own randomness, so the genuine messages differ from run to run.
#![allow(dead_code)] // Each user calls a part.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::BTreeMap;

use crypto::identity::DeviceKeys;
use crypto::sframe::Member;
use crypto::{DeviceId, Entropy, OsEntropy, UserId, VerifyingKey};
use crypto_mls::{Group, MlsDevice, Received};

const TEXT: &[u8] = b"hello";

type Directory = BTreeMap<Member, VerifyingKey>;

/// Ana and Ben are in a group; Eve has a key package, and the server an account of its own.
pub struct World {
    directory: Directory,
    bens: Group,
    eve: MlsDevice,
    members: Vec<Member>,
    /// Messages to Ben, which he has not read.
    pub genuine: BTreeMap<&'static str, Vec<u8>>,
}

impl World {
    pub fn new() -> Self {
        let [ana, ben, eve, server] = [1, 2, 3, 4].map(|number| {
            let (user, device) = ([number; 16], [number; 16]);
            let (user, device) = (UserId::from_bytes(user), DeviceId::from_bytes(device));
            // Nobody whom a fuzzer remembers from an earlier run: their key packages are good still.
            let mut seed = [0; 32];
            OsEntropy.fill(&mut seed).unwrap();
            DeviceKeys::from_seed(user, device, &seed)
        });
        let known = [&ana, &ben, &eve].map(|keys| {
            let member = Member {
                user: keys.user(),
                device: keys.device(),
            };
            (member, keys.signing_key().verifying_key())
        });
        let directory = Directory::from(known);
        let [ana, ben, eve, server] = [ana, ben, eve, server].map(MlsDevice::new);
        let vouch = |member: Member| directory.get(&member).copied();
        let mut anas = ana.create_group(&[7; 16]).unwrap();
        let invitation = anas.add(&[&ben.key_package().unwrap()], &vouch).unwrap();
        anas.accepted().unwrap();
        let bens = ben.join(&invitation.welcome, &vouch).unwrap();
        let mut genuine = BTreeMap::from([
            ("message", anas.seal(TEXT).unwrap()),
            ("key package", eve.key_package().unwrap()),
            ("stranger", server.key_package().unwrap()),
            ("refresh", anas.refresh().unwrap()),
        ]);
        anas.rejected().unwrap();
        genuine.insert("removal", anas.remove(&[ben.member()]).unwrap());
        anas.rejected().unwrap();
        let invitation = anas.add(&[&eve.key_package().unwrap()], &vouch).unwrap();
        genuine.insert("addition", invitation.commit);
        genuine.insert("welcome", invitation.welcome);
        Self {
            members: bens.members(),
            directory,
            bens,
            eve,
            genuine,
        }
    }
}

/// Gives the bytes to everything; returns how many took them.
pub fn messages(world: &mut World, bytes: &[u8]) -> usize {
    let World {
        directory,
        bens,
        eve,
        members,
        genuine,
    } = world;
    let vouch = |member: Member| directory.get(&member).copied();
    let mut taken = 0;
    if let Ok(invitation) = bens.add(&[bytes], &vouch) {
        // A key package is public: whoever has it adds whom it is of.
        assert_eq!(bytes, genuine["key package"]);
        assert_ne!(invitation.commit, invitation.welcome);
        bens.rejected().unwrap();
        taken += 1;
    }
    if let Ok(group) = eve.join(bytes, &vouch) {
        assert_eq!(bytes, genuine["welcome"]);
        assert_eq!(group.members().len(), 3);
        taken += 1;
    }
    let epoch = bens.epoch();
    match bens.receive(bytes, &vouch) {
        Ok(Received::Message { from, text }) => {
            assert_eq!(bytes, genuine["message"]);
            assert_eq!((from, text.as_slice()), (members[0], TEXT));
            taken += 1;
        }
        Ok(Received::Changed { .. } | Received::Removed { .. }) => {
            let changes = ["refresh", "removal", "addition"];
            assert!(changes.iter().any(|name| genuine[name] == bytes));
            taken += 1;
            // Elsewhere from now on: the next input is for another group.
            *world = World::new();
            return taken;
        }
        Err(_) => assert_eq!(bens.epoch(), epoch),
    }
    assert_eq!(&bens.members(), members);
    taken
}
