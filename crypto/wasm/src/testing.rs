//! Randomness that a test can compute as well.

use crypto::{Entropy, EntropyError};
use crypto_session::{Session, SharedEntropy};

/// Fill number `n` is a stream of its own, so that a test knows every secret
/// that was ever made. Nothing of it lies in memory but the number.
struct Fixed {
    fills: u32,
}

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.fills += 1;
        let mut state = self.fills.wrapping_mul(0x9e37_79b9) | 1;
        for byte in out {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            *byte = (state >> 24) as u8;
        }
        Ok(())
    }
}

/// Randomness for a session, from fill number 1 on.
pub(crate) fn entropy() -> SharedEntropy {
    Box::new(Fixed { fills: 0 })
}

pub(crate) fn session() -> Result<Session, crypto_session::Refusal> {
    Session::create_with(None, entropy())
}
