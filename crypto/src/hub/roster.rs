//! The signed list of a hub's members, roles and key epochs.

mod link;
mod state;
#[cfg(test)]
mod threats;

use std::collections::BTreeMap;

use crate::id::{HubId, UserId};
use crate::identity::chain::{self, ChainFileError, Disagreement};
use crate::identity::{ChainHead, DeviceKeys, Sigchain};

use super::error::RosterError;
use link::LinkBody;

pub use link::{Change, Role, RoleFlags, RoleId};
pub use state::{ExistingReaders, Member, RosterState, Visibility};

/// The most entries of a roster.
pub const MAX_ROSTER_LINKS: usize = 8_192;
/// The most changes in one entry.
pub const MAX_CHANGES: usize = 128;
/// The most members of a hub.
pub const MAX_MEMBERS: usize = 2_048;
/// The most roles of a hub.
pub const MAX_ROLES: usize = 64;

const MAGIC: [u8; 4] = *b"HLRO";

/// The verified sigchains of a hub's members, and of everybody who has ever
/// signed an entry of its roster.
pub type Sigchains = BTreeMap<UserId, Sigchain>;

/// A hub's roster, verified from its first entry to its last.
///
/// That it is verified says that whoever began it let everybody else in, not
/// that it was begun by whom one thinks: the head in an invitation says that.
/// Nor does it say that this is all of it: see [`Roster::check_contains`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    links: Vec<Vec<u8>>,
    hashes: Vec<[u8; 32]>,
    state: RosterState,
}

impl Roster {
    /// Begins a hub: `changes` define at least an admin's role and add the
    /// signer in it. `sigchains` has the signer's.
    ///
    /// # Errors
    /// [`RosterError`] when the rules do not allow it.
    pub fn create(
        hub: HubId,
        signer: &DeviceKeys,
        changes: Vec<Change>,
        sigchains: &Sigchains,
        time_ms: u64,
    ) -> Result<Self, RosterError> {
        let body = LinkBody {
            hub,
            seqno: 1,
            prev: [0; 32],
            time_ms,
            signer: signer.user(),
            signer_device: signer.device(),
            signer_head: signer_head(signer, sigchains)?,
            changes: checked(changes)?,
        };
        Self::from_links([body.sign(signer.signing_key())], sigchains)
    }

    /// Verifies entries, from the first on.
    ///
    /// # Errors
    /// [`RosterError`] for the first thing that breaks a rule.
    pub fn from_links(
        links: impl IntoIterator<Item = impl AsRef<[u8]>>,
        sigchains: &Sigchains,
    ) -> Result<Self, RosterError> {
        let mut links = links.into_iter();
        let first = links.next().ok_or(RosterError::Empty)?;
        let state = RosterState::begin(first.as_ref(), sigchains)?;
        let mut roster = Self {
            links: vec![first.as_ref().to_vec()],
            hashes: vec![state.head().hash],
            state,
        };
        for link in links {
            roster.state.advance(link.as_ref(), sigchains)?;
            roster.push(link.as_ref());
        }
        roster.state.check_members(sigchains)?;
        Ok(roster)
    }

    /// Reads and verifies a whole roster.
    ///
    /// # Errors
    /// [`RosterError`] for the first thing that breaks a rule.
    pub fn decode(input: &[u8], sigchains: &Sigchains) -> Result<Self, RosterError> {
        let links = chain::decode_links(MAGIC, MAX_ROSTER_LINKS, input)?;
        Self::from_links(links, sigchains)
    }

    /// Writes the whole roster.
    pub fn encode(&self) -> Vec<u8> {
        chain::encode_links(MAGIC, &self.links)
    }

    /// Verifies the next entry, as it came from another admin. On an error the
    /// roster is as it was.
    ///
    /// # Errors
    /// [`RosterError`] when the entry breaks a rule.
    pub fn append(&mut self, link: &[u8], sigchains: &Sigchains) -> Result<(), RosterError> {
        let mut next = self.state.clone();
        next.advance(link, sigchains)?;
        next.check_members(sigchains)?;
        self.state = next;
        self.push(link);
        Ok(())
    }

    /// Writes the next entry as an admin's device, which must be live by the
    /// sigchain given.
    ///
    /// # Errors
    /// [`RosterError`] when the rules do not allow it; the roster is then as it
    /// was.
    pub fn change(
        &mut self,
        signer: &DeviceKeys,
        changes: Vec<Change>,
        sigchains: &Sigchains,
        time_ms: u64,
    ) -> Result<(), RosterError> {
        let body = LinkBody {
            hub: self.state.hub(),
            seqno: self.head().seqno + 1,
            prev: self.head().hash,
            time_ms,
            signer: signer.user(),
            signer_device: signer.device(),
            signer_head: signer_head(signer, sigchains)?,
            changes: checked(changes)?,
        };
        self.append(&body.sign(signer.signing_key()), sigchains)
    }

    /// What the roster says.
    pub fn state(&self) -> &RosterState {
        &self.state
    }

    /// How far it goes; to be remembered, and shown to others.
    pub fn head(&self) -> ChainHead {
        self.state.head()
    }

    /// The entries, to store or send one by one.
    pub fn links(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.links.iter().map(Vec::as_slice)
    }

    /// Demands that this roster continues the one that was seen before.
    ///
    /// # Errors
    /// [`RosterError::Rollback`] when it ends earlier, [`RosterError::Fork`]
    /// when it tells another history.
    pub fn check_contains(&self, seen: &ChainHead) -> Result<(), RosterError> {
        chain::contains(&self.hashes, seen).map_err(|disagreement| match disagreement {
            Disagreement::Rollback => RosterError::Rollback,
            Disagreement::Fork => RosterError::Fork,
        })
    }

    /// Keeps the entry that the state has just advanced by.
    fn push(&mut self, link: &[u8]) {
        self.links.push(link.to_vec());
        self.hashes.push(self.state.head().hash);
    }
}

impl From<ChainFileError> for RosterError {
    fn from(error: ChainFileError) -> Self {
        match error {
            ChainFileError::Magic => Self::NotRoster,
            ChainFileError::Version(version) => Self::UnknownVersion(version),
            ChainFileError::TooLong => Self::TooLong,
            ChainFileError::Malformed => Self::Malformed("the file around its entries is damaged"),
        }
    }
}

fn signer_head(signer: &DeviceKeys, sigchains: &Sigchains) -> Result<ChainHead, RosterError> {
    let user = signer.user();
    let chain = sigchains
        .get(&user)
        .ok_or(RosterError::SigchainMissing(user))?;
    Ok(chain.head())
}

fn checked(changes: Vec<Change>) -> Result<Vec<Change>, RosterError> {
    match (1..=MAX_CHANGES).contains(&changes.len()) {
        true => Ok(changes),
        false => Err(RosterError::Malformed(
            "no changes, or too many in one entry",
        )),
    }
}
