//! The smallest useful part of WAV: 16-bit mono PCM.

use thiserror::Error;

/// Length of the header [`header`] builds, bytes.
pub const HEADER_BYTES: usize = 44;
const BYTES_PER_SAMPLE: u32 = 2;
/// Format tag of integer PCM.
const FORMAT_PCM: u16 = 1;

/// A decoded WAV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wav {
    /// Samples per second.
    pub rate_hz: u32,
    /// The audio.
    pub pcm: Vec<i16>,
}

/// Why a WAV file could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WavError {
    /// There is no RIFF/WAVE structure.
    #[error("this is not a WAV file")]
    NotWav,
    /// The audio is not 16-bit mono PCM.
    #[error("only 16-bit mono PCM is read, this file is something else")]
    UnsupportedFormat,
    /// The file ends before its audio begins.
    #[error("the file is cut off")]
    Truncated,
    /// More audio than the format's 32-bit lengths can say.
    #[error("the recording is too long for a WAV file (4 GiB)")]
    TooLong,
}

/// The header of a file with `samples` samples; the samples follow as
/// little-endian 16-bit values.
///
/// # Errors
/// [`WavError::TooLong`] past 4 GiB.
pub fn header(samples: usize, rate_hz: u32) -> Result<[u8; HEADER_BYTES], WavError> {
    let data_bytes = u32::try_from(samples)
        .ok()
        .and_then(|samples| samples.checked_mul(BYTES_PER_SAMPLE))
        .ok_or(WavError::TooLong)?;
    let riff_bytes = data_bytes
        .checked_add(HEADER_BYTES as u32 - 8)
        .ok_or(WavError::TooLong)?;
    let mut header = [0; HEADER_BYTES];
    header[0..4].copy_from_slice(b"RIFF");
    header[4..8].copy_from_slice(&riff_bytes.to_le_bytes());
    header[8..16].copy_from_slice(b"WAVEfmt ");
    header[16..20].copy_from_slice(&16u32.to_le_bytes());
    header[20..22].copy_from_slice(&FORMAT_PCM.to_le_bytes());
    header[22..24].copy_from_slice(&1u16.to_le_bytes());
    header[24..28].copy_from_slice(&rate_hz.to_le_bytes());
    let bytes_per_second = rate_hz.saturating_mul(BYTES_PER_SAMPLE);
    header[28..32].copy_from_slice(&bytes_per_second.to_le_bytes());
    header[32..34].copy_from_slice(&(BYTES_PER_SAMPLE as u16).to_le_bytes());
    header[34..36].copy_from_slice(&16u16.to_le_bytes());
    header[36..40].copy_from_slice(b"data");
    header[40..44].copy_from_slice(&data_bytes.to_le_bytes());
    Ok(header)
}

/// A whole file.
///
/// # Errors
/// [`WavError::TooLong`] past 4 GiB.
pub fn write(pcm: &[i16], rate_hz: u32) -> Result<Vec<u8>, WavError> {
    let mut file = Vec::with_capacity(HEADER_BYTES + pcm.len() * BYTES_PER_SAMPLE as usize);
    file.extend_from_slice(&header(pcm.len(), rate_hz)?);
    file.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
    Ok(file)
}

/// Reads a file, skipping chunks it does not know. A data chunk longer than
/// the file (a recording cut short) yields what is there.
///
/// # Errors
/// [`WavError::NotWav`], [`WavError::UnsupportedFormat`] or
/// [`WavError::Truncated`].
pub fn read(file: &[u8]) -> Result<Wav, WavError> {
    if file.get(0..4) != Some(b"RIFF".as_slice()) || file.get(8..12) != Some(b"WAVE".as_slice()) {
        return Err(WavError::NotWav);
    }
    let mut rest = &file[12..];
    let mut rate_hz = None;
    while let Some((id, length, body)) = split_chunk(rest) {
        let body_here = &body[..length.min(body.len())];
        match id {
            b"fmt " => rate_hz = Some(read_format(body_here)?),
            b"data" => {
                let rate_hz = rate_hz.ok_or(WavError::UnsupportedFormat)?;
                let pcm = body_here
                    .chunks_exact(2)
                    .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                    .collect();
                return Ok(Wav { rate_hz, pcm });
            }
            _ => {}
        }
        // Chunks are padded to even lengths.
        let next = length.saturating_add(length % 2);
        rest = body.get(next..).ok_or(WavError::Truncated)?;
    }
    Err(WavError::Truncated)
}

/// The id and length of the chunk at the start of `bytes`, and what follows.
fn split_chunk(bytes: &[u8]) -> Option<(&[u8; 4], usize, &[u8])> {
    let (id, bytes) = bytes.split_first_chunk::<4>()?;
    let (length, body) = bytes.split_first_chunk::<4>()?;
    Some((id, u32::from_le_bytes(*length) as usize, body))
}

/// The sample rate of a format chunk that describes 16-bit mono PCM.
fn read_format(chunk: &[u8]) -> Result<u32, WavError> {
    let chunk: &[u8; 16] = chunk.first_chunk().ok_or(WavError::Truncated)?;
    let word = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
    if (word(0), word(2), word(14)) != (FORMAT_PCM, 1, 16) {
        return Err(WavError::UnsupportedFormat);
    }
    Ok(u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_back_as_written() {
        let pcm = vec![0, 1, -1, i16::MAX, i16::MIN];
        let file = write(&pcm, 16_000).unwrap();
        assert_eq!(file.len(), HEADER_BYTES + 10);
        assert_eq!(
            read(&file),
            Ok(Wav {
                rate_hz: 16_000,
                pcm
            })
        );
    }

    #[test]
    fn unknown_chunks_are_skipped_and_cut_files_yield_what_they_have() {
        let file = write(&[5, 6, 7], 8_000).unwrap();
        let mut padded = file[..12].to_vec();
        padded.extend_from_slice(b"LIST\x03\0\0\0abc\0");
        padded.extend_from_slice(&file[12..]);
        assert_eq!(read(&padded).unwrap().pcm, [5, 6, 7]);
        assert_eq!(read(&file[..file.len() - 3]).unwrap().pcm, [5]);
    }

    #[test]
    fn other_files_are_refused_by_name() {
        assert_eq!(read(b"ID3"), Err(WavError::NotWav));
        assert_eq!(read(&[]), Err(WavError::NotWav));
        let mut stereo = write(&[1, 2], 8_000).unwrap();
        stereo[22] = 2;
        assert_eq!(read(&stereo), Err(WavError::UnsupportedFormat));
        let file = write(&[1, 2], 8_000).unwrap();
        assert_eq!(read(&file[..20]), Err(WavError::Truncated));
        assert_eq!(header(usize::MAX, 8_000), Err(WavError::TooLong));
    }
}
