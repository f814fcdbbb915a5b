//! Links that a device of the chain has signed, whatever they say: the rules have to hold against
//! people who have keys.

use std::collections::BTreeMap;

use crypto::hub::{Change, Role, RoleFlags, RoleId, Roster, Sigchains};
use crypto::identity::{DeviceKeys, Sigchain};
use crypto::{DeviceId, Label};
use ed25519_dalek::Signer;
use hkdf::Hkdf;
use sha2::Sha256;

use super::rules;
use super::world::{HUB, Still, VOLUNTEER, World, device};

/// Of each link: magic, version and whose it is; then its number and the hash of the one before it;
/// the time; who signs. The harness writes number and hash.
const NUMBER_AT: usize = 4 + 1 + 16;
const PREV_AT: usize = NUMBER_AT + 4;
const SIGNER_AT: usize = PREV_AT + 32 + 8;
const SIGNATURE_BYTES: usize = 64;
/// The most links of one input.
const MAX_LINKS: usize = 12;

/// Two chains, and Ana's devices to sign for them.
pub struct Chains {
    pub(super) sigchain: Sigchain,
    pub(super) roster: Roster,
    pub(super) sigchains: Sigchains,
    /// Ana's devices, of which the first two are in her list, and how they sign.
    keys: BTreeMap<DeviceId, (DeviceKeys, ed25519_dalek::SigningKey)>,
    pub(super) ben: DeviceKeys,
}

impl Chains {
    pub fn new(world: &World) -> Self {
        let mut sigchain = world.ana.chain.clone();
        let second = device(1, 3);
        let (phone, puk) = (&world.ana.keys, Some(&world.ana.puk));
        sigchain
            .add_device(phone, &second.card(), puk, 3, &mut Still(40))
            .unwrap();
        let mut sigchains = world.chains.clone();
        sigchains.insert(sigchain.user(), sigchain.clone());
        let mut roster = world.roster.clone();
        let third = Change::NoteHead {
            user: sigchain.user(),
            head: sigchain.head(),
        };
        roster.change(phone, vec![third], &sigchains, 13).unwrap();
        let numbers = [1, 3, 4, 5];
        let keys = numbers.map(|number| (device(1, number), [number; 32]));
        let keys = keys.map(|(keys, seed)| (keys.device(), (keys, signing(&seed))));
        Self {
            sigchain,
            roster,
            sigchains,
            keys: keys.into(),
            ben: device(2, 2),
        }
    }

    /// Inputs of [`links`] that are taken to the end.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let (phone, _) = &self.keys[&DeviceId::from_bytes([1; 16])];
        let (second, third) = (device(1, 3), device(1, 4));
        let ring = self.sigchain.open_puk(phone).unwrap();
        let (entropy, puk) = (&mut Still(41), ring.current());
        let mut chain = self.sigchain.clone();
        chain
            .add_device(&second, &third.card(), Some(puk), 5, entropy)
            .unwrap();
        chain
            .attest_transport_key(&third, HUB, 1, 6, entropy)
            .unwrap();
        chain.revoke_device(&third, second.device(), 7).unwrap();
        chain.rotate_puk(phone, Some(puk), 8, entropy).unwrap();
        let mut roster = self.roster.clone();
        let user = phone.user();
        let ben = *self.sigchains.keys().find(|one| **one != user).unwrap();
        let head = self.sigchains[&ben].head();
        let flags = RoleFlags {
            admin: false,
            reviewer: true,
        };
        let role = RoleId(9);
        let changes = [
            vec![Change::RemoveMember { user: ben }],
            vec![
                Change::DefineRole(
                    role,
                    Role {
                        flags,
                        permissions: 1,
                    },
                ),
                Change::AddMember {
                    user: ben,
                    role,
                    head,
                },
            ],
            vec![Change::ChangeRole {
                user: ben,
                role: VOLUNTEER,
            }],
            vec![
                Change::HubKey {
                    epoch: 2,
                    commitment: [2; 32],
                },
                Change::Settings {
                    revision: 2,
                    hash: [3; 32],
                },
            ],
        ];
        for changes in changes {
            roster
                .change(&second, changes, &self.sigchains, 14)
                .unwrap();
        }
        let known = self.sigchain.links().len();
        let seed = [input(0, chain.links().skip(known))];
        let known = self.roster.links().len();
        seed.into_iter()
            .chain([input(1, roster.links().skip(known))])
            .collect()
    }

    pub(super) fn devices(&self) -> impl Iterator<Item = &DeviceKeys> {
        self.keys.values().map(|(keys, _)| keys)
    }

    fn signed(&self, body: &[u8], label: Label, number: u32, prev: &[u8; 32]) -> Option<Vec<u8>> {
        let mut link = body.to_vec();
        link.get_mut(NUMBER_AT..PREV_AT)?
            .copy_from_slice(&number.to_be_bytes());
        link.get_mut(PREV_AT..PREV_AT + 32)?.copy_from_slice(prev);
        // Of the roster the user comes first.
        let at = match label {
            Label::SigchainLink => SIGNER_AT,
            _ => SIGNER_AT + 16,
        };
        let signer = link.get(at..at + 16)?.try_into().ok()?;
        let signer = self.keys.get(&DeviceId::from_bytes(signer));
        let (_, key) = signer.or_else(|| self.keys.values().next())?;
        // Longer than any link: refused by its length.
        if link.len() > 16_000 {
            return None;
        }
        let signature = key.sign(&label.bind(&link));
        link.extend_from_slice(&signature.to_bytes());
        Some(link)
    }
}

/// One byte for the chain, then links without signatures, each after its length in two bytes.
/// Returns how many were taken.
pub fn links(chains: &Chains, bytes: &[u8]) -> usize {
    let Some((which, mut rest)) = bytes.split_first() else {
        return 0;
    };
    let mut sigchain = chains.sigchain.clone();
    let mut roster = chains.roster.clone();
    let mut taken = 0;
    for _ in 0..MAX_LINKS {
        let Some((length, after)) = rest.split_first_chunk() else {
            break;
        };
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (body, after) = after.split_at(length);
        rest = after;
        taken += match which & 1 {
            0 => usize::from(sigchain_link(chains, &mut sigchain, body)),
            _ => usize::from(roster_link(chains, &mut roster, body)),
        };
    }
    rules::stored((&sigchain, &roster), &chains.sigchains);
    taken
}

fn sigchain_link(chains: &Chains, chain: &mut Sigchain, body: &[u8]) -> bool {
    let head = chain.head();
    let link = chains.signed(body, Label::SigchainLink, head.seqno + 1, &head.hash);
    link.is_some_and(|link| {
        rules::sigchain(chain, chains.devices(), |chain| chain.append(&link).is_ok())
    })
}

fn roster_link(chains: &Chains, roster: &mut Roster, body: &[u8]) -> bool {
    let (head, known) = (roster.head(), &chains.sigchains);
    let link = chains.signed(body, Label::HubRosterLink, head.seqno + 1, &head.hash);
    let append =
        |link: Vec<u8>| rules::roster(roster, known, |roster| roster.append(&link, known).is_ok());
    link.is_some_and(append)
}

fn input<'a>(which: u8, links: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = vec![which];
    for link in links {
        let body = &link[..link.len() - SIGNATURE_BYTES];
        out.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
        out.extend_from_slice(body);
    }
    out
}

/// The signature key of a device with this seed, by `docs/protocol`.
fn signing(seed: &[u8; 32]) -> ed25519_dalek::SigningKey {
    let mut key = [0; 32];
    let info = Label::DeviceSignSeed.bind(b"");
    let expanded = Hkdf::<Sha256>::new(None, seed).expand(&info, &mut key);
    expanded.unwrap();
    ed25519_dalek::SigningKey::from_bytes(&key)
}
