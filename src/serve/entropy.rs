//! The operating system's random numbers, for the exchange.

/// Over `getrandom(2)`.
pub struct OsEntropy;

impl sip::entropy::Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        // The call can fail only before the system's generator is seeded at boot, and blocks
        // until then; going on with guessable tags would let strangers end calls.
        getrandom::fill(out).expect("the operating system gives random bytes");
    }
}
