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

/// A code that was changed, and the keys that were changed with it.
#[wasm_bindgen]
#[derive(Debug)]
pub struct PasscodeChange {
    vault: Option<core::NewVault>,
    sigchain: Vec<u8>,
    items_key: Vec<u8>,
}

impl From<core::PasscodeChange> for PasscodeChange {
    fn from(changed: core::PasscodeChange) -> Self {
        Self {
            vault: Some(changed.vault),
            sigchain: changed.sigchain,
            items_key: changed.items_key,
        }
    }
}

#[wasm_bindgen]
impl PasscodeChange {
    /// The vault under the new code, once; `undefined` the second time.
    #[wasm_bindgen(js_name = takeVault)]
    pub fn take_vault(&mut self) -> Option<NewVault> {
        self.vault.take().map(NewVault)
    }

    /// The sigchain with the new key. It goes to the server first, together
    /// with the items key.
    #[wasm_bindgen(getter)]
    pub fn sigchain(&self) -> Vec<u8> {
        self.sigchain.clone()
    }

    /// The new items key, sealed to the person.
    #[wasm_bindgen(getter, js_name = itemsKey)]
    pub fn items_key(&self) -> Vec<u8> {
        self.items_key.clone()
    }
}

/// What a vault says of itself while it is locked.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy)]
pub struct VaultFacts(core::VaultFacts);

#[wasm_bindgen]
impl VaultFacts {
    /// Reads a vault that was stored.
    ///
    /// # Errors
    /// `malformed`, `too-new`.
    #[wasm_bindgen(constructor)]
    pub fn new(vault: &[u8]) -> Result<Self, Thrown> {
        Ok(Self(core::VaultFacts::of(vault)?))
    }

    /// Names it at the server that keeps its share.
    #[wasm_bindgen(getter)]
    pub fn id(&self) -> String {
        self.0.id.reveal()
    }

    /// Whether the share of the device's key store is needed.
    #[wasm_bindgen(getter, js_name = needsDevice)]
    pub fn needs_device(&self) -> bool {
        self.0.device
    }

    /// Whether the server's share is needed.
    #[wasm_bindgen(getter, js_name = needsServer)]
    pub fn needs_server(&self) -> bool {
        self.0.server
    }

    /// Whether a passkey's PRF is needed, evaluated at `prfInput`.
    #[wasm_bindgen(getter, js_name = needsPrf)]
    pub fn needs_prf(&self) -> bool {
        self.0.prf
    }

    /// Where to evaluate the passkey's PRF.
    #[wasm_bindgen(getter, js_name = prfInput)]
    pub fn prf_input(&self) -> Vec<u8> {
        self.0.prf_input().to_vec()
    }

    /// Whether its code is stretched in an old way: `Unlocking.reseal`.
    #[wasm_bindgen(getter, js_name = isOutdated)]
    pub fn is_outdated(&self) -> bool {
        self.0.outdated
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

    /// Whether the vault should be sealed anew with `reseal` before `finish`.
    #[wasm_bindgen(getter, js_name = isOutdated)]
    pub fn is_outdated(&self) -> bool {
        self.0.is_outdated()
    }

    /// Seals an outdated vault anew, under the code that was just entered and
    /// the same shares, to be kept in place of the old one. What the server must
    /// have first is sent after the login.
    ///
    /// # Errors
    /// `wrong-code`, `share`, `out-of-memory`, `no-randomness`, `out-of-turn`.
    pub fn reseal(&self, server: Option<Vec<u8>>) -> Result<NewVault, Thrown> {
        Ok(NewVault(self.0.reseal(server.as_deref())?))
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
