//! What a server that wants to read along, or somebody who left, can try with
//! a roster.

use super::link::LinkBody;
use super::*;
use crate::hub::{HubError, HubKey, SealedSettings};
use crate::id::DeviceId;
use crate::identity::{Puk, SigchainError};
use crate::{Entropy, OsEntropy};

const ADMIN: RoleId = RoleId(1);
const VOLUNTEER: RoleId = RoleId(2);

struct Person {
    keys: DeviceKeys,
    puk: Puk,
}

struct Hub {
    admin: Person,
    volunteer: Person,
    chains: Sigchains,
    roster: Roster,
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

fn person(number: u8, chains: &mut Sigchains) -> Person {
    let mut seed = [0; 32];
    OsEntropy.fill(&mut seed).unwrap();
    let device = DeviceId::from_bytes([number; 16]);
    let keys = DeviceKeys::from_seed(user(number), device, &seed);
    let mut chain = Sigchain::create(&keys, 1).unwrap();
    let puk = chain.rotate_puk(&keys, None, 2, &mut OsEntropy).unwrap();
    chains.insert(user(number), chain);
    Person { keys, puk }
}

fn role(admin: bool) -> Role {
    let flags = RoleFlags {
        admin,
        reviewer: false,
    };
    let permissions = 0;
    Role { flags, permissions }
}

fn join(chains: &Sigchains, number: u8, role: RoleId) -> Change {
    let (user, head) = (user(number), chains[&user(number)].head());
    Change::AddMember { user, role, head }
}

fn founding(chains: &Sigchains) -> Vec<Change> {
    vec![
        Change::DefineRole(ADMIN, role(true)),
        Change::DefineRole(VOLUNTEER, role(false)),
        join(chains, 1, ADMIN),
    ]
}

fn hub_id() -> HubId {
    HubId::from_bytes([0xaa; 16])
}

/// An admin (person 1) and a volunteer (person 2).
fn hub() -> Hub {
    let mut chains = Sigchains::new();
    let (admin, volunteer) = (person(1, &mut chains), person(2, &mut chains));
    let mut roster = Roster::create(hub_id(), &admin.keys, founding(&chains), &chains, 10).unwrap();
    let changes = vec![join(&chains, 2, VOLUNTEER)];
    roster.change(&admin.keys, changes, &chains, 11).unwrap();
    Hub {
        admin,
        volunteer,
        chains,
        roster,
    }
}

/// The next entry, as anybody could write it.
fn body(hub: &Hub, signer: &DeviceKeys, changes: Vec<Change>) -> LinkBody {
    LinkBody {
        hub: hub_id(),
        seqno: hub.roster.head().seqno + 1,
        prev: hub.roster.head().hash,
        time_ms: 99,
        signer: signer.user(),
        signer_device: signer.device(),
        signer_head: hub.chains[&signer.user()].head(),
        changes,
    }
}

/// What a client says to an entry; a refused entry must leave no trace.
fn offer(hub: &Hub, link: &[u8]) -> RosterError {
    let mut target = hub.roster.clone();
    let refusal = target.append(link, &hub.chains).unwrap_err();
    assert_eq!(target, hub.roster);
    refusal
}

#[test]
fn the_server_cannot_name_a_member() {
    let mut hub = hub();
    let spy = person(9, &mut hub.chains);
    let changes = vec![join(&hub.chains, 9, ADMIN)];
    // In its own name; in the admin's; as a volunteer it has won over.
    let link = body(&hub, &spy.keys, changes.clone()).sign(spy.keys.signing_key());
    assert_eq!(offer(&hub, &link), RosterError::NotAdmin { seqno: 3 });
    let link = body(&hub, &hub.admin.keys, changes.clone()).sign(spy.keys.signing_key());
    assert_eq!(offer(&hub, &link), RosterError::BadSignature { seqno: 3 });
    let volunteer = &hub.volunteer.keys;
    let link = body(&hub, volunteer, changes).sign(volunteer.signing_key());
    assert_eq!(offer(&hub, &link), RosterError::NotAdmin { seqno: 3 });
}

#[test]
fn the_server_cannot_put_another_sigchain_under_a_member_s_name() {
    let mut hub = hub();
    let links: Vec<Vec<u8>> = hub.roster.links().map(<[u8]>::to_vec).collect();
    let honest = hub.chains[&user(2)].clone();
    person(2, &mut hub.chains);
    let (user, reason) = (user(2), SigchainError::Fork);
    let refused = RosterError::Sigchain { user, reason };
    assert_eq!(Roster::from_links(&links, &hub.chains), Err(refused));
    let keys = hub.roster.state().member_keys(&hub.chains);
    assert_eq!(keys, Err(refused));
    // Somebody else's whole chain, under the member's name.
    let other = hub.chains[&hub.admin.keys.user()].clone();
    hub.chains.insert(user, other);
    let refused = RosterError::SigchainMissing(user);
    assert_eq!(Roster::from_links(&links, &hub.chains), Err(refused));
    hub.chains.insert(user, honest);
    Roster::from_links(&links, &hub.chains).unwrap();
}

#[test]
fn a_roster_begins_with_an_admin_who_signs_it() {
    let mut chains = Sigchains::new();
    let (one, _) = (person(1, &mut chains), person(2, &mut chains));
    let refusal = |changes| Roster::create(hub_id(), &one.keys, changes, &chains, 1).unwrap_err();
    let roles = [
        Change::DefineRole(ADMIN, role(true)),
        Change::DefineRole(VOLUNTEER, role(false)),
    ];
    let with = |last: &[Change]| [&roles, last].concat();
    for members in [
        vec![],
        vec![join(&chains, 2, ADMIN)],
        vec![join(&chains, 1, VOLUNTEER)],
        vec![join(&chains, 1, VOLUNTEER), join(&chains, 2, ADMIN)],
    ] {
        assert_eq!(refusal(with(&members)), RosterError::NoBootstrap);
    }
    let undefined = vec![join(&chains, 1, ADMIN)];
    assert_eq!(refusal(undefined), RosterError::NoSuchRole(1));
}

#[test]
fn a_hub_is_never_left_without_an_admin() {
    let hub = hub();
    let refusal = |change| {
        let link = body(&hub, &hub.admin.keys, vec![change]);
        offer(&hub, &link.sign(hub.admin.keys.signing_key()))
    };
    let (user, role_id) = (user(1), VOLUNTEER);
    let role = role(false);
    assert_eq!(
        refusal(Change::RemoveMember { user }),
        RosterError::NoAdminLeft
    );
    let demotion = Change::ChangeRole {
        user,
        role: role_id,
    };
    assert_eq!(refusal(demotion), RosterError::NoAdminLeft);
    let disarmed = Change::DefineRole(ADMIN, role);
    assert_eq!(refusal(disarmed), RosterError::NoAdminLeft);
}

#[test]
fn an_older_or_another_roster_is_noticed_by_whoever_saw_the_first() {
    let mut hub = hub();
    let before = hub.roster.clone();
    let remove = vec![Change::RemoveMember { user: user(2) }];
    hub.roster
        .change(&hub.admin.keys, remove, &hub.chains, 12)
        .unwrap();
    let seen = hub.roster.head();
    hub.roster.check_contains(&before.head()).unwrap();
    assert_eq!(before.check_contains(&seen), Err(RosterError::Rollback));
    let mut fork = before;
    let other = vec![Change::DefineRole(RoleId(3), role(false))];
    fork.change(&hub.admin.keys, other, &hub.chains, 12)
        .unwrap();
    assert_eq!(fork.check_contains(&seen), Err(RosterError::Fork));
}

#[test]
fn entries_of_another_place_or_hub_are_refused() {
    let hub = hub();
    let key = hub.admin.keys.signing_key();
    let change = vec![Change::RemoveMember { user: user(2) }];
    let good = body(&hub, &hub.admin.keys, change);
    let refusal = |alter: fn(&mut LinkBody)| {
        let mut body = good.clone();
        alter(&mut body);
        offer(&hub, &body.sign(key))
    };
    assert_eq!(
        refusal(|body| body.hub = HubId::from_bytes([0xbb; 16])),
        RosterError::OtherHub { seqno: 3 }
    );
    let (expected, found) = (3, 4);
    assert_eq!(
        refusal(|body| body.seqno = 4),
        RosterError::Gap { expected, found }
    );
    assert_eq!(
        refusal(|body| body.prev[0] ^= 1),
        RosterError::WrongPrev { seqno: 3 }
    );
    let (user, reason) = (user(1), SigchainError::Fork);
    assert_eq!(
        refusal(|body| body.signer_head.hash[0] ^= 1),
        RosterError::Sigchain { user, reason }
    );
    hub.roster
        .clone()
        .append(&good.sign(key), &hub.chains)
        .unwrap();
}

#[test]
fn a_stolen_device_cannot_sign_once_the_roster_knows_of_its_revocation() {
    let mut hub = hub();
    let stolen = hub.admin.keys.clone();
    let fresh = DeviceKeys::from_seed(user(1), DeviceId::from_bytes([0x11; 16]), &[5; 32]);
    let chain = hub.chains.get_mut(&user(1)).unwrap();
    chain
        .add_device(
            &stolen,
            &fresh.card(),
            Some(&hub.admin.puk),
            20,
            &mut OsEntropy,
        )
        .unwrap();
    let old_head = chain.head();
    chain.revoke_device(&fresh, stolen.device(), 21).unwrap();
    let change = vec![Change::RemoveMember { user: user(2) }];
    // It cannot claim to be live now.
    let link = body(&hub, &stolen, change.clone()).sign(stolen.signing_key());
    let (user, reason) = (user(1), SigchainError::NoSuchDevice);
    assert_eq!(offer(&hub, &link), RosterError::Sigchain { user, reason });
    let head = hub.chains[&user].head();
    let note = vec![Change::NoteHead { user, head }];
    hub.roster.change(&fresh, note, &hub.chains, 22).unwrap();
    // Nor that it signed before.
    let mut backdated = body(&hub, &stolen, change);
    backdated.signer_head = old_head;
    assert_eq!(
        offer(&hub, &backdated.sign(stolen.signing_key())),
        RosterError::StaleHead { seqno: 4 }
    );
}

#[test]
fn who_left_cannot_open_the_next_epoch() {
    let mut hub = hub();
    let admin = &hub.admin.keys;
    let announce = |key: &HubKey| Change::HubKey {
        epoch: key.epoch(),
        commitment: key.commitment(),
    };
    let first = HubKey::generate(hub_id(), 1, &mut OsEntropy).unwrap();
    hub.roster
        .change(admin, vec![announce(&first)], &hub.chains, 12)
        .unwrap();
    let epoch_1 = *hub.roster.state().epoch().unwrap();
    let leaver = hub.volunteer.puk.reader();
    let wrap = first.wrap_for(&epoch_1, &leaver, &mut OsEntropy).unwrap();
    let opened = wrap.open(&epoch_1, &hub.volunteer.puk).unwrap();
    assert_eq!(opened.topic(), first.topic());

    let remove = Change::RemoveMember { user: user(2) };
    hub.roster
        .change(admin, vec![remove], &hub.chains, 13)
        .unwrap();
    assert!(hub.roster.state().hub_key_rotation_due());
    let second = HubKey::generate(hub_id(), 2, &mut OsEntropy).unwrap();
    hub.roster
        .change(admin, vec![announce(&second)], &hub.chains, 14)
        .unwrap();
    assert!(!hub.roster.state().hub_key_rotation_due());
    let epoch_2 = *hub.roster.state().epoch().unwrap();
    let readers = hub.roster.state().member_keys(&hub.chains).unwrap();
    let wraps: Vec<_> = readers
        .iter()
        .map(|reader| second.wrap_for(&epoch_2, reader, &mut OsEntropy).unwrap())
        .collect();
    assert_eq!(wraps.len(), 1);
    wraps[0].open(&epoch_2, &hub.admin.puk).unwrap();
    // The leaver has the old key, their own key, and all that is on the server.
    let theirs = &hub.volunteer.puk;
    assert_eq!(
        wraps[0].open(&epoch_2, theirs).unwrap_err(),
        HubError::NotForThisKey
    );
    let mut readdressed = wraps[0].encode();
    readdressed[25..41].copy_from_slice(user(2).as_bytes());
    let readdressed = crate::hub::HubKeyWrap::decode(&readdressed).unwrap();
    assert_eq!(
        readdressed.open(&epoch_2, theirs).unwrap_err(),
        HubError::WrapRefused
    );
    assert_eq!(
        wrap.open(&epoch_2, theirs).unwrap_err(),
        HubError::WrapRefused
    );
    assert_ne!(first.topic(), second.topic());
}

#[test]
fn nobody_can_hand_out_a_hub_key_that_no_admin_announced() {
    let mut hub = hub();
    let announced = HubKey::generate(hub_id(), 1, &mut OsEntropy).unwrap();
    let change = |epoch, commitment| vec![Change::HubKey { epoch, commitment }];
    let commitment = announced.commitment();
    hub.roster
        .change(&hub.admin.keys, change(1, commitment), &hub.chains, 12)
        .unwrap();
    let epoch = *hub.roster.state().epoch().unwrap();
    // The server's own key, sealed as for its own announcement.
    let its = HubKey::generate(hub_id(), 1, &mut OsEntropy).unwrap();
    let mut its_epoch = epoch;
    its_epoch.commitment = its.commitment();
    let reader = hub.volunteer.puk.reader();
    let wrap = its.wrap_for(&its_epoch, &reader, &mut OsEntropy).unwrap();
    assert_eq!(
        wrap.open(&epoch, &hub.volunteer.puk).unwrap_err(),
        HubError::KeySwapped
    );
    assert_eq!(
        its.wrap_for(&epoch, &reader, &mut OsEntropy).unwrap_err(),
        HubError::KeySwapped
    );
    for found in [0, 1, 3] {
        let link = body(&hub, &hub.admin.keys, change(found, commitment));
        let expected = 2;
        assert_eq!(
            offer(&hub, &link.sign(hub.admin.keys.signing_key())),
            RosterError::Epoch { expected, found }
        );
    }
}

#[test]
fn a_member_s_revoked_device_makes_a_new_hub_key_due() {
    let mut hub = hub();
    let key = HubKey::generate(hub_id(), 1, &mut OsEntropy).unwrap();
    let (epoch, commitment) = (1, key.commitment());
    let announce = vec![Change::HubKey { epoch, commitment }];
    hub.roster
        .change(&hub.admin.keys, announce, &hub.chains, 12)
        .unwrap();
    let volunteer = &hub.volunteer;
    let second = DeviceKeys::from_seed(user(2), DeviceId::from_bytes([0x22; 16]), &[6; 32]);
    let chain = hub.chains.get_mut(&user(2)).unwrap();
    chain
        .add_device(
            &volunteer.keys,
            &second.card(),
            Some(&volunteer.puk),
            20,
            &mut OsEntropy,
        )
        .unwrap();
    let note = |hub: &mut Hub| {
        let (user, head) = (user(2), hub.chains[&user(2)].head());
        let note = vec![Change::NoteHead { user, head }];
        hub.roster
            .change(&hub.admin.keys, note, &hub.chains, 13)
            .unwrap();
        hub.roster.state().hub_key_rotation_due()
    };
    assert!(!note(&mut hub));
    let chain = hub.chains.get_mut(&user(2)).unwrap();
    let lost = hub.volunteer.keys.device();
    chain.revoke_device(&second, lost, 21).unwrap();
    assert!(note(&mut hub));
}

#[test]
fn settings_are_the_newest_that_an_admin_announced() {
    let mut hub = hub();
    let admin = hub.admin.keys.clone();
    let key = HubKey::generate(hub_id(), 1, &mut OsEntropy).unwrap();
    let seal =
        |revision, text: &[u8]| SealedSettings::seal(&key, revision, text, &mut OsEntropy).unwrap();
    let [old, new] = [seal(1, b"old"), seal(2, b"new")];
    for settings in [&old, &new] {
        let changes = vec![settings.change()];
        hub.roster.change(&admin, changes, &hub.chains, 12).unwrap();
    }
    let announced = *hub.roster.state().settings().unwrap();
    assert_eq!(*new.open(&announced, &key).unwrap(), b"new");
    let (found, newest) = (1, 2);
    let outdated = HubError::SettingsOutdated {
        found,
        announced: newest,
    };
    assert_eq!(old.open(&announced, &key), Err(outdated));
    // A volunteer has the hub key as well, but announces nothing.
    let forged = seal(2, b"call this number instead");
    let swapped = Err(HubError::SettingsSwapped);
    assert_eq!(forged.open(&announced, &key), swapped);
    let volunteer = &hub.volunteer.keys;
    let link = body(&hub, volunteer, vec![seal(3, b"").change()]);
    assert_eq!(
        offer(&hub, &link.sign(volunteer.signing_key())),
        RosterError::NotAdmin { seqno: 5 }
    );
    // Nor does an admin bring an old revision back without everybody seeing it.
    for found in [0, 2, 4] {
        let link = body(&hub, &admin, vec![seal(found, b"").change()]);
        let expected = 3;
        assert_eq!(
            offer(&hub, &link.sign(admin.signing_key())),
            RosterError::Settings { expected, found }
        );
    }
}
