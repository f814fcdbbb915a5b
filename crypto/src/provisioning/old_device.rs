//! The device that lets another in.

use std::fmt;

use zeroize::Zeroizing;

use super::error::ProvisionError;
use super::invitation::Invitation;
use super::message::{Kind, Part, read, write};
use super::session::{Ephemeral, Session, commitment};
use crate::entropy::Entropy;

/// A device that has read an invitation.
pub struct OldDevice {
    invitation: Invitation,
    own: Ephemeral,
}

impl OldDevice {
    /// Commits to a key of its own; gives the first message, to send once the
    /// room is joined.
    ///
    /// # Errors
    /// [`ProvisionError::Entropy`].
    pub fn join(
        invitation: Invitation,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(Self, Vec<u8>), ProvisionError> {
        let own = Ephemeral::generate(entropy)?;
        let first = write(Kind::Commit, &commitment(&invitation, &own.part));
        Ok((Self { invitation, own }, first))
    }

    /// Takes the new device's key; gives the answer to send, which opens the
    /// commitment.
    ///
    /// # Errors
    /// [`ProvisionError::NotTheScannedDevice`], [`ProvisionError::UnsafeKey`],
    /// [`ProvisionError::Unexpected`].
    pub fn receive_share(
        self,
        message: &[u8],
    ) -> Result<(OldDeviceRevealed, Vec<u8>), ProvisionError> {
        let new = Part::decode(read(Kind::Share, message)?)?;
        let scanned = self.invitation.scanned.as_ref();
        if scanned.is_some_and(|scanned| scanned.public != new.public) {
            return Err(ProvisionError::NotTheScannedDevice);
        }
        let old = self.own.part;
        let committed = commitment(&self.invitation, &old);
        let parts = [&new, &old];
        let session = Session::agree(&self.invitation, &self.own, &new.public, &committed, parts)?;
        let answer = write(Kind::Reveal, &old.encode());
        Ok((OldDeviceRevealed { session }, answer))
    }
}

impl fmt::Debug for OldDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OldDevice({:?})", self.invitation)
    }
}

/// A device that has opened its commitment.
pub struct OldDeviceRevealed {
    session: Session,
}

impl OldDeviceRevealed {
    /// Takes what the new device says about itself.
    ///
    /// # Errors
    /// [`ProvisionError::Refused`] when the two did not agree on the same keys;
    /// [`ProvisionError::Unexpected`].
    pub fn receive_hello(self, message: &[u8]) -> Result<OldDeviceComparing, ProvisionError> {
        let hello = self.session.open(Kind::Hello, message)?;
        let session = self.session;
        Ok(OldDeviceComparing { session, hello })
    }
}

impl fmt::Debug for OldDeviceRevealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OldDeviceRevealed(…)")
    }
}

/// A device that waits for the person to type the digits of the new one.
///
/// It does not show its own: a person who only has to agree, agrees.
pub struct OldDeviceComparing {
    session: Session,
    hello: Zeroizing<Vec<u8>>,
}

impl OldDeviceComparing {
    /// Compares the digits. There is one try: after a mistake both devices
    /// start again, so that nobody gets a second chance at guessing.
    ///
    /// # Errors
    /// [`ProvisionError::DigitsDiffer`].
    pub fn confirm(self, typed: &str) -> Result<OldDeviceConfirmed, ProvisionError> {
        if !self.session.digits().matches(typed) {
            return Err(ProvisionError::DigitsDiffer);
        }
        let Self { session, hello } = self;
        Ok(OldDeviceConfirmed { session, hello })
    }
}

impl fmt::Debug for OldDeviceComparing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OldDeviceComparing(…)")
    }
}

/// A device that knows whom it is talking to.
pub struct OldDeviceConfirmed {
    session: Session,
    hello: Zeroizing<Vec<u8>>,
}

impl OldDeviceConfirmed {
    /// What the new device said about itself. Not readable before the digits
    /// agreed, so that nothing is signed for a stranger.
    pub fn hello(&self) -> &[u8] {
        &self.hello
    }

    /// Seals what makes the new device this person's; gives the last message.
    ///
    /// # Errors
    /// [`ProvisionError::TooLong`], [`ProvisionError::Entropy`].
    pub fn send(
        self,
        payload: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Vec<u8>, ProvisionError> {
        self.session.seal(Kind::Payload, payload, entropy)
    }
}

impl fmt::Debug for OldDeviceConfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OldDeviceConfirmed(…)")
    }
}
