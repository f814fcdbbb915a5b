//! The front of a sealed voicemail: header and wraps.

use std::ops::RangeInclusive;

use crate::cobblestone::PREFIX_BYTES;
use crate::encoding::{Cursor, ReadError, push_vector};
use crate::error::{Error, MetaError};
use crate::label::Label;
use crate::reader_key::{ReaderKeyId, WRAP_BYTES};
use crate::record::RecordKind;

/// The longest hub or recording id, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 128;
/// The most readers of one recording.
pub const MAX_RECIPIENTS: usize = 64;
/// Sample rates that a recording may have, in Hz.
pub const SAMPLE_RATES_HZ: RangeInclusive<u32> = 8_000..=48_000;

const MAGIC: &[u8; 4] = b"HLVM";
const VERSION: u8 = 1;
/// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; Cobblestone-256.
const SUITE: u8 = 1;
/// Signed 16-bit little-endian samples, one channel.
const ENCODING_S16LE_MONO: u8 = 1;

const MAX_HEADER_BYTES: usize = MAGIC.len() + 2 + 2 * (2 + MAX_ID_BYTES) + 8 + 1 + 4;
/// The longest front, up to and including the body's salt and commitment.
pub(super) const MAX_FRONT_BYTES: usize =
    MAX_HEADER_BYTES + 1 + MAX_RECIPIENTS * (ReaderKeyId::BYTES + WRAP_BYTES) + PREFIX_BYTES;

/// The facts of a recording. They stand unencrypted (but authenticated) in the
/// file, so they must say nothing about the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoicemailMeta {
    /// The hub that was called; 1 to [`MAX_ID_BYTES`] bytes.
    pub hub: String,
    /// The recording's id; 1 to [`MAX_ID_BYTES`] bytes.
    pub recording: String,
    /// When recording began, in milliseconds since 1970-01-01 00:00 UTC.
    pub created_at_ms: u64,
    /// Sample rate of the s16le mono sound, in Hz, within [`SAMPLE_RATES_HZ`].
    pub sample_rate_hz: u32,
}

impl VoicemailMeta {
    fn check(&self) -> Result<(), MetaError> {
        let ids = 1..=MAX_ID_BYTES;
        if !ids.contains(&self.hub.len()) {
            return Err(MetaError::HubLength {
                given: self.hub.len(),
            });
        }
        if !ids.contains(&self.recording.len()) {
            return Err(MetaError::RecordingLength {
                given: self.recording.len(),
            });
        }
        if !SAMPLE_RATES_HZ.contains(&self.sample_rate_hz) {
            return Err(MetaError::SampleRate {
                given: self.sample_rate_hz,
            });
        }
        Ok(())
    }
}

/// A content key sealed to one reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrap {
    pub(super) reader: ReaderKeyId,
    pub(super) sealed: [u8; WRAP_BYTES],
}

/// Everything before the first chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Front {
    pub(super) meta: VoicemailMeta,
    /// The header's exact bytes, which wraps and body are bound to.
    pub(super) header: Vec<u8>,
    pub(super) wraps: Vec<Wrap>,
    /// The body's salt and commitment.
    pub(super) body_prefix: [u8; PREFIX_BYTES],
    /// Offset of the first chunk.
    pub(super) bytes: usize,
}

impl Front {
    /// Reads a front from the first bytes of a file: all of them, or at least
    /// [`MAX_FRONT_BYTES`].
    pub(super) fn parse(input: &[u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(input);
        let meta = parse_header(&mut cursor, input)?;
        let header = input[..cursor.position()].to_vec();
        let wraps = parse_wraps(&mut cursor)?;
        let body_prefix = cursor.array()?;
        Ok(Self {
            meta,
            header,
            wraps,
            body_prefix,
            bytes: cursor.position(),
        })
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Ended => Self::HeaderTruncated,
            ReadError::Length => Self::HeaderMalformed("an id has a wrong length"),
        }
    }
}

/// Writes the header of a new recording.
pub(super) fn header(meta: &VoicemailMeta) -> Result<Vec<u8>, MetaError> {
    meta.check()?;
    let mut out = Vec::with_capacity(MAX_HEADER_BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[VERSION, SUITE]);
    push_vector(&mut out, meta.hub.as_bytes());
    push_vector(&mut out, meta.recording.as_bytes());
    out.extend_from_slice(&meta.created_at_ms.to_be_bytes());
    out.push(ENCODING_S16LE_MONO);
    out.extend_from_slice(&meta.sample_rate_hz.to_be_bytes());
    Ok(out)
}

/// Appends the list of wraps.
pub(super) fn push_wraps(out: &mut Vec<u8>, wraps: &[Wrap]) {
    out.push(u8::try_from(wraps.len()).expect("readers are at most MAX_RECIPIENTS"));
    for wrap in wraps {
        out.extend_from_slice(wrap.reader.as_bytes());
        out.extend_from_slice(&wrap.sealed);
    }
}

/// The HPKE `info` of one reader's wrap.
pub(super) fn wrap_info(header: &[u8], reader: ReaderKeyId) -> Vec<u8> {
    Label::IngestKeyWrap.bind(&[header, reader.as_bytes()].concat())
}

/// The Cobblestone context of the body.
pub(super) fn body_context(header: &[u8]) -> Vec<u8> {
    RecordKind::Voicemail.label().bind(header)
}

fn parse_header(cursor: &mut Cursor<'_>, input: &[u8]) -> Result<VoicemailMeta, Error> {
    if !input.iter().zip(MAGIC).all(|(found, known)| found == known) {
        return Err(Error::NotVoicemail);
    }
    cursor.bytes(MAGIC.len())?;
    let version = cursor.u8()?;
    if version != VERSION {
        return Err(Error::UnknownVersion(version));
    }
    let suite = cursor.u8()?;
    if suite != SUITE {
        return Err(Error::UnknownSuite(suite));
    }
    let hub = parse_id(cursor)?;
    let recording = parse_id(cursor)?;
    let created_at_ms = cursor.u64()?;
    if cursor.u8()? != ENCODING_S16LE_MONO {
        return Err(Error::HeaderMalformed("the sound's encoding is not known"));
    }
    let meta = VoicemailMeta {
        hub,
        recording,
        created_at_ms,
        sample_rate_hz: cursor.u32()?,
    };
    meta.check()
        .map_err(|_| Error::HeaderMalformed("an id or the sample rate is out of bounds"))?;
    Ok(meta)
}

fn parse_id(cursor: &mut Cursor<'_>) -> Result<String, Error> {
    let bytes = cursor.vector(MAX_ID_BYTES)?;
    let text = std::str::from_utf8(bytes);
    Ok(text
        .map_err(|_| Error::HeaderMalformed("an id is not UTF-8"))?
        .to_owned())
}

fn parse_wraps(cursor: &mut Cursor<'_>) -> Result<Vec<Wrap>, Error> {
    let count = usize::from(cursor.u8()?);
    if !(1..=MAX_RECIPIENTS).contains(&count) {
        return Err(Error::HeaderMalformed(
            "the number of readers is out of bounds",
        ));
    }
    (0..count)
        .map(|_| {
            Ok(Wrap {
                reader: ReaderKeyId::from_bytes(cursor.array()?),
                sealed: cursor.array()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meta(hub: String, recording: String) -> VoicemailMeta {
        VoicemailMeta {
            hub,
            recording,
            created_at_ms: 1_763_690_000_000,
            sample_rate_hz: 16_000,
        }
    }

    #[test]
    fn the_longest_front_fits_the_bytes_that_are_read_for_it() {
        let longest = meta("h".repeat(MAX_ID_BYTES), "r".repeat(MAX_ID_BYTES));
        let wrap = Wrap {
            reader: ReaderKeyId::from_bytes([1; ReaderKeyId::BYTES]),
            sealed: [2; WRAP_BYTES],
        };
        let mut bytes = header(&longest).unwrap();
        push_wraps(&mut bytes, &vec![wrap; MAX_RECIPIENTS]);
        bytes.extend([3; PREFIX_BYTES]);
        assert_eq!(bytes.len(), MAX_FRONT_BYTES);
        let front = Front::parse(&bytes).unwrap();
        assert_eq!(front.meta, longest);
        assert_eq!(front.wraps.len(), MAX_RECIPIENTS);
        assert_eq!(front.bytes, MAX_FRONT_BYTES);
    }

    #[test]
    fn facts_that_do_not_fit_are_refused_before_anything_is_written() {
        let good = meta("hub".into(), "recording".into());
        let refused = |meta: VoicemailMeta| header(&meta).unwrap_err();
        assert_eq!(
            refused(meta(String::new(), "r".into())),
            MetaError::HubLength { given: 0 }
        );
        assert_eq!(
            refused(meta("h".into(), "r".repeat(129))),
            MetaError::RecordingLength { given: 129 }
        );
        assert_eq!(
            refused(VoicemailMeta {
                sample_rate_hz: 7_999,
                ..good
            }),
            MetaError::SampleRate { given: 7_999 }
        );
    }

    proptest! {
        #[test]
        fn any_front_reads_back(
            hub in ".{1,40}", recording in "[a-z0-9-]{1,100}",
            created_at_ms: u64, sample_rate_hz in SAMPLE_RATES_HZ,
            readers in 1usize..6, fill: u8,
        ) {
            prop_assume!(hub.len() <= MAX_ID_BYTES);
            let meta = VoicemailMeta { hub, recording, created_at_ms, sample_rate_hz };
            let head = header(&meta).unwrap();
            let wraps = vec![
                Wrap {
                    reader: ReaderKeyId::from_bytes([fill; ReaderKeyId::BYTES]),
                    sealed: [fill; WRAP_BYTES],
                };
                readers
            ];
            let mut bytes = head.clone();
            push_wraps(&mut bytes, &wraps);
            bytes.extend([fill; PREFIX_BYTES]);
            let front = Front::parse(&bytes).unwrap();
            prop_assert_eq!(front.bytes, bytes.len());
            let expected = Front {
                meta, header: head, wraps, body_prefix: [fill; PREFIX_BYTES], bytes: bytes.len(),
            };
            prop_assert_eq!(&front, &expected);
            for end in 0..bytes.len() {
                prop_assert!(matches!(Front::parse(&bytes[..end]), Err(Error::HeaderTruncated)));
            }
        }

        #[test]
        fn no_bytes_make_parsing_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..400), magic: bool,
        ) {
            let mut input = if magic { b"HLVM\x01\x01".to_vec() } else { Vec::new() };
            input.extend(bytes);
            if let Ok(front) = Front::parse(&input) {
                prop_assert_eq!(header(&front.meta).unwrap(), front.header);
            }
        }
    }
}
