//! Invitations: the secret in the link, and whether who came in was invited.

use crypto::hub::{HubKey, Invitation, InviteSecret, Voucher};
use crypto::{HubId, UserId};
use zeroize::Zeroizing;

use crate::people::People;
use crate::refusal::{Code, Refusal};
use crate::session::Session;

/// So many hub keys back an invitation is still good: somebody may leave while a link is on its
/// way, and whoever left earlier is not to vouch for anybody.
const KEYS_BACK: u32 = 1;

impl Session {
    /// What the link of an invitation carries past the server, `hlinv1…`.
    ///
    /// # Errors
    /// As of [`Session::roster`]; [`Code::KeyNeeded`].
    pub fn invite_secret(
        &self,
        hub: HubId,
        invitation: &Invitation,
    ) -> Result<Zeroizing<String>, Refusal> {
        let key = self.opened()?.hub(hub)?.newest_key()?;
        Ok(key.invite_secret(invitation).reveal())
    }

    /// Vouches for this person's keys as they are now, with the secret of the
    /// link by which they come in.
    ///
    /// # Errors
    /// [`Code::Mistyped`] for what is no such secret, [`Code::Locked`],
    /// [`Code::KeyNeeded`] before there is a chain.
    pub fn vouch(&self, secret: &str) -> Result<Vec<u8>, Refusal> {
        let secret = secret.trim().parse::<InviteSecret>();
        let secret = secret.map_err(|error| Refusal::new(Code::Mistyped, error.to_string()))?;
        let head = self.opened()?.person()?.chain.head();
        Ok(secret.vouch(self.user(), head).encode().to_vec())
    }

    /// Checks that the keys of `user`, who is among `people`, are of whoever held
    /// the link of this invitation. To be done before they are added.
    ///
    /// # Errors
    /// [`Code::NotVouched`]; [`Code::Malformed`], [`Code::TooNew`] for the voucher;
    /// [`Code::Rollback`] when the device list does not contain what was vouched for;
    /// [`Code::UnknownPerson`], [`Code::KeyNeeded`].
    pub fn check_voucher(
        &self,
        hub: HubId,
        invitation: &Invitation,
        user: UserId,
        voucher: &[u8],
        people: &People,
    ) -> Result<(), Refusal> {
        let open = self.opened()?;
        let voucher = Voucher::decode(voucher)?;
        let hotline = open.hub(hub)?;
        let newest = hotline.newest_key()?;
        let earlier = newest.epoch().saturating_sub(KEYS_BACK);
        let vouched = |key: &HubKey| key.check_voucher(invitation, user, &voucher);
        vouched(newest).or_else(|refused| match hotline.key(earlier) {
            Ok(key) => vouched(key),
            Err(_) => Err(refused),
        })?;
        let chain = open.chain_of(user, people)?;
        Ok(chain.check_contains(&voucher.head())?)
    }
}
