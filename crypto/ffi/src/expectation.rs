//! What the app knows before it opens anything.

use std::sync::{Mutex, PoisonError};

use crypto::record::{Position, RecordPlace};
use crypto_session as core;

use crate::held::Held;
use crate::refusal::Refusal;

/// The people whose device lists were verified.
#[derive(Debug, uniffi::Object)]
pub struct People(pub(crate) Held<core::People>);

#[uniffi::export]
impl People {
    /// Nobody yet.
    #[uniffi::constructor]
    #[expect(clippy::new_without_default, reason = "Rust uses crypto-session")]
    pub fn new() -> Self {
        let sentence = "who was verified was lost; load the device lists again";
        let gone = (core::Code::UnknownPerson, sentence);
        Self(Held::new(core::People::default(), gone))
    }

    /// Verifies somebody's sigchain. `seen` is the head that was stored for
    /// them; gives the new head, to be stored.
    ///
    /// # Errors
    /// `moved`, `rollback`, `altered`, `malformed`, `too-new`, `limit`.
    pub fn add(
        &self,
        user: &str,
        sigchain: &[u8],
        seen: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Refusal> {
        let user = core::user_named(user)?;
        let head = self.0.with(|it| it.add(user, sigchain, seen.as_deref()))?;
        Ok(head.to_vec())
    }
}

/// Which record of which hotline, and what sort of thing it is.
#[derive(Debug, Clone, Copy, uniffi::Object)]
pub struct Place(pub(crate) RecordPlace);

#[uniffi::export]
impl Place {
    /// `kind` is `note`, `message`, `transcript`, `report`, `contact` or
    /// `attachment`.
    ///
    /// # Errors
    /// `malformed`.
    #[uniffi::constructor]
    pub fn new(kind: &str, hub: &str, record: &str) -> Result<Self, Refusal> {
        Ok(Self(core::place_named(kind, hub, record)?))
    }
}

/// The server's own key, as the app has pinned it.
#[derive(Debug, Clone, Copy, uniffi::Object)]
pub struct ServerKey(pub(crate) core::ServerKey);

#[uniffi::export]
impl ServerKey {
    /// `id` names the key; `key` is its 32 bytes.
    ///
    /// # Errors
    /// `malformed`.
    #[uniffi::constructor]
    pub fn new(id: &str, key: &[u8]) -> Result<Self, Refusal> {
        let id = core::device_named(id)?;
        Ok(Self(core::ServerKey::new(id, key)?))
    }
}

/// What the app knows of a record that it asked the server for.
#[derive(Debug, uniffi::Object)]
pub struct Expectation(Mutex<core::Expectation>);

#[uniffi::export]
impl Expectation {
    /// A record by `author` that `readers` may read, by the hub's roster.
    ///
    /// # Errors
    /// `malformed`.
    #[uniffi::constructor]
    pub fn new(place: &Place, author: &str, readers: Vec<String>) -> Result<Self, Refusal> {
        let author = core::user_named(author)?;
        Self::by(place, author.into(), &readers)
    }

    /// A record that the server sealed as it came in, such as who called.
    ///
    /// # Errors
    /// `malformed`.
    #[uniffi::constructor]
    pub fn of_server(
        place: &Place,
        server: &ServerKey,
        readers: Vec<String>,
    ) -> Result<Self, Refusal> {
        Self::by(place, core::Author::Server(server.0), &readers)
    }

    /// The newest state that was seen: nothing older is believed.
    pub fn seen(&self, revision: u32, manifest: u32) {
        let at_least = Position { revision, manifest };
        let mut expectation = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        expectation.at_least = at_least;
    }
}

impl Expectation {
    /// As it is now.
    pub(crate) fn now(&self) -> core::Expectation {
        // Nothing that is done under this lock leaves half of a change.
        let expectation = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        expectation.clone()
    }

    fn by(place: &Place, author: core::Author, readers: &[String]) -> Result<Self, Refusal> {
        let readers = core::users_named(readers)?;
        let expectation = core::Expectation::new(place.0, author, readers);
        Ok(expectation.into())
    }
}

impl From<core::Expectation> for Expectation {
    fn from(expectation: core::Expectation) -> Self {
        Self(Mutex::new(expectation))
    }
}

/// A record that was sealed or changed.
#[derive(Debug, Clone, uniffi::Record)]
pub struct SealedNote {
    /// To send to the server.
    pub record: Vec<u8>,
    /// Its front alone: to send where the body stayed as it is.
    pub front: Vec<u8>,
    /// To be remembered as seen.
    pub revision: u32,
    /// To be remembered as seen.
    pub manifest: u32,
}

impl From<core::SealedNote> for SealedNote {
    fn from(sealed: core::SealedNote) -> Self {
        let Position { revision, manifest } = sealed.position;
        Self {
            record: sealed.record,
            front: sealed.front,
            revision,
            manifest,
        }
    }
}

/// A record that was believed and opened.
// An object: a record would print its text wherever it is logged.
#[derive(Debug, uniffi::Object)]
pub struct OpenedNote(core::OpenedNote);

impl From<core::OpenedNote> for OpenedNote {
    fn from(opened: core::OpenedNote) -> Self {
        Self(opened)
    }
}

#[uniffi::export]
impl OpenedNote {
    /// What was sealed.
    pub fn plaintext(&self) -> Vec<u8> {
        self.0.plaintext.to_vec()
    }

    /// To be remembered as seen.
    pub fn revision(&self) -> u32 {
        self.0.position.revision
    }

    /// To be remembered as seen.
    pub fn manifest(&self) -> u32 {
        self.0.position.manifest
    }

    /// The device that wrote it has been revoked since: whoever took it could
    /// have written this afterwards.
    pub fn author_revoked(&self) -> bool {
        self.0.author_revoked
    }

    /// Why this person's own wrap is due for `rewrap_note`: `older` when it is of
    /// an older key, `slower` when one under the items key opens faster.
    pub fn rewrap(&self) -> Option<String> {
        self.0.rewrap.map(|why| why.name().to_owned())
    }
}
