//! Hiding the length of a short text.

use zeroize::Zeroizing;

/// Texts are padded to a multiple of this many bytes.
pub(crate) const STEP_BYTES: usize = 1_024;
/// The most that is padded here, in bytes with the padding.
pub(crate) const MAX_PADDED_BYTES: usize = 256 * STEP_BYTES;
/// The longest text, in bytes.
pub(crate) const MAX_TEXT_BYTES: usize = MAX_PADDED_BYTES - LENGTH_BYTES;

const LENGTH_BYTES: usize = 4;

/// `u32 length || text || zeros`, up to the next whole step; `None` over
/// [`MAX_TEXT_BYTES`].
pub(crate) fn pad(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let length = u32::try_from(text.len()).ok();
    let length = length.filter(|_| text.len() <= MAX_TEXT_BYTES)?;
    let size = (text.len() + LENGTH_BYTES).next_multiple_of(STEP_BYTES);
    // Never grows: no copy of plaintext stays behind.
    let mut padded = Zeroizing::new(Vec::with_capacity(size));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(text);
    padded.resize(size, 0);
    Some(padded)
}

/// The text of what [`pad`] made; `None` for anything else.
pub(crate) fn unpad(padded: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_BYTES>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (text, zeros) = rest.split_at_checked(length)?;
    let whole_steps = padded.len().is_multiple_of(STEP_BYTES);
    let shortest = zeros.len() < STEP_BYTES && zeros.iter().all(|byte| *byte == 0);
    (whole_steps && shortest).then(|| Zeroizing::new(text.to_vec()))
}

/// Whether something padded can have this many bytes.
pub(crate) fn is_padded_size(bytes: usize) -> bool {
    (STEP_BYTES..=MAX_PADDED_BYTES).contains(&bytes) && bytes.is_multiple_of(STEP_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_hidden_within_a_step() {
        let padded = |length| pad(&vec![b'x'; length]).map(|padded| padded.len());
        let within = STEP_BYTES - LENGTH_BYTES;
        assert_eq!(padded(0), Some(STEP_BYTES));
        assert_eq!(padded(within), Some(STEP_BYTES));
        assert_eq!(padded(within + 1), Some(2 * STEP_BYTES));
        assert_eq!(padded(MAX_TEXT_BYTES), Some(MAX_PADDED_BYTES));
        assert_eq!(padded(MAX_TEXT_BYTES + 1), None);
    }

    #[test]
    fn only_the_shortest_padding_of_zeros_is_taken() {
        let text = vec![7; STEP_BYTES];
        let padded = pad(&text).unwrap();
        assert_eq!(*unpad(&padded).unwrap(), text);
        let mut longer = padded.to_vec();
        longer.extend([0; STEP_BYTES]);
        let mut marked = padded.to_vec();
        *marked.last_mut().unwrap() = 1;
        for refused in [
            &longer[..],
            &marked,
            &padded[..padded.len() - 1],
            b"",
            &[255; 5],
        ] {
            assert_eq!(unpad(refused), None);
        }
    }
}
