//! Bringing a second device in, step by step.
//!
//! The new device says its card; the old one answers with the head of the
//! device list that has it, so that the server can show the new device no other
//! list. A step out of turn ends the pairing; both devices start again.

use std::fmt;

use crypto::UserId;
use crypto::identity::{ChainHead, DeviceCard};
use crypto::provisioning::{
    Invitation, InvitationKind, NewDevice, NewDeviceAgreed, NewDeviceWaiting, OldDevice,
    OldDeviceComparing, OldDeviceConfirmed, OldDeviceRevealed, RoomId,
};
use zeroize::Zeroizing;

use crate::people;
use crate::pinned::Pinned;
use crate::refusal::{Code, Refusal};
use crate::session::{Session, no_chain};

/// The device that comes in. Holds its new session until it is let in.
pub struct NewPairing {
    session: Session,
    room: RoomId,
    invitation: Zeroizing<String>,
    step: NewStep,
}

enum NewStep {
    Invited(NewDevice),
    Agreed(NewDeviceAgreed),
    Waiting(NewDeviceWaiting),
    Over,
}

impl NewPairing {
    /// Makes new keys for a device of the session's person, and an invitation
    /// to show.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::NoRandomness`].
    pub fn invite(mut session: Session, kind: InvitationKind) -> Result<Self, Refusal> {
        let (_, entropy) = session.parts()?;
        let new = NewDevice::invite(kind, entropy)?;
        Ok(Self {
            session,
            room: new.invitation().room(),
            invitation: new.invitation().reveal(),
            step: NewStep::Invited(new),
        })
    }

    /// Says whose device this becomes, where the new device did not know: by the word of the
    /// server, once the other device is in the room. A lie makes that device refuse this one.
    ///
    /// # Errors
    /// [`Code::OutOfTurn`] once this device has said its card.
    pub fn name_person(&mut self, user: UserId) -> Result<(), Refusal> {
        match self.step {
            NewStep::Invited(_) | NewStep::Agreed(_) => self.session.become_device_of(user),
            NewStep::Waiting(_) | NewStep::Over => Err(out_of_turn()),
        }
    }

    /// For the screen: the text of the QR code, or the code to type into the
    /// other device.
    pub fn invitation(&self) -> &str {
        &self.invitation
    }

    /// The room to open on the server.
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// The six digits to show, once the other device has answered twice.
    pub fn digits(&self) -> Option<String> {
        match &self.step {
            NewStep::Waiting(waiting) => Some(waiting.digits().reveal()),
            _ => None,
        }
    }

    /// Takes the first or second message of the other device; gives the answer.
    ///
    /// # Errors
    /// [`Code::OutOfTurn`], [`Code::Interference`], [`Code::TooNew`].
    pub fn receive(&mut self, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        let step = std::mem::replace(&mut self.step, NewStep::Over);
        let (next, answer) = match step {
            NewStep::Invited(new) => {
                let (next, answer) = new.receive_commit(message)?;
                (NewStep::Agreed(next), answer)
            }
            NewStep::Agreed(agreed) => {
                let (open, entropy) = self.session.parts()?;
                let card = open.keys.card().encode();
                let (next, answer) = agreed.receive_reveal(message, &card, entropy)?;
                (NewStep::Waiting(next), answer)
            }
            NewStep::Waiting(_) | NewStep::Over => return Err(out_of_turn()),
        };
        self.step = next;
        Ok(answer)
    }

    /// Takes the last message: this device is in. Load the person's sigchain
    /// next; it must hold what the other device said.
    ///
    /// # Errors
    /// [`Code::OutOfTurn`], [`Code::Interference`], [`Code::Malformed`].
    pub fn finish(self, message: &[u8]) -> Result<Session, Refusal> {
        let NewStep::Waiting(waiting) = self.step else {
            return Err(out_of_turn());
        };
        let payload = waiting.receive_payload(message)?;
        let malformed = || Refusal::new(Code::Malformed, "what the other device sent is malformed");
        let (head, pinned) = payload
            .split_at_checked(ChainHead::BYTES)
            .ok_or_else(malformed)?;
        let pinned = std::str::from_utf8(pinned).map_err(|_| malformed())?;
        let mut session = self.session;
        if !pinned.is_empty() {
            session.pinned = Some(pinned.parse()?);
        }
        let (open, _) = session.parts()?;
        open.promised = Some(people::head(head)?);
        Ok(session)
    }
}

impl fmt::Debug for NewPairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewPairing({:?})", self.session)
    }
}

/// The device that lets another in.
pub struct OldPairing {
    room: RoomId,
    step: OldStep,
}

enum OldStep {
    Joined(OldDevice),
    Revealed(OldDeviceRevealed),
    Comparing(OldDeviceComparing),
    Confirmed(OldDeviceConfirmed),
    Over,
}

impl OldPairing {
    /// Reads the invitation, scanned or typed; gives the first message, to send
    /// once the room is joined.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::Mistyped`], [`Code::Malformed`],
    /// [`Code::TooNew`], [`Code::NoRandomness`].
    pub fn join(
        session: &mut Session,
        kind: InvitationKind,
        text: &str,
    ) -> Result<(Self, Vec<u8>), Refusal> {
        let (_, entropy) = session.parts()?;
        let invitation = match kind {
            InvitationKind::Scanned => Invitation::scan(text)?,
            InvitationKind::Typed => Invitation::enter(text)?,
        };
        let room = invitation.room();
        let (old, first) = OldDevice::join(invitation, entropy)?;
        let step = OldStep::Joined(old);
        Ok((Self { room, step }, first))
    }

    /// The room to join on the server.
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// Takes the first message of the new device; gives the answer.
    ///
    /// # Errors
    /// [`Code::OutOfTurn`], [`Code::Interference`], [`Code::TooNew`].
    pub fn receive_share(&mut self, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        let OldStep::Joined(joined) = self.take() else {
            return Err(out_of_turn());
        };
        let (revealed, answer) = joined.receive_share(message)?;
        self.step = OldStep::Revealed(revealed);
        Ok(answer)
    }

    /// Takes the second message of the new device. Ask for the digits next.
    ///
    /// # Errors
    /// [`Code::OutOfTurn`], [`Code::Interference`].
    pub fn receive_hello(&mut self, message: &[u8]) -> Result<(), Refusal> {
        let OldStep::Revealed(revealed) = self.take() else {
            return Err(out_of_turn());
        };
        self.step = OldStep::Comparing(revealed.receive_hello(message)?);
        Ok(())
    }

    /// Takes the digits that the person read on the new device and typed here.
    /// There is one try.
    ///
    /// # Errors
    /// [`Code::Interference`] when they differ, [`Code::OutOfTurn`].
    pub fn confirm(&mut self, typed: &str) -> Result<(), Refusal> {
        let OldStep::Comparing(comparing) = self.take() else {
            return Err(out_of_turn());
        };
        self.step = OldStep::Confirmed(comparing.confirm(typed)?);
        Ok(())
    }

    /// Enters the new device in the person's list and gives the last message.
    /// The changed [`Session::sigchain`] goes to the server first. `pinned` is what this device
    /// knows the server by: the new one believes no other.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], [`Code::OutOfTurn`], or why the
    /// list does not take the device.
    pub fn admit(
        mut self,
        session: &mut Session,
        pinned: Option<&Pinned>,
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        let OldStep::Confirmed(confirmed) = self.take() else {
            return Err(out_of_turn());
        };
        let card = DeviceCard::decode(confirmed.hello())?;
        let (open, entropy) = session.parts()?;
        let person = open.person.as_mut().ok_or_else(no_chain)?;
        let newest = Some(person.ring.current());
        // Kept only once there is something to tell the device with.
        let mut chain = person.chain.clone();
        chain.add_device(&open.keys, &card, newest, now_ms, entropy)?;
        let mut payload = chain.head().encode().to_vec();
        if let Some(pinned) = pinned {
            payload.extend(pinned.to_string().into_bytes());
        }
        let message = confirmed.send(&payload, entropy)?;
        person.chain = chain;
        Ok(message)
    }

    fn take(&mut self) -> OldStep {
        std::mem::replace(&mut self.step, OldStep::Over)
    }
}

impl fmt::Debug for OldPairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OldPairing(…)")
    }
}

fn out_of_turn() -> Refusal {
    Refusal::new(
        Code::OutOfTurn,
        "this step is not next; start again on both devices",
    )
}
