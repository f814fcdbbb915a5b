//! Randomness as an argument, so that a test can hold it still.

use std::convert::Infallible;

use hpke::rand_core::{TryCryptoRng, TryRng};

/// A source of uniformly random bytes, fit for keys.
pub trait Entropy {
    /// Fills all of `out`.
    ///
    /// # Errors
    /// [`EntropyError`] when the source has nothing to give; `out` must then not
    /// be used.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError>;
}

/// The operating system's source.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(out).map_err(|_| EntropyError)
    }
}

/// The source of randomness failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct EntropyError;

/// Lends an [`Entropy`] to an interface that has no way to report failure.
///
/// After a failure the borrower has worked with zeros: its result must be
/// thrown away, which [`Lent::returned`] makes hard to forget.
pub(crate) struct Lent<'a, E: ?Sized> {
    entropy: &'a mut E,
    failure: Option<EntropyError>,
}

impl<'a, E: Entropy + ?Sized> Lent<'a, E> {
    pub(crate) fn new(entropy: &'a mut E) -> Self {
        Self {
            entropy,
            failure: None,
        }
    }

    /// Passes on what was made with the loan, unless the source failed meanwhile.
    pub(crate) fn returned<T>(self, made: T) -> Result<T, EntropyError> {
        match self.failure {
            None => Ok(made),
            Some(failure) => Err(failure),
        }
    }
}

impl<E: Entropy + ?Sized> TryRng for Lent<'_, E> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        if let Err(failure) = self.entropy.fill(out) {
            out.fill(0);
            self.failure = Some(failure);
        }
        Ok(())
    }
}

impl<E: Entropy + ?Sized> TryCryptoRng for Lent<'_, E> {}
