//! The device that comes in.

use std::fmt;

use zeroize::Zeroizing;

use super::error::ProvisionError;
use super::invitation::{Invitation, InvitationKind};
use super::message::{Kind, Part, read, write};
use super::session::{COMMITMENT_BYTES, Ephemeral, SafetyDigits, Session, commitment};
use crate::entropy::Entropy;

/// A device that waits to be found.
pub struct NewDevice {
    invitation: Invitation,
    own: Ephemeral,
}

impl NewDevice {
    /// Makes an invitation; the caller opens its room and shows it.
    ///
    /// # Errors
    /// [`ProvisionError::Entropy`].
    pub fn invite(
        kind: InvitationKind,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, ProvisionError> {
        let own = Ephemeral::generate(entropy)?;
        let invitation = match kind {
            InvitationKind::Scanned => Invitation::scanned(own.part.public, entropy)?,
            InvitationKind::Typed => Invitation::typed(entropy)?,
        };
        Ok(Self { invitation, own })
    }

    /// What to show.
    pub fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    /// Takes the old device's commitment; gives the answer to send.
    ///
    /// # Errors
    /// [`ProvisionError::Unexpected`], [`ProvisionError::UnknownVersion`].
    pub fn receive_commit(
        self,
        message: &[u8],
    ) -> Result<(NewDeviceAgreed, Vec<u8>), ProvisionError> {
        let committed = read(Kind::Commit, message)?;
        let committed = committed
            .try_into()
            .map_err(|_| ProvisionError::Unexpected)?;
        let answer = write(Kind::Share, &self.own.part.encode());
        let Self { invitation, own } = self;
        let next = NewDeviceAgreed {
            invitation,
            own,
            committed,
        };
        Ok((next, answer))
    }
}

impl fmt::Debug for NewDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewDevice({:?})", self.invitation)
    }
}

/// A device that an old one has committed to.
pub struct NewDeviceAgreed {
    invitation: Invitation,
    own: Ephemeral,
    committed: [u8; COMMITMENT_BYTES],
}

impl NewDeviceAgreed {
    /// Takes the old device's key, and seals `hello` (this device's own public
    /// keys and name) to it; gives the answer to send.
    ///
    /// # Errors
    /// [`ProvisionError::CommitmentBroken`], [`ProvisionError::UnsafeKey`],
    /// [`ProvisionError::Unexpected`], [`ProvisionError::TooLong`].
    pub fn receive_reveal(
        self,
        message: &[u8],
        hello: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(NewDeviceWaiting, Vec<u8>), ProvisionError> {
        let old = Part::decode(read(Kind::Reveal, message)?)?;
        if commitment(&self.invitation, &old) != self.committed {
            return Err(ProvisionError::CommitmentBroken);
        }
        let parts = [&self.own.part, &old];
        let session = Session::agree(
            &self.invitation,
            &self.own,
            &old.public,
            &self.committed,
            parts,
        )?;
        let answer = session.seal(Kind::Hello, hello, entropy)?;
        Ok((NewDeviceWaiting { session }, answer))
    }
}

impl fmt::Debug for NewDeviceAgreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewDeviceAgreed({:?})", self.invitation)
    }
}

/// A device that shows its digits and waits for the person to type them into
/// the old one.
pub struct NewDeviceWaiting {
    session: Session,
}

impl NewDeviceWaiting {
    /// What to show.
    pub fn digits(&self) -> &SafetyDigits {
        self.session.digits()
    }

    /// Takes what the old device sends once the digits agree.
    ///
    /// # Errors
    /// [`ProvisionError::Refused`], [`ProvisionError::Unexpected`].
    pub fn receive_payload(self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProvisionError> {
        self.session.open(Kind::Payload, message)
    }
}

impl fmt::Debug for NewDeviceWaiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewDeviceWaiting(…)")
    }
}
