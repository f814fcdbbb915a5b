//! What somebody is still writing, kept on their device.

use zeroize::Zeroizing;

use super::device_keys::DeviceKeys;
use super::error::DraftError;
use crate::encoding::push_vector;
use crate::entropy::Entropy;
use crate::label::Label;
use crate::padding::{MAX_TEXT_BYTES, pad, unpad};
use crate::primitive::{open_box, seal_box};

/// The longest draft, in bytes.
pub const MAX_DRAFT_BYTES: usize = MAX_TEXT_BYTES;
/// The longest name of a draft, in bytes.
pub const MAX_DRAFT_NAME_BYTES: usize = 128;

const MAGIC: [u8; 4] = *b"HLDR";
const VERSION: u8 = 1;
const FRONT_BYTES: usize = MAGIC.len() + 1;

impl DeviceKeys {
    /// Seals a draft for this device alone. `name` says which draft it is, and
    /// must be given again: what is stored as one cannot be shown as another.
    /// An older state of the same draft can.
    ///
    /// # Errors
    /// [`DraftError::TooLong`] over [`MAX_DRAFT_BYTES`], or over
    /// [`MAX_DRAFT_NAME_BYTES`] for the name; [`DraftError::Entropy`].
    pub fn seal_draft(
        &self,
        name: &str,
        text: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Vec<u8>, DraftError> {
        let bound = self.draft_context(name)?;
        let padded = pad(text).ok_or(DraftError::TooLong)?;
        let boxed = seal_box(&self.draft_key(), &bound, &padded, entropy)?;
        let mut out = Vec::with_capacity(FRONT_BYTES + boxed.len());
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&boxed);
        Ok(out)
    }

    /// Opens what this device sealed under this name.
    ///
    /// # Errors
    /// [`DraftError`] when it is something else, or another device's, or was
    /// altered.
    pub fn open_draft(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DraftError> {
        let bound = self.draft_context(name)?;
        let boxed = match sealed.split_first_chunk::<FRONT_BYTES>() {
            Some((front, boxed)) if front[..4] == MAGIC => match front[4] {
                VERSION => boxed,
                other => return Err(DraftError::UnknownVersion(other)),
            },
            _ => return Err(DraftError::Malformed),
        };
        let padded = open_box(&self.draft_key(), &bound, boxed);
        let text = padded.and_then(|padded| unpad(&padded));
        text.ok_or(DraftError::Refused)
    }

    fn draft_context(&self, name: &str) -> Result<Vec<u8>, DraftError> {
        if name.len() > MAX_DRAFT_NAME_BYTES {
            return Err(DraftError::TooLong);
        }
        let mut context = Vec::with_capacity(name.len() + 34);
        context.extend_from_slice(self.user().as_bytes());
        context.extend_from_slice(self.device().as_bytes());
        push_vector(&mut context, name.as_bytes());
        Ok(Label::DraftBody.bind(&context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;
    use crate::id::{DeviceId, UserId};
    use proptest::prelude::*;

    fn keys(user: u8, device: u8, seed: u8) -> DeviceKeys {
        let user = UserId::from_bytes([user; 16]);
        DeviceKeys::from_seed(user, DeviceId::from_bytes([device; 16]), &[seed; 32])
    }

    #[test]
    fn a_draft_opens_on_its_device_under_its_name() {
        let device = keys(1, 2, 3);
        let sealed = device.seal_draft("note", b"half a sen", &mut OsEntropy);
        let sealed = sealed.unwrap();
        assert_eq!(*device.open_draft("note", &sealed).unwrap(), b"half a sen");
        assert_eq!(
            device.open_draft("reply", &sealed),
            Err(DraftError::Refused)
        );
        for other in [keys(9, 2, 3), keys(1, 9, 3), keys(1, 2, 9)] {
            assert_eq!(other.open_draft("note", &sealed), Err(DraftError::Refused));
        }
        let name = "n".repeat(MAX_DRAFT_NAME_BYTES + 1);
        assert_eq!(device.open_draft(&name, &sealed), Err(DraftError::TooLong));
        let long = vec![0; MAX_DRAFT_BYTES + 1];
        let refused = device.seal_draft("note", &long, &mut OsEntropy);
        assert_eq!(refused, Err(DraftError::TooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_make_opening_panic_and_no_change_is_overlooked(
            noise in prop::collection::vec(any::<u8>(), 0..80),
            place in 0_usize..1_069, bit in 0..8_u32,
        ) {
            let device = keys(1, 2, 3);
            prop_assert!(device.open_draft("note", &noise).is_err());
            let mut sealed = device.seal_draft("note", b"text", &mut OsEntropy).unwrap();
            prop_assert_eq!(sealed.len(), 1_069);
            sealed[place] ^= 1 << bit;
            prop_assert!(device.open_draft("note", &sealed).is_err());
        }
    }
}
