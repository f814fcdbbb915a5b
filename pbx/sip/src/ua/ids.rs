//! Branches, tags and Call-IDs, and random durations, all from the injected entropy.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::digest::hex;
use crate::entropy::Entropy;
use crate::via::BRANCH_COOKIE;

/// Makes everything that must be unique or unpredictable.
pub(crate) struct Ids {
    entropy: Box<dyn Entropy>,
    /// Keys the To tags of responses that leave no state behind.
    tag_key: [u8; 32],
}

/// The branch of a request of ours.
#[derive(Clone)]
pub(crate) struct Branch {
    /// The number of its transaction.
    pub(crate) number: u64,
    /// As it stands in Via.
    pub(crate) text: String,
}

impl Ids {
    pub(crate) fn new(mut entropy: Box<dyn Entropy>) -> Self {
        let mut tag_key = [0; 32];
        entropy.fill(&mut tag_key);
        Self { entropy, tag_key }
    }

    pub(crate) fn entropy(&mut self) -> &mut dyn Entropy {
        self.entropy.as_mut()
    }

    /// A branch that tells its transaction's number: cookie, number, randomness.
    pub(crate) fn branch(&mut self, number: u64) -> Branch {
        Branch {
            number,
            text: format!("{BRANCH_COOKIE}{number:x}.{}", self.token::<8>()),
        }
    }

    /// The transaction's number in one of our branches.
    pub(crate) fn transaction_of(branch: &str) -> Option<u64> {
        let rest = branch.strip_prefix(BRANCH_COOKIE)?;
        u64::from_str_radix(rest.split_once('.')?.0, 16).ok()
    }

    pub(crate) fn tag(&mut self) -> String {
        self.token::<10>()
    }

    pub(crate) fn call_id(&mut self) -> String {
        self.token::<16>()
    }

    /// The contact user of a registration, which nobody but the registrar is told.
    pub(crate) fn contact_user(&mut self) -> String {
        self.token::<12>()
    }

    pub(crate) fn cnonce(&mut self) -> String {
        self.token::<16>()
    }

    /// The To tag of a stateless response: the same for each retransmission (RFC 3261 8.2.7).
    pub(crate) fn stateless_tag(&self, call_id: &[u8], branch: &[u8]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.tag_key).expect("HMAC takes keys of any length");
        mac.update(call_id);
        mac.update(&[0]);
        mac.update(branch);
        hex(&mac.finalize().into_bytes()[..8])
    }

    /// Uniform in `0..=max`, in steps of `step`.
    pub(crate) fn duration(&mut self, max: Duration, step: Duration) -> Duration {
        let steps = max.as_nanos() / step.as_nanos().max(1) + 1;
        let mut raw = [0; 8];
        self.entropy.fill(&mut raw);
        let pick = u128::from(u64::from_be_bytes(raw)) % steps;
        step.saturating_mul(u32::try_from(pick).unwrap_or(u32::MAX))
    }

    fn token<const BYTES: usize>(&mut self) -> String {
        let mut raw = [0; BYTES];
        self.entropy.fill(&mut raw);
        hex(&raw)
    }
}
