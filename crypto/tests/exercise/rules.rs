//! What no link may bring about, whoever has signed it.

use crypto::hub::{MAX_MEMBERS, MAX_ROLES, Roster, Sigchains, Visibility};
use crypto::identity::{DeviceKeys, MAX_LIVE_DEVICES, Sigchain};

use super::world::HUB;

/// Chains that were stored are the same when they are read and checked anew.
pub fn stored(chains: (&Sigchain, &Roster), sigchains: &Sigchains) {
    let (chain, roster) = chains;
    assert_eq!(Sigchain::decode(&chain.encode()).as_ref(), Ok(chain));
    let again = Roster::decode(&roster.encode(), sigchains);
    assert_eq!(again.as_ref(), Ok(roster));
}

/// Makes a change and looks at what came of it for these devices.
pub fn sigchain<'a>(
    chain: &mut Sigchain,
    devices: impl Iterator<Item = &'a DeviceKeys>,
    change: impl FnOnce(&mut Sigchain) -> bool,
) -> bool {
    let before = chain.clone();
    if !change(chain) {
        assert_eq!(*chain, before, "a refused link leaves its traces");
        return false;
    }
    assert!(chain.check_contains(&before.head()).is_ok());
    assert_eq!(before.user(), chain.user());
    let state = chain.state();
    let live = state.live_devices().count();
    assert!((1..=MAX_LIVE_DEVICES).contains(&live), "{live} devices");
    let newest = state.reader().map_or(0, |reader| reader.generation);
    for generation in 1..=newest {
        let reader = state.reader_of(generation);
        assert_eq!(reader.map(|reader| reader.generation), Some(generation));
    }
    assert_eq!(state.reader_of(newest + 1), None);
    for (id, found) in before.state().devices() {
        let now = state.device(id).unwrap();
        assert_eq!(now.sign_key, found.sign_key);
        assert!(found.is_live() || !now.is_live(), "a device comes back");
        // The newest link is of a device that was live.
        let left = now.revoked.is_some() && found.is_live();
        assert!(!left || now.revoked == Some(chain.head().seqno));
        assert!(now.is_live() || state.transport_key(id, HUB, 1).is_none());
    }
    // Who left does not learn the key that came after.
    let due = state.puk_rotation_due();
    let revoked = live < before.state().live_devices().count();
    assert!(due || !revoked || state.reader().is_none());
    for keys in devices {
        let known = state.device(keys.device());
        let gone = known.is_none_or(|known| !known.is_live());
        if gone && !due {
            let opened = chain.open_puk(keys).map(drop);
            assert!(opened.is_err(), "{keys:?} opens the newest key");
        }
    }
    true
}

/// Makes a change and looks at what came of it.
pub fn roster(
    roster: &mut Roster,
    sigchains: &Sigchains,
    change: impl FnOnce(&mut Roster) -> bool,
) -> bool {
    let before = roster.clone();
    if !change(roster) {
        assert_eq!(*roster, before, "a refused link leaves its traces");
        return false;
    }
    assert!(roster.check_contains(&before.head()).is_ok());
    let state = roster.state();
    assert_eq!(state.hub(), before.state().hub());
    assert!(
        state.admins().next().is_some(),
        "nobody can change it any more"
    );
    assert!(state.members().count() <= MAX_MEMBERS && state.roles().count() <= MAX_ROLES);
    for (user, member) in state.members() {
        assert!(sigchains[&user].check_contains(&member.head).is_ok());
        let known = before.state().member(user);
        assert!(known.is_none_or(|known| known.head.seqno <= member.head.seqno));
        assert!(state.role_of(user).is_some());
        let readers = state.readers(Visibility::Reporter, user).unwrap();
        assert!(readers.contains(&user) && state.admins().all(|admin| readers.contains(&admin)));
        let case = state.readers(Visibility::Case, user).unwrap();
        assert!(case.is_subset(&readers));
        drop(state.reader_keys(Visibility::Case, user, sigchains));
    }
    drop(state.member_keys(sigchains));
    // What was announced stays, and who left had the key of an earlier epoch.
    let epochs = |roster: &Roster| roster.state().epoch().map_or(0, |epoch| epoch.epoch);
    for epoch in 1..=epochs(&before) {
        assert_eq!(state.epoch_of(epoch), before.state().epoch_of(epoch));
    }
    let mut users = before.state().members();
    let left = users.any(|(user, _)| state.member(user).is_none());
    let renewed = epochs(roster) > epochs(&before);
    assert!(!left || renewed || state.hub_key_rotation_due());
    true
}
