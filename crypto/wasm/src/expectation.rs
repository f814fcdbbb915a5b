//! What the panel knows before it opens anything.

use crypto::record::{Position, RecordPlace};
use crypto_session as core;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::refused::Thrown;

/// The people whose device lists were verified.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct People(pub(crate) core::People);

#[wasm_bindgen]
impl People {
    /// Nobody yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Verifies somebody's sigchain. `seen` is the head that was stored for
    /// them; gives the new head, to be stored.
    ///
    /// # Errors
    /// `moved`, `rollback`, `altered`, `malformed`, `too-new`, `limit`.
    pub fn add(
        &mut self,
        user: &str,
        sigchain: &[u8],
        seen: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Thrown> {
        let user = core::user_named(user)?;
        Ok(self.0.add(user, sigchain, seen.as_deref())?.to_vec())
    }
}

/// Which record of which hotline, and what sort of thing it is.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy)]
pub struct Place(pub(crate) RecordPlace);

#[wasm_bindgen]
impl Place {
    /// `kind` is `note`, `message`, `transcript`, `report`, `contact` or
    /// `attachment`.
    ///
    /// # Errors
    /// `malformed`.
    #[wasm_bindgen(constructor)]
    pub fn new(kind: &str, hub: &str, record: &str) -> Result<Self, Thrown> {
        Ok(Self(core::place_named(kind, hub, record)?))
    }
}

/// The server's own key, as the panel has pinned it.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy)]
pub struct ServerKey(pub(crate) core::ServerKey);

#[wasm_bindgen]
impl ServerKey {
    /// `id` names the key; `key` is its 32 bytes.
    ///
    /// # Errors
    /// `malformed`.
    #[wasm_bindgen(constructor)]
    pub fn new(id: &str, key: &[u8]) -> Result<Self, Thrown> {
        let id = core::device_named(id)?;
        Ok(Self(core::ServerKey::new(id, key)?))
    }
}

/// What the panel knows of a record that it asked the server for.
#[wasm_bindgen]
#[derive(Debug, Clone)]
pub struct Expectation(pub(crate) core::Expectation);

#[wasm_bindgen]
impl Expectation {
    /// A record by `author` that `readers` may read, by the hub's roster.
    ///
    /// # Errors
    /// `malformed`.
    #[wasm_bindgen(constructor)]
    pub fn new(place: &Place, author: &str, readers: Vec<String>) -> Result<Self, Thrown> {
        let author = core::user_named(author)?;
        Self::by(place, author.into(), &readers)
    }

    /// A record that the server sealed as it came in, such as who called.
    ///
    /// # Errors
    /// `malformed`.
    #[wasm_bindgen(js_name = ofServer)]
    pub fn of_server(
        place: &Place,
        server: &ServerKey,
        readers: Vec<String>,
    ) -> Result<Self, Thrown> {
        Self::by(place, core::Author::Server(server.0), &readers)
    }

    fn by(place: &Place, author: core::Author, readers: &[String]) -> Result<Self, Thrown> {
        let readers = core::users_named(readers)?;
        Ok(Self(core::Expectation::new(place.0, author, readers)))
    }

    /// The newest state that was seen: nothing older is believed.
    pub fn seen(&mut self, revision: u32, manifest: u32) {
        self.0.at_least = Position { revision, manifest };
    }
}

/// A record that was sealed or changed.
#[wasm_bindgen]
#[derive(Debug)]
pub struct SealedNote(core::SealedNote);

impl From<core::SealedNote> for SealedNote {
    fn from(sealed: core::SealedNote) -> Self {
        Self(sealed)
    }
}

#[wasm_bindgen]
impl SealedNote {
    /// To send to the server.
    #[wasm_bindgen(getter)]
    pub fn record(&self) -> Vec<u8> {
        self.0.record.clone()
    }

    /// Its front alone: to send where the body stayed as it is.
    #[wasm_bindgen(getter)]
    pub fn front(&self) -> Vec<u8> {
        self.0.front.clone()
    }

    /// To be remembered as seen.
    #[wasm_bindgen(getter)]
    pub fn revision(&self) -> u32 {
        self.0.position.revision
    }

    /// To be remembered as seen.
    #[wasm_bindgen(getter)]
    pub fn manifest(&self) -> u32 {
        self.0.position.manifest
    }
}

/// A record that was believed and opened.
#[wasm_bindgen]
#[derive(Debug)]
pub struct OpenedNote(core::OpenedNote);

impl From<core::OpenedNote> for OpenedNote {
    fn from(opened: core::OpenedNote) -> Self {
        Self(opened)
    }
}

#[wasm_bindgen]
impl OpenedNote {
    /// What was sealed.
    #[wasm_bindgen(getter)]
    pub fn plaintext(&self) -> Vec<u8> {
        self.0.plaintext.to_vec()
    }

    /// To be remembered as seen.
    #[wasm_bindgen(getter)]
    pub fn revision(&self) -> u32 {
        self.0.position.revision
    }

    /// To be remembered as seen.
    #[wasm_bindgen(getter)]
    pub fn manifest(&self) -> u32 {
        self.0.position.manifest
    }

    /// The device that wrote it has been revoked since: whoever took it could
    /// have written this afterwards.
    #[wasm_bindgen(getter, js_name = authorRevoked)]
    pub fn author_revoked(&self) -> bool {
        self.0.author_revoked
    }

    /// Why this person's own wrap is due for `rewrapNote`: `older` when it is of
    /// an older key, `slower` when one under the items key opens faster.
    #[wasm_bindgen(getter)]
    pub fn rewrap(&self) -> Option<String> {
        self.0.rewrap.map(|why| why.name().to_owned())
    }
}
