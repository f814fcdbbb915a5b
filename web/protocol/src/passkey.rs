//! Passkeys (WebAuthn Level 3): a second proof of the person beside the key of their device.
//!
//! A passkey does not take the place of the device's key, which signs every request: a login with
//! one shows both. Options and credentials are the JSON that browsers take and give
//! (`PublicKeyCredential.parseCreationOptionsFromJSON` and `toJSON`), passed on as text.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, Id};

/// What a browser is to ask of a passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyAttempt {
    /// Goes back with the answer; good once, for five minutes.
    pub attempt: Id,
    /// JSON for `navigator.credentials`, with its `publicKey`.
    pub options: String,
}

/// A passkey that was just made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyRegistration {
    /// Of [`PasskeyAttempt`].
    pub attempt: Id,
    /// The JSON of the new credential.
    pub credential: String,
    /// What its owner calls it; sealed.
    pub name: Blob,
    /// Whether it is part of this device, and goes when the device is revoked.
    pub of_device: bool,
}

/// The caller's passkeys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Passkeys {
    /// The oldest first.
    pub passkeys: Vec<PasskeyFacts>,
}

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyFacts {
    /// Its credential id.
    pub credential: Blob,
    /// What its owner calls it; sealed.
    pub name: Blob,
    /// The device that it is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Id>,
    /// Since when.
    pub created_at_ms: u64,
    /// When it was last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_at_ms: Option<u64>,
}

/// Its owner calls a passkey something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyName {
    /// Sealed.
    pub name: Blob,
}

/// A passkey has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyLogin {
    /// Of [`PasskeyAttempt`].
    pub attempt: Id,
    /// The JSON of the assertion.
    pub credential: String,
}
