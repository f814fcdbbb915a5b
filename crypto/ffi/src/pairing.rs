//! Bringing a second device in.

use crypto::provisioning::InvitationKind;
use crypto_session as core;

use crate::held::Held;
use crate::refusal::Refusal;
use crate::session::Session;

const OVER: (core::Code, &str) = (
    core::Code::OutOfTurn,
    "this pairing is over; start again on both devices",
);

/// The device that comes in.
#[derive(Debug, uniffi::Object)]
pub struct NewPairing {
    pairing: Held<core::NewPairing>,
    room: Vec<u8>,
}

#[uniffi::export]
impl NewPairing {
    /// Makes an invitation for a new session of the person: a QR code, or a
    /// short code to type. Takes the session's keys with it; `finish` gives
    /// them back, in a session of its own.
    ///
    /// # Errors
    /// `locked`, `no-randomness`.
    #[uniffi::constructor]
    pub fn new(session: &Session, typed: bool) -> Result<Self, Refusal> {
        let session = session.held.take()?;
        let pairing = core::NewPairing::invite(session, kind(typed))?;
        let room = pairing.room().as_bytes().to_vec();
        let pairing = Held::new(pairing, OVER);
        Ok(Self { pairing, room })
    }

    /// For the screen.
    ///
    /// # Errors
    /// `out-of-turn` after `finish`.
    pub fn invitation(&self) -> Result<String, Refusal> {
        let text = |pairing: &mut core::NewPairing| Ok::<_, Refusal>(pairing.invitation().into());
        self.pairing.with(text)
    }

    /// Says whose device this becomes, where the new device did not know: by the
    /// word of the server. A lie makes the other device refuse this one.
    ///
    /// # Errors
    /// `out-of-turn`, `malformed`.
    pub fn name_person(&self, user: &str) -> Result<(), Refusal> {
        let user = core::user_named(user)?;
        self.pairing.with(|pairing| pairing.name_person(user))
    }

    /// The room to open on the server.
    pub fn room(&self) -> Vec<u8> {
        self.room.clone()
    }

    /// The six digits to show, once there are any.
    ///
    /// # Errors
    /// `out-of-turn` after `finish`.
    pub fn digits(&self) -> Result<Option<String>, Refusal> {
        let digits = |pairing: &mut core::NewPairing| Ok::<_, Refusal>(pairing.digits());
        self.pairing.with(digits)
    }

    /// Takes a message of the other device; gives the answer.
    ///
    /// # Errors
    /// `out-of-turn`, `interference`, `too-new`.
    pub fn receive(&self, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.pairing.with(|pairing| pairing.receive(message))
    }

    /// Takes the last message: this device is in.
    ///
    /// # Errors
    /// `out-of-turn`, `interference`, `malformed`.
    pub fn finish(&self, message: &[u8]) -> Result<Session, Refusal> {
        let session = self.pairing.take()?.finish(message)?;
        Ok(session.into())
    }
}

/// The device that lets another in.
#[derive(Debug, uniffi::Object)]
pub struct OldPairing {
    pairing: Held<core::OldPairing>,
    room: Vec<u8>,
    first: Vec<u8>,
}

#[uniffi::export]
impl OldPairing {
    /// Reads what the new device shows, scanned or typed.
    ///
    /// # Errors
    /// `locked`, `mistyped`, `malformed`, `too-new`, `no-randomness`.
    #[uniffi::constructor]
    pub fn new(session: &Session, text: &str, typed: bool) -> Result<Self, Refusal> {
        let join = |session: &mut core::Session| core::OldPairing::join(session, kind(typed), text);
        let (pairing, first) = session.held.with(join)?;
        let room = pairing.room().as_bytes().to_vec();
        let pairing = Held::new(pairing, OVER);
        Ok(Self {
            pairing,
            room,
            first,
        })
    }

    /// The room to join on the server.
    pub fn room(&self) -> Vec<u8> {
        self.room.clone()
    }

    /// The first message, to send once the room is joined.
    pub fn first(&self) -> Vec<u8> {
        self.first.clone()
    }

    /// Takes the first message of the new device; gives the answer.
    ///
    /// # Errors
    /// `out-of-turn`, `interference`, `too-new`.
    pub fn receive_share(&self, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.pairing.with(|pairing| pairing.receive_share(message))
    }

    /// Takes the second message of the new device. Ask for the digits next.
    ///
    /// # Errors
    /// `out-of-turn`, `interference`.
    pub fn receive_hello(&self, message: &[u8]) -> Result<(), Refusal> {
        self.pairing.with(|pairing| pairing.receive_hello(message))
    }

    /// Takes the digits that the person typed. There is one try.
    ///
    /// # Errors
    /// `interference`, `out-of-turn`.
    pub fn confirm(&self, typed: &str) -> Result<(), Refusal> {
        self.pairing.with(|pairing| pairing.confirm(typed))
    }

    /// Enters the new device in the sigchain, which goes to the server before
    /// the message that this gives. `pinned` is what this device knows the
    /// server by: the key of its log, and those of the witnesses, a line each.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `out-of-turn`, `altered`, `limit`, `malformed`.
    pub fn admit(
        &self,
        session: &Session,
        pinned: Option<String>,
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        let pinned = pinned.map(|text| text.parse()).transpose()?;
        let pairing = self.pairing.take()?;
        let admit = |session: &mut _| pairing.admit(session, pinned.as_ref(), now_ms);
        session.held.with(admit)
    }
}

fn kind(typed: bool) -> InvitationKind {
    match typed {
        true => InvitationKind::Typed,
        false => InvitationKind::Scanned,
    }
}
