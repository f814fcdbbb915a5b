//! The byte encoding of headers and labelled contexts: big-endian integers and
//! the variable-size vectors of RFC 9420 section 2.1.2.

/// The longest vector that [`push_vector`] writes, in bytes.
const MAX_VECTOR_BYTES: usize = (1 << 14) - 1;

/// Appends `bytes` as an `opaque<V>`: a length in the shortest of one or two
/// bytes (top bits `00` or `01`), then the bytes.
///
/// # Panics
/// When `bytes` is longer than 16383 bytes. Lengths come from this crate's own
/// limits, never from a peer.
pub(crate) fn push_vector(out: &mut Vec<u8>, bytes: &[u8]) {
    assert!(bytes.len() <= MAX_VECTOR_BYTES, "vector exceeds its limit");
    let length = bytes.len() as u16;
    match length {
        0..=63 => out.push(length as u8),
        _ => out.extend_from_slice(&(0x4000 | length).to_be_bytes()),
    }
    out.extend_from_slice(bytes);
}

/// Why a [`Cursor`] could not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// The input ended.
    Ended,
    /// A vector's length is not in its shortest form or is over the limit.
    Length,
}

/// Reads an input from front to back.
pub(crate) struct Cursor<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], ReadError> {
        let rest = self.input.get(self.at..).ok_or(ReadError::Ended)?;
        let taken = rest.get(..count).ok_or(ReadError::Ended)?;
        self.at += count;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let taken = self.bytes(N)?;
        taken.try_into().map_err(|_| ReadError::Ended)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ReadError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, ReadError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ReadError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ReadError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Reads an `opaque<V>` of at most `limit` bytes.
    pub(crate) fn vector(&mut self, limit: usize) -> Result<&'a [u8], ReadError> {
        let first = self.u8()?;
        let length = match first >> 6 {
            0 => usize::from(first),
            1 => {
                let second = self.u8()?;
                let length = usize::from(first & 0x3f) << 8 | usize::from(second);
                if length < 64 {
                    return Err(ReadError::Length);
                }
                length
            }
            _ => return Err(ReadError::Length),
        };
        if length > limit {
            return Err(ReadError::Length);
        }
        self.bytes(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_the_lengths_of_rfc_9420() {
        for (count, prefix) in [
            (0, vec![0]),
            (37, vec![37]),
            (63, vec![63]),
            (64, vec![0x40, 64]),
            (15_293, vec![0x7b, 0xbd]),
        ] {
            let mut out = Vec::new();
            push_vector(&mut out, &vec![7; count]);
            assert_eq!(out[..prefix.len()], prefix);
            assert_eq!(out.len(), prefix.len() + count);
            let mut cursor = Cursor::new(&out);
            assert_eq!(cursor.vector(count).unwrap(), vec![7; count]);
            assert_eq!(cursor.position(), out.len());
        }
    }

    #[test]
    fn a_long_form_of_a_short_length_is_refused() {
        let mut input = vec![0x40, 37];
        input.extend([0; 37]);
        assert_eq!(Cursor::new(&input).vector(100), Err(ReadError::Length));
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_the_bytes_are_asked_for() {
        assert_eq!(Cursor::new(&[63]).vector(62), Err(ReadError::Length));
        assert_eq!(Cursor::new(&[62]).vector(62), Err(ReadError::Ended));
        assert_eq!(Cursor::new(&[0xc0]).vector(62), Err(ReadError::Length));
    }
}
