//! Vaults: what is kept of a locked session.

use crypto_session as core;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::refused::Thrown;
use crate::session::Session;

/// A vault that was just sealed.
#[wasm_bindgen]
#[derive(Debug)]
pub struct NewVault(pub(crate) core::NewVault);

#[wasm_bindgen]
impl NewVault {
    /// To keep on the device, beside the ids of person and device.
    #[wasm_bindgen(getter)]
    pub fn vault(&self) -> Vec<u8> {
        self.0.vault.clone()
    }

    /// The server's share, to be sent to it and forgotten. Not a key: it opens
    /// nothing without the code.
    #[wasm_bindgen(getter, js_name = serverShare)]
    pub fn server_share(&self) -> Option<Vec<u8>> {
        let server = self.0.server.as_ref();
        server.map(|server| server.share().to_vec())
    }

    /// What the server checks proofs of the code with; to be sent and forgotten.
    #[wasm_bindgen(getter, js_name = serverProof)]
    pub fn server_proof(&self) -> Option<Vec<u8>> {
        let server = self.0.server.as_ref();
        server.map(|server| server.proof().to_vec())
    }
}

/// A vault whose code was entered.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Unlocking(core::Unlocking);

#[wasm_bindgen]
impl Unlocking {
    /// The slow half of unlocking. `device` and `prf` are the shares of the
    /// device's key store and of a passkey, if the vault has them.
    ///
    /// # Errors
    /// `share`, `out-of-memory`, `malformed`, `too-new`.
    #[wasm_bindgen(constructor)]
    pub fn new(
        vault: &[u8],
        code: &str,
        device: Option<Vec<u8>>,
        prf: Option<Vec<u8>>,
    ) -> Result<Self, Thrown> {
        let begun = core::Unlocking::begin(vault, code, device.as_deref(), prf.as_deref())?;
        Ok(Self(begun))
    }

    /// What to show the server for its share; to be sent and forgotten.
    #[wasm_bindgen(js_name = serverProof)]
    pub fn server_proof(&self) -> Vec<u8> {
        self.0.server_proof().to_vec()
    }

    /// The fast half. `user` and `device` were kept beside the vault.
    ///
    /// # Errors
    /// `wrong-code`, `share`, `malformed`.
    pub fn finish(
        self,
        server: Option<Vec<u8>>,
        user: &str,
        device: &str,
    ) -> Result<Session, Thrown> {
        let user = core::user_named(user)?;
        let device = core::device_named(device)?;
        let session = self.0.finish(server.as_deref(), user, device)?;
        Ok(Session(session))
    }
}
