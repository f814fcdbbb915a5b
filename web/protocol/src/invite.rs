//! Invitations into a hub.
//!
//! The server makes nobody a member: who redeems an invitation can log in, and belongs to the
//! hub when one of its admins has entered them in the signed roster.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, Cursor, EntryCode, Id, Role};

/// How long an invitation is good at most, in milliseconds: 30 days.
pub const INVITE_LIFETIME_MAX_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Most invitations on a page.
pub const MAX_INVITES_PER_PAGE: u32 = 200;

/// Somebody is invited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// As what. It may do nothing that the inviter may not.
    pub role: Role,
    /// Until when; at most [`INVITE_LIFETIME_MAX_MS`] from now.
    pub expires_at_ms: u64,
}

/// An invitation that was just made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InviteMade {
    /// Which, to withdraw it.
    pub invite: Id,
    /// What lets somebody in, once. The server does not keep it.
    #[schema(value_type = String)]
    pub code: EntryCode,
}

/// Which invitations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteQuery {
    /// Only those before this place, older ones: to turn the page.
    pub before: Option<Cursor>,
    /// At most so many; at most [`MAX_INVITES_PER_PAGE`].
    pub limit: Option<u32>,
}

/// Invitations of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invites {
    /// The newest first.
    pub invites: Vec<InviteFacts>,
    /// Before which place the next page begins; nothing at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Cursor>,
}

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InviteFacts {
    /// Which.
    pub invite: Id,
    /// As what.
    pub role: Role,
    /// Who invited.
    pub invited_by: Id,
    /// Since when.
    pub created_at_ms: u64,
    /// Until when.
    pub expires_at_ms: u64,
    /// Who used it; an admin enters them in the roster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_by: Option<Id>,
    /// When it was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_at_ms: Option<u64>,
    /// `Voucher` by whoever used it (`docs/protocol/hub-v1.md`, "Invitations"): an admin's device
    /// takes nobody in without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voucher: Option<Blob>,
}

/// A code of an invitation, as somebody typed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteCode {
    /// The code.
    #[schema(value_type = String)]
    pub code: EntryCode,
}

/// An invitation is used by somebody who is here already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteUse {
    /// The code.
    #[schema(value_type = String)]
    pub code: EntryCode,
    /// `Voucher` with the secret of the link.
    pub voucher: Blob,
}

/// What a code is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InviteOffer {
    /// The code as it is written: these bytes are signed when it is redeemed.
    #[schema(value_type = String)]
    pub code: EntryCode,
    /// Into which hub.
    pub hub: Id,
    /// The hub's name.
    pub hub_name: String,
    /// As what.
    pub role: Role,
    /// Until when.
    pub expires_at_ms: u64,
}

/// A new person comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRedemption {
    /// The code.
    #[schema(value_type = String)]
    pub code: EntryCode,
    /// The new person's whole sigchain, with the device of a recovery key on it.
    pub sigchain: Blob,
    /// The escrow of that recovery key: nobody comes in without a way back in.
    pub recovery_escrow: Blob,
    /// Name and languages, sealed.
    pub profile: Blob,
    /// `InviteProof` over the code (`docs/protocol/sigchain-v1.md`, "Redeeming an invite").
    pub proof: Blob,
    /// `Voucher` with the secret of the link, over the sigchain as it is here.
    pub voucher: Blob,
}
