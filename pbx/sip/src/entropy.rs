//! Randomness as an injected capability, so that the stack itself stays deterministic.

/// A source of unpredictable bytes for branches, tags, Call-IDs and nonces.
///
/// The shell implements it over the operating system's generator, the
/// simulation over a seeded one.
pub trait Entropy: Send {
    /// Fills `out` with unpredictable bytes.
    fn fill(&mut self, out: &mut [u8]);
}
