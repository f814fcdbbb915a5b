//! Changes that devices make by this crate's own means, in any order: each byte chooses.

use crypto::hub::{Change, Role, RoleFlags, RoleId, Roster, RosterState};
use crypto::identity::{ChainHead, DeviceKeys, Puk, Sigchain};
use crypto::{Entropy, UserId};

use super::insider::Chains;
use super::rules;
use super::world::{HUB, Still};

/// The most moves of one input.
const MAX_MOVES: usize = 24;
const NOBODY: UserId = UserId::from_bytes([7; 16]);

/// Something to begin with: as long as inputs get, and as good as any other.
pub fn some_moves() -> Vec<Vec<u8>> {
    let inputs = (1..=32_u8).map(|number| {
        let mut bytes = vec![number; 1 + 4 * MAX_MOVES];
        let filled = Still(u64::from(number)).fill(&mut bytes[1..]);
        filled.unwrap();
        bytes
    });
    inputs.collect()
}

/// One byte for the chain, then moves. Returns how many were taken.
pub fn moves(chains: &Chains, bytes: &[u8]) -> usize {
    match bytes.split_first() {
        Some((which, rest)) if which & 1 == 0 => of_devices(chains, rest),
        Some((_, rest)) => of_members(chains, rest),
        None => 0,
    }
}

/// Three bytes a move: what, who does it, to whom.
fn of_devices(chains: &Chains, bytes: &[u8]) -> usize {
    let devices: Vec<_> = chains.devices().collect();
    let mut chain = chains.sigchain.clone();
    let mut puk = chain.open_puk(devices[0]).unwrap().current().clone();
    let (moves, _) = bytes.as_chunks::<3>();
    let mut taken = 0;
    for turn in moves.iter().take(MAX_MOVES) {
        let make = |chain: &mut Sigchain| device_move(chain, &devices, &mut puk, turn);
        taken += usize::from(rules::sigchain(&mut chain, chains.devices(), make));
    }
    rules::stored((&chain, &chains.roster), &chains.sigchains);
    taken
}

fn device_move(
    chain: &mut Sigchain,
    devices: &[&DeviceKeys],
    puk: &mut Puk,
    &[what, who, whom]: &[u8; 3],
) -> bool {
    let [who, whom] = [who, whom].map(|one| devices[usize::from(one) % devices.len()]);
    let (time_ms, entropy) = (u64::from(chain.head().seqno), &mut Still(50));
    entropy.0 += time_ms;
    match what % 4 {
        0 => {
            let added = chain.add_device(who, &whom.card(), Some(puk), time_ms, entropy);
            added.is_ok()
        }
        1 => chain.revoke_device(who, whom.device(), time_ms).is_ok(),
        2 => {
            let next = chain.rotate_puk(who, Some(puk), time_ms, entropy);
            next.map(|next| *puk = next).is_ok()
        }
        _ => {
            let epoch = u32::from(what / 4 % 4);
            let attested = chain.attest_transport_key(who, HUB, epoch, time_ms, entropy);
            attested.is_ok()
        }
    }
}

/// A byte for who and how many changes, then three for each: what, to whom, how.
fn of_members(chains: &Chains, bytes: &[u8]) -> usize {
    let mut roster = chains.roster.clone();
    let signers: Vec<_> = chains.devices().take(2).chain([&chains.ben]).collect();
    let mut rest = bytes;
    let mut taken = 0;
    for _ in 0..MAX_MOVES {
        let Some((first, after)) = rest.split_first() else {
            break;
        };
        let signer = signers[usize::from(first % 3)];
        let (turns, _) = after.as_chunks::<3>();
        let count = usize::from(first / 3 % 3 + 1).min(turns.len());
        rest = &after[3 * count..];
        let turns = turns.iter().take(count);
        let changes: Vec<_> = turns
            .map(|turn| change(chains, roster.state(), turn))
            .collect();
        let known = &chains.sigchains;
        let sign = |roster: &mut Roster| roster.change(signer, changes, known, 20).is_ok();
        taken += usize::from(rules::roster(&mut roster, known, sign));
    }
    rules::stored((&chains.sigchain, &roster), &chains.sigchains);
    taken
}

fn change(chains: &Chains, state: &RosterState, &[what, whom, how]: &[u8; 3]) -> Change {
    let users = chains.sigchains.keys().copied();
    let user = users.chain([NOBODY]).nth(usize::from(whom % 3)).unwrap();
    let role = RoleId(u16::from(how % 4));
    match what % 7 {
        0 => Change::DefineRole(
            RoleId(u16::from(whom % 4)),
            Role {
                flags: RoleFlags {
                    admin: how & 1 != 0,
                    reviewer: how & 2 != 0,
                },
                permissions: u64::from(how),
            },
        ),
        1 => Change::AddMember {
            user,
            role,
            head: head(chains, user, how / 4),
        },
        2 => Change::ChangeRole { user, role },
        3 => Change::RemoveMember { user },
        4 => Change::NoteHead {
            user,
            head: head(chains, user, how / 4),
        },
        5 => Change::HubKey {
            epoch: state.epoch().map_or(0, |epoch| epoch.epoch) + u32::from(how % 3),
            commitment: [how; 32],
        },
        _ => Change::Settings {
            revision: state.settings().map_or(0, |head| head.revision) + u32::from(how % 3),
            hash: [how; 32],
        },
    }
}

/// The newest end of somebody's chain, or an older or a wrong one.
fn head(chains: &Chains, user: UserId, how: u8) -> ChainHead {
    let newest = chains.sigchains.get(&user).map(Sigchain::head);
    let newest = newest.unwrap_or(ChainHead {
        seqno: 1,
        hash: [0; 32],
    });
    match how % 4 {
        0..=2 => newest,
        _ => ChainHead {
            seqno: u32::from(how / 4),
            ..newest
        },
    }
}
