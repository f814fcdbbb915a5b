//! Who may open what comes in: whom a hub's signed roster lets, and the keys in the hotline file.
//!
//! The server takes nobody's word for a person's key: the roster and the sigchains are verified
//! from their first entry on, as every client does. What it cannot verify it does not seal to.

use std::collections::{BTreeMap, BTreeSet};

use crypto::hub::{Roster, RosterState, Sigchains, Visibility};
use crypto::identity::{Reader as RecordReader, Sigchain};
use crypto::record::MAX_READERS;
use crypto::{MAX_RECIPIENTS, ReaderPublicKey, UserId};
use routing::{HubId, VolunteerId};
use store::{AuditChain, Permissions, Store, StoreError};

use crate::hotline::Hotline;

/// Whom what comes in is for, and whom the trail names.
#[derive(Clone, Debug, Default)]
pub struct Ingest {
    /// Who may open it, by hub.
    pub hubs: BTreeMap<HubId, HubReaders>,
    /// The volunteers of the hotline file of whom it is known who they are.
    pub people: BTreeMap<VolunteerId, store::UserId>,
}

impl Ingest {
    /// The trail that tells of what happens at a hub; the installation's for a call to no hub.
    #[must_use]
    pub fn trail(&self, hub: Option<&HubId>) -> AuditChain {
        self.id_of(hub)
            .map_or(AuditChain::Installation, AuditChain::Hub)
    }

    /// The hub of this name.
    #[must_use]
    pub fn id_of(&self, hub: Option<&HubId>) -> Option<store::HubId> {
        let readers = self.hubs.get(hub?)?;
        Some(store::HubId(*readers.hub.as_bytes()))
    }
}

/// Who may open what comes in for one hub.
#[derive(Clone, Debug)]
pub struct HubReaders {
    /// The hub's id; it has the one in the hotline file as its name.
    pub hub: crypto::HubId,
    /// Who may call a caller back: the admins, and whose role says so.
    pub call_back: Vec<RecordReader>,
    /// Who may hear messages: the admins, and whose role says so.
    pub hear: Vec<RecordReader>,
    /// The keys that messages are sealed to: those in the file, and of those who may hear them.
    pub voicemail: Vec<ReaderPublicKey>,
}

/// What the store has about one hub.
struct Found {
    name: HubId,
    hub: crypto::HubId,
    in_file: Vec<ReaderPublicKey>,
    roster: Vec<Vec<u8>>,
}

/// Reads and verifies who may open what comes in.
///
/// # Errors
/// The database cannot be read.
pub async fn load(store: &Store, hotline: &Hotline) -> Result<Ingest, StoreError> {
    let mut in_file = hotline.readers();
    let mut found = Vec::new();
    for row in store.unscoped().hubs().await? {
        let name = HubId::new(&row.name);
        // Hubs that left the file keep their rows; no call comes in for them.
        let Some(in_file) = in_file.remove(&name) else {
            continue;
        };
        found.push(Found {
            name,
            hub: crypto::HubId::from_bytes(row.id.0),
            in_file,
            roster: store.unscoped().roster_links(row.id).await?,
        });
    }
    // Never: a file is applied together with the ids of its hubs. But a message is not lost for it.
    found.extend(in_file.into_iter().map(|(name, in_file)| Found {
        name,
        hub: crypto::HubId::from_bytes([0; 16]),
        in_file,
        roster: Vec::new(),
    }));
    let sigchains = match found.iter().any(|hub| !hub.roster.is_empty()) {
        true => store.unscoped().sigchains().await?,
        false => Vec::new(),
    };
    let erased = store.unscoped().erased().await?.into_iter();
    let erased = erased.map(|user| UserId::from_bytes(user.0)).collect();
    // Some hundred signatures: not between two other tasks' turns.
    let verify = move || {
        let sigchains = verified(sigchains);
        let hubs = found.into_iter();
        hubs.map(|hub| (hub.name.clone(), readers(hub, &sigchains, &erased)))
            .collect()
    };
    let hubs = tokio::task::spawn_blocking(verify)
        .await
        .map_err(|error| StoreError::Row(error.to_string()))?;
    let accounts = store.unscoped().phone_accounts().await?;
    let people = accounts
        .into_iter()
        .filter_map(|account| Some((VolunteerId::new(&account.volunteer), account.user?)))
        .collect();
    Ok(Ingest { hubs, people })
}

/// The chains that hold. One that does not takes nobody else's away.
fn verified(links: Vec<(store::UserId, Vec<Vec<u8>>)>) -> Sigchains {
    let mut chains = Sigchains::new();
    for (user, links) in links {
        let user = UserId::from_bytes(user.0);
        match Sigchain::from_links(links) {
            Ok(chain) if chain.user() == user => {
                chains.insert(user, chain);
            }
            Ok(_) => {
                tracing::error!(%user, "the sigchain of somebody else is kept for this person")
            }
            Err(error) => tracing::error!(%user, %error, "a sigchain does not verify"),
        }
    }
    chains
}

fn readers(found: Found, sigchains: &Sigchains, erased: &BTreeSet<UserId>) -> HubReaders {
    let state = verified_roster(&found, sigchains);
    let holders = |needed| {
        let mut holders = holders(&found.name, state.as_ref(), sigchains, needed);
        holders.retain(|reader| !erased.contains(&reader.user));
        holders
    };
    let hear = holders(Permissions::HEAR_VOICEMAIL);
    let call_back = holders(Permissions::READ_CALLERS);
    let mut voicemail = found.in_file;
    for reader in &hear {
        if !voicemail.contains(&reader.key) {
            voicemail.push(reader.key);
        }
    }
    if voicemail.len() > MAX_RECIPIENTS {
        tracing::warn!(hub = %found.name, most = MAX_RECIPIENTS, "more keys than a message can be sealed to; the last are left out");
        voicemail.truncate(MAX_RECIPIENTS);
    }
    HubReaders {
        hub: found.hub,
        call_back,
        hear,
        voicemail,
    }
}

/// `None` while there is none, or none that holds: a message is then sealed to the keys in the
/// file alone, which there always are.
fn verified_roster(found: &Found, sigchains: &Sigchains) -> Option<RosterState> {
    if found.roster.is_empty() {
        return None;
    }
    match Roster::from_links(&found.roster, sigchains) {
        Ok(roster) if roster.state().hub() == found.hub => Some(roster.state().clone()),
        Ok(_) => {
            tracing::error!(hub = %found.name, "the roster of another hub is kept for this one");
            None
        }
        Err(error) => {
            tracing::error!(hub = %found.name, %error, "the roster does not verify: what comes in is sealed to the keys in the hotline file alone");
            None
        }
    }
}

/// The keys of the members who are admins or hold the permission. Each by themselves: that one
/// has no key yet does not keep the others from reading.
fn holders(
    hub: &HubId,
    state: Option<&RosterState>,
    sigchains: &Sigchains,
    needed: Permissions,
) -> Vec<RecordReader> {
    let Some(state) = state else {
        return Vec::new();
    };
    let bit = u64::from(needed.bits());
    let holds = |user| {
        let role = state.role_of(user);
        role.is_some_and(|role| role.flags.admin || role.permissions & bit == bit)
    };
    let mut readers = Vec::new();
    for (user, _) in state.members().filter(|(user, _)| holds(*user)) {
        match state.reader_keys(Visibility::Private, user, sigchains) {
            Ok(keys) => readers.extend(keys),
            Err(error) => tracing::warn!(%hub, %user, %error, "a member cannot be sealed to"),
        }
    }
    readers.truncate(MAX_READERS);
    readers
}

#[cfg(test)]
pub mod tests;
