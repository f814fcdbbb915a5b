//! Bringing a second device in.

use crypto::provisioning::InvitationKind;
use crypto_session as core;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::milliseconds;
use crate::refused::Thrown;
use crate::session::Session;

/// The device that comes in.
#[wasm_bindgen]
#[derive(Debug)]
pub struct NewPairing(core::NewPairing);

#[wasm_bindgen]
impl NewPairing {
    /// Makes an invitation for a new session of the person: a QR code, or a
    /// short code to type.
    ///
    /// # Errors
    /// `locked`, `no-randomness`.
    #[wasm_bindgen(constructor)]
    pub fn new(session: Session, typed: bool) -> Result<Self, Thrown> {
        let pairing = core::NewPairing::invite(session.0, kind(typed))?;
        Ok(Self(pairing))
    }

    /// Says whose device this becomes, where the new device did not know: by
    /// the word of the server. A lie makes the other device refuse this one.
    ///
    /// # Errors
    /// `out-of-turn`, `locked`, `malformed`.
    #[wasm_bindgen(js_name = namePerson)]
    pub fn name_person(&mut self, user: &str) -> Result<(), Thrown> {
        Ok(self.0.name_person(core::user_named(user)?)?)
    }

    /// For the screen.
    pub fn invitation(&self) -> String {
        self.0.invitation().to_owned()
    }

    /// The room to open on the server.
    pub fn room(&self) -> Vec<u8> {
        self.0.room().as_bytes().to_vec()
    }

    /// The six digits to show, once there are any.
    pub fn digits(&self) -> Option<String> {
        self.0.digits()
    }

    /// Takes a message of the other device; gives the answer.
    ///
    /// # Errors
    /// `out-of-turn`, `interference`, `too-new`.
    pub fn receive(&mut self, message: &[u8]) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.receive(message)?)
    }

    /// Takes the last message: this device is in.
    ///
    /// # Errors
    /// `out-of-turn`, `interference`, `malformed`.
    pub fn finish(self, message: &[u8]) -> Result<Session, Thrown> {
        Ok(Session(self.0.finish(message)?))
    }
}

/// The device that lets another in.
#[wasm_bindgen]
#[derive(Debug)]
pub struct OldPairing {
    pairing: core::OldPairing,
    first: Vec<u8>,
}

#[wasm_bindgen]
impl OldPairing {
    /// Reads what the new device shows, scanned or typed.
    ///
    /// # Errors
    /// `locked`, `mistyped`, `malformed`, `too-new`, `no-randomness`.
    #[wasm_bindgen(constructor)]
    pub fn new(session: &mut Session, text: &str, typed: bool) -> Result<Self, Thrown> {
        let (pairing, first) = core::OldPairing::join(&mut session.0, kind(typed), text)?;
        Ok(Self { pairing, first })
    }

    /// The room to join on the server.
    pub fn room(&self) -> Vec<u8> {
        self.pairing.room().as_bytes().to_vec()
    }

    /// The first message, to send once the room is joined.
    pub fn first(&self) -> Vec<u8> {
        self.first.clone()
    }

    /// Takes the first message of the new device; gives the answer.
    ///
    /// # Errors
    /// `out-of-turn`, `interference`, `too-new`.
    #[wasm_bindgen(js_name = receiveShare)]
    pub fn receive_share(&mut self, message: &[u8]) -> Result<Vec<u8>, Thrown> {
        Ok(self.pairing.receive_share(message)?)
    }

    /// Takes the second message of the new device. Ask for the digits next.
    ///
    /// # Errors
    /// `out-of-turn`, `interference`.
    #[wasm_bindgen(js_name = receiveHello)]
    pub fn receive_hello(&mut self, message: &[u8]) -> Result<(), Thrown> {
        Ok(self.pairing.receive_hello(message)?)
    }

    /// Takes the digits that the person typed. There is one try.
    ///
    /// # Errors
    /// `interference`, `out-of-turn`.
    pub fn confirm(&mut self, typed: &str) -> Result<(), Thrown> {
        Ok(self.pairing.confirm(typed)?)
    }

    /// Enters the new device in the sigchain, which goes to the server before
    /// the message that this gives. `pinned` is what this device knows the
    /// server by: the key of its log, and those of the witnesses, a line each.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `out-of-turn`, `altered`, `limit`, `malformed`.
    pub fn admit(
        self,
        session: &mut Session,
        pinned: Option<String>,
        now: f64,
    ) -> Result<Vec<u8>, Thrown> {
        let now_ms = milliseconds(now);
        let pinned = pinned.map(|text| text.parse()).transpose()?;
        Ok(self
            .pairing
            .admit(&mut session.0, pinned.as_ref(), now_ms)?)
    }
}

fn kind(typed: bool) -> InvitationKind {
    match typed {
        true => InvitationKind::Typed,
        false => InvitationKind::Scanned,
    }
}
