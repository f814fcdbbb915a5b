//! Invitations: the secret in the link, and whether who came in was invited.

use crypto::hub::{Invitation, RoleId};
use crypto_session as core;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::expectation::People;
use crate::refused::Thrown;
use crate::session::Session;

#[wasm_bindgen]
impl Session {
    /// What the link of an invitation carries past the server. `id` is the
    /// server's name for the invitation, `role` the role's number in the roster.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    #[wasm_bindgen(js_name = inviteSecret)]
    pub fn invite_secret(&self, hub: &str, id: &str, role: u16) -> Result<String, Thrown> {
        let hub = core::hub_named(hub)?;
        let secret = self.0.invite_secret(hub, &invitation(id, role)?)?;
        Ok(secret.to_string())
    }

    /// Vouches for this person's keys with the secret of the link by which they
    /// come in.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `mistyped`.
    pub fn vouch(&self, secret: &str) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.vouch(secret)?)
    }

    /// Checks that the keys of `user`, who is among `people`, are of whoever held
    /// the link of this invitation. To be done before they are added.
    ///
    /// # Errors
    /// `not-vouched`, `rollback`, `locked`, `key-needed`, `unknown-person`,
    /// `malformed`, `too-new`.
    #[wasm_bindgen(js_name = checkVoucher)]
    pub fn check_voucher(
        &self,
        hub: &str,
        id: &str,
        role: u16,
        user: &str,
        voucher: &[u8],
        people: &People,
    ) -> Result<(), Thrown> {
        let (hub, user) = (core::hub_named(hub)?, core::user_named(user)?);
        let invitation = invitation(id, role)?;
        Ok(self
            .0
            .check_voucher(hub, &invitation, user, voucher, &people.0)?)
    }
}

fn invitation(id: &str, role: u16) -> Result<Invitation, Thrown> {
    Ok(Invitation {
        id: core::invitation_named(id)?,
        role: RoleId(role),
    })
}
