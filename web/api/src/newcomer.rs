//! A person who comes in with a code, their own keys and a proof that they have these.

use crypto::identity::{InviteProof, Sigchain, SigchainState};
use crypto::transparency::{Leaf, Subject};
use crypto::vault::Escrow;
use protocol::Blob;
use store::{
    Changes, DeviceId, DeviceRow, LoginChange, Sealed, SecretHash, UserId, UserRow, UserStatus,
    VaultChange,
};

use crate::call::Call;
use crate::refusal::Refusal;

/// The longest sealed profile, in bytes.
pub(crate) const PROFILE_MAX_BYTES: usize = 16 * 1024;

/// A live device of their own, and the recovery key.
const FEWEST_DEVICES: usize = 2;

/// What somebody brings along.
pub(crate) struct Brought {
    pub(crate) sigchain: Blob,
    pub(crate) recovery_escrow: Blob,
    pub(crate) profile: Blob,
    pub(crate) proof: Blob,
}

/// Somebody whose chain and proof were verified, and who is not kept yet.
pub(crate) struct Newcomer {
    chain: Sigchain,
    escrow: Sealed,
    /// The device that is on paper, where no other is in question.
    paper: Option<DeviceId>,
    profile: Sealed,
}

impl Newcomer {
    /// Verifies the chain, that one of its live devices redeems the code of this hash here, and
    /// that there is a way back in (KEY-22).
    pub(crate) fn verify(call: &Call, code: SecretHash, brought: Brought) -> Result<Self, Refusal> {
        let profile = sealed_profile(brought.profile)?;
        let proof = InviteProof::decode(&brought.proof.0).map_err(Refusal::not_verified)?;
        let chain = Sigchain::decode(&brought.sigchain.0).map_err(Refusal::not_verified)?;
        proof
            .verify(&chain, &call.shared.options.origin, &code.0)
            .map_err(Refusal::not_verified)?;
        if chain.state().reader().is_none() {
            return Err(Refusal::not_verified(
                "the device list names no key that others can seal to",
            ));
        }
        Escrow::decode(&brought.recovery_escrow.0).map_err(Refusal::not_verified)?;
        if chain.state().live_devices().count() < FEWEST_DEVICES {
            return Err(Refusal::not_verified(
                "the device list has no recovery key: make one and write it down first",
            ));
        }
        let paper = only_other(&chain, proof.device());
        Ok(Self {
            paper,
            chain,
            escrow: Sealed(brought.recovery_escrow.0),
            profile,
        })
    }

    pub(crate) fn user(&self) -> UserId {
        UserId(*self.chain.user().as_bytes())
    }

    /// What is kept of them.
    pub(crate) fn changes(self, call: &Call, super_admin: bool) -> (Changes, Leaf) {
        let (user, now) = (self.user(), call.now);
        let mut changes = Changes::new();
        changes.push(VaultChange::UserAdded(UserRow {
            id: user,
            profile: Some(self.profile),
            status: UserStatus::Active,
            super_admin,
            created_at: now,
        }));
        for (device, known) in self.chain.state().devices() {
            changes.push(VaultChange::DeviceAdded(DeviceRow {
                id: DeviceId(*device.as_bytes()),
                user,
                sign_key: *known.sign_key.as_bytes(),
                added_at: now,
                revoked_at: (!known.is_live()).then_some(now),
            }));
        }
        for (seqno, link) in (1..).zip(self.chain.links()) {
            let link = link.to_vec();
            changes.push(VaultChange::SigchainExtended { user, seqno, link });
        }
        changes.push(LoginChange::RecoveryEscrowSet {
            user,
            body: self.escrow,
            device: self.paper,
            at: now,
        });
        (changes, leaf_of(self.chain.state()))
    }
}

/// The one live device beside this one; `None` when there are more.
fn only_other(chain: &Sigchain, device: crypto::DeviceId) -> Option<DeviceId> {
    let live = chain.state().live_devices();
    let mut others = live.filter(|(id, _)| *id != device);
    let (id, _) = others.next()?;
    others.next().is_none().then(|| DeviceId(*id.as_bytes()))
}

/// How far a chain goes, for the key log.
pub(crate) fn leaf_of(chain: &SigchainState) -> Leaf {
    Leaf {
        subject: Subject::User(chain.user()),
        head: chain.head(),
    }
}

pub(crate) fn sealed_profile(profile: Blob) -> Result<Sealed, Refusal> {
    match profile.0.len() {
        1..=PROFILE_MAX_BYTES => Ok(Sealed(profile.0)),
        _ => Err(Refusal::malformed("a profile has 1 to 16384 bytes")),
    }
}
