//! A group, as one of its devices has it.

use std::fmt;
use std::sync::Arc;

use crypto::CallId;
use crypto::sframe::{CallKey, Member, mls_exporter_label};
use openmls::prelude::tls_codec::Serialize;
use openmls::prelude::{
    GroupId, KeyPackage, KeyPackageIn, LeafNodeIndex, MlsGroup, MlsGroupCreateConfig,
    MlsGroupJoinConfig, MlsMessageBodyIn, MlsMessageOut, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY,
    ProcessMessageError, ProcessedMessageContent, Proposal, ProtocolVersion, Sender, StagedCommit,
};
use openmls_traits::OpenMlsProvider;
use zeroize::Zeroizing;

use crate::device::{Core, Directory, member, read, vouched};
use crate::error::MlsError;
use crate::provider::SUITE;

/// The most devices in a group.
pub const MAX_MEMBERS: usize = 256;
/// The longest message of any kind, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Messages are padded to multiples of this, in bytes.
const PADDING_BYTES: usize = 64;

/// A change that adds devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// For those who are in the group.
    pub commit: Vec<u8>,
    /// For those who are added.
    pub welcome: Vec<u8>,
}

/// What a message was.
#[derive(Clone, PartialEq, Eq)]
pub enum Received {
    /// Somebody says something.
    Message {
        /// Who.
        from: Member,
        /// What.
        text: Vec<u8>,
    },
    /// The group has changed, and has new keys.
    Changed {
        /// Who changed it.
        by: Member,
    },
    /// This device is no longer in the group.
    Removed {
        /// Who removed it.
        by: Member,
    },
}

/// A group, as one of its devices has it.
///
/// A change ([`Group::add`], [`Group::remove`], [`Group::refresh`]) holds once
/// the server has put it in order among the changes of others: then
/// [`Group::accepted`], or [`Group::rejected`] when another one came first.
pub struct Group {
    core: Arc<Core>,
    group: MlsGroup,
}

impl Group {
    pub(crate) fn create(core: Arc<Core>, id: &[u8; 16]) -> Result<Self, MlsError> {
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITE)
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .padding_size(PADDING_BYTES)
            .use_ratchet_tree_extension(true)
            .build();
        let (id, credential) = (GroupId::from_slice(id), core.signer.credential());
        let group =
            MlsGroup::new_with_group_id(&core.provider, &core.signer, &config, id, credential);
        let group = group.map_err(bad_change)?;
        Ok(Self { core, group })
    }

    pub(crate) fn joined(core: Arc<Core>, group: MlsGroup) -> Result<Self, MlsError> {
        let joined = Self { core, group };
        match joined.group.ciphersuite() == SUITE && joined.members().len() <= MAX_MEMBERS {
            true => Ok(joined),
            false => Err(MlsError::NotInvited(
                "another suite, or too many".to_owned(),
            )),
        }
    }

    /// Number of changes so far.
    pub fn epoch(&self) -> u64 {
        self.group.epoch().as_u64()
    }

    /// Who is in it, in an order that all agree on.
    pub fn members(&self) -> Vec<Member> {
        let members = self.group.members();
        members
            .filter_map(|found| member(&found.credential).ok())
            .collect()
    }

    /// Adds devices by their key packages.
    ///
    /// # Errors
    /// [`MlsError::Malformed`], [`MlsError::Stranger`], [`MlsError::BadChange`],
    /// [`MlsError::ChangePending`] or [`MlsError::Removed`].
    pub fn add(
        &mut self,
        key_packages: &[&[u8]],
        directory: &dyn Directory,
    ) -> Result<Invitation, MlsError> {
        self.check_free()?;
        if self.members().len() + key_packages.len() > MAX_MEMBERS {
            return Err(MlsError::BadChange("there would be too many".to_owned()));
        }
        let packages = key_packages
            .iter()
            .map(|bytes| self.read_key_package(bytes, directory));
        let packages: Vec<KeyPackage> = packages.collect::<Result<_, _>>()?;
        let Core { provider, signer } = &*self.core;
        let (commit, welcome, _) = self
            .group
            .add_members(provider, signer, &packages)
            .map_err(bad_change)?;
        Ok(Invitation {
            commit: write(&commit)?,
            welcome: write(&welcome)?,
        })
    }

    /// Removes devices; gives the message for the others.
    ///
    /// # Errors
    /// [`MlsError::BadChange`] when one is not in the group, or this one is
    /// among them; [`MlsError::ChangePending`] or [`MlsError::Removed`].
    pub fn remove(&mut self, members: &[Member]) -> Result<Vec<u8>, MlsError> {
        self.check_free()?;
        let places = members.iter().map(|member| self.place_of(*member));
        let places: Vec<LeafNodeIndex> = places.collect::<Result<_, _>>()?;
        let Core { provider, signer } = &*self.core;
        let removed = self.group.remove_members(provider, signer, &places);
        let (commit, _, _) = removed.map_err(bad_change)?;
        write(&commit)
    }

    /// Gives this device new keys, which heals what may have leaked; gives the
    /// message for the others.
    ///
    /// # Errors
    /// [`MlsError::BadChange`], [`MlsError::ChangePending`] or
    /// [`MlsError::Removed`].
    pub fn refresh(&mut self) -> Result<Vec<u8>, MlsError> {
        self.check_free()?;
        let Core { provider, signer } = &*self.core;
        let parameters = openmls::prelude::LeafNodeParameters::default();
        let updated = self.group.self_update(provider, signer, parameters);
        write(updated.map_err(bad_change)?.commit())
    }

    /// An own change was put in order: it holds from now on.
    ///
    /// # Errors
    /// [`MlsError::Removed`].
    pub fn accepted(&mut self) -> Result<(), MlsError> {
        let merged = self.group.merge_pending_commit(&self.core.provider);
        merged.map_err(|_| MlsError::Removed)
    }

    /// An own change came too late: nothing has changed.
    ///
    /// # Errors
    /// [`MlsError::BadChange`] when it cannot be forgotten.
    pub fn rejected(&mut self) -> Result<(), MlsError> {
        let cleared = self
            .group
            .clear_pending_commit(self.core.provider.storage());
        cleared.map_err(bad_change)
    }

    /// Seals a message to everybody in the group.
    ///
    /// # Errors
    /// [`MlsError::Malformed`] when it is longer than half of
    /// [`MAX_MESSAGE_BYTES`], [`MlsError::ChangePending`] or
    /// [`MlsError::Removed`].
    pub fn seal(&mut self, text: &[u8]) -> Result<Vec<u8>, MlsError> {
        self.check_free()?;
        if text.len() > MAX_MESSAGE_BYTES / 2 {
            return Err(MlsError::Malformed);
        }
        let Core { provider, signer } = &*self.core;
        let message = self.group.create_message(provider, signer, text);
        write(&message.map_err(bad_change)?)
    }

    /// Takes a message of another member: something said, or a change. What a
    /// device says that was revoked since it came in is refused, and lost.
    ///
    /// # Errors
    /// [`MlsError::Malformed`], [`MlsError::Refused`], [`MlsError::Stranger`] or
    /// [`MlsError::Removed`].
    pub fn receive(
        &mut self,
        message: &[u8],
        directory: &dyn Directory,
    ) -> Result<Received, MlsError> {
        let message = read(message)?.try_into_protocol_message();
        let message = message.map_err(|_| MlsError::Malformed)?;
        if !self.group.is_active() {
            return Err(MlsError::Removed);
        }
        let processed = self.group.process_message(&self.core.provider, message);
        let processed = processed.map_err(|error| refused(&error))?;
        let from = match processed.sender() {
            Sender::Member(place) => self.sender(*place, directory)?,
            _ => return Err(MlsError::Refused("it is from outside".to_owned())),
        };
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(text) => Ok(Received::Message {
                from,
                text: text.into_bytes(),
            }),
            ProcessedMessageContent::StagedCommitMessage(commit) => {
                self.change(*commit, from, directory)
            }
            // Changes come as a whole here: nobody leaves it to others to
            // carry out a proposal.
            _ => Err(MlsError::Refused("it is a mere proposal".to_owned())),
        }
    }

    /// The key of a call of this group's devices, new with each change of the
    /// group.
    ///
    /// # Errors
    /// [`MlsError::Removed`], or [`MlsError::BadChange`] when there are too many
    /// for a call.
    pub fn call_key(&self, call: CallId) -> Result<CallKey, MlsError> {
        let crypto = self.core.provider.crypto();
        let context = call.as_bytes();
        let secret = self
            .group
            .export_secret(crypto, mls_exporter_label(), context, 32)
            .map(Zeroizing::new)
            .map_err(|_| MlsError::Removed)?;
        let secret: &[u8; 32] = secret.as_slice().try_into().map_err(bad_change)?;
        let epoch = u32::try_from(self.epoch()).map_err(bad_change)?;
        let (members, own) = (self.members(), self.core.signer.member());
        CallKey::from_shared_secret(call, epoch, secret, members, own).map_err(bad_change)
    }

    /// Who sits at a place, if their device still is on their list: one that was
    /// revoked may not have been removed from the group yet.
    fn sender(&self, place: LeafNodeIndex, directory: &dyn Directory) -> Result<Member, MlsError> {
        let sender = self.group.member_at(place).ok_or(MlsError::Stranger)?;
        vouched(&sender.credential, &sender.signature_key, directory)
    }

    fn change(
        &mut self,
        commit: StagedCommit,
        by: Member,
        directory: &dyn Directory,
    ) -> Result<Received, MlsError> {
        self.check_kind_and_size(&commit)?;
        let added = commit.add_proposals();
        let added = added.map(|add| add.add_proposal().key_package().leaf_node().clone());
        let renewed = commit.update_path_leaf_node().cloned();
        for leaf in added.chain(renewed) {
            vouched(
                leaf.credential(),
                leaf.signature_key().as_slice(),
                directory,
            )?;
        }
        let removed = commit.self_removed();
        let merged = self.group.merge_staged_commit(&self.core.provider, commit);
        merged.map_err(bad_change)?;
        Ok(match removed {
            true => Received::Removed { by },
            false => Received::Changed { by },
        })
    }

    /// Members come and go, and renew themselves. What else the protocol has
    /// (external senders, starting anew, keys shared beforehand) is not used
    /// here, so nobody brings it in.
    fn check_kind_and_size(&self, commit: &StagedCommit) -> Result<(), MlsError> {
        let mut proposals = commit.queued_proposals();
        let known =
            |proposal: &Proposal| matches!(proposal, Proposal::Add(_) | Proposal::Remove(_));
        if !proposals.all(|queued| known(queued.proposal())) {
            return Err(MlsError::Refused(
                "it changes more than the members".to_owned(),
            ));
        }
        let (added, removed) = (
            commit.add_proposals().count(),
            commit.remove_proposals().count(),
        );
        match self.members().len() + added > MAX_MEMBERS + removed {
            true => Err(MlsError::Refused("there would be too many".to_owned())),
            false => Ok(()),
        }
    }

    fn read_key_package(
        &self,
        bytes: &[u8],
        directory: &dyn Directory,
    ) -> Result<KeyPackage, MlsError> {
        let MlsMessageBodyIn::KeyPackage(package) = read(bytes)?.extract() else {
            return Err(MlsError::Malformed);
        };
        let package: KeyPackageIn = package;
        let package = package
            .validate(self.core.provider.crypto(), ProtocolVersion::Mls10)
            .map_err(bad_change)?;
        let leaf = package.leaf_node();
        vouched(
            leaf.credential(),
            leaf.signature_key().as_slice(),
            directory,
        )?;
        Ok(package)
    }

    fn place_of(&self, wanted: Member) -> Result<LeafNodeIndex, MlsError> {
        let mut members = self.group.members();
        let found = members.find(|found| member(&found.credential) == Ok(wanted));
        let found = found.filter(|found| found.index != self.group.own_leaf_index());
        let found = found.ok_or_else(|| MlsError::BadChange("nobody to remove".to_owned()))?;
        Ok(found.index)
    }

    /// In the group, and without a change of one's own under way.
    fn check_free(&self) -> Result<(), MlsError> {
        if !self.group.is_active() {
            return Err(MlsError::Removed);
        }
        match self.group.pending_commit() {
            Some(_) => Err(MlsError::ChangePending),
            None => Ok(()),
        }
    }
}

/// Shows nothing of what is said.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { from, text } => {
                write!(f, "Message({} bytes from {from:?})", text.len())
            }
            Self::Changed { by } => write!(f, "Changed(by {by:?})"),
            Self::Removed { by } => write!(f, "Removed(by {by:?})"),
        }
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group(… epoch {})", self.epoch())
    }
}

/// How one takes part in a group that another has made.
pub(crate) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING_BYTES)
        .use_ratchet_tree_extension(true)
        .build()
}

fn write(message: &MlsMessageOut) -> Result<Vec<u8>, MlsError> {
    message
        .tls_serialize_detached()
        .map_err(|_| MlsError::Malformed)
}

fn bad_change(error: impl fmt::Display) -> MlsError {
    MlsError::BadChange(error.to_string())
}

fn refused<E: fmt::Display>(error: &ProcessMessageError<E>) -> MlsError {
    MlsError::Refused(error.to_string())
}
