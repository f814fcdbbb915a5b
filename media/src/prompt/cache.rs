//! The cache file: a magic number, three lengths, three runs of samples, all
//! little-endian.

use super::{MAX_PROMPT_SECONDS, Prompt};
use crate::codec::Rate;

/// Names the format and its version.
const MAGIC: &[u8; 8] = b"prompt1\n";
const HEADER_BYTES: usize = 8 + 3 * 4;

pub(super) fn write(prompt: &Prompt) -> Vec<u8> {
    let samples: usize = Rate::ALL.iter().map(|&rate| prompt.pcm(rate).len()).sum();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + 2 * samples);
    bytes.extend_from_slice(MAGIC);
    for rate in Rate::ALL {
        // The longest prompt has 43 million samples.
        bytes.extend_from_slice(&(prompt.pcm(rate).len() as u32).to_le_bytes());
    }
    for rate in Rate::ALL {
        bytes.extend(prompt.pcm(rate).iter().flat_map(|s| s.to_le_bytes()));
    }
    bytes
}

pub(super) fn read(bytes: &[u8]) -> Option<Prompt> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (lengths, mut rest) = rest.split_first_chunk::<12>()?;
    let mut runs = [const { Vec::new() }; 3];
    for ((run, length), rate) in runs.iter_mut().zip(lengths.chunks_exact(4)).zip(Rate::ALL) {
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        if length > rate.hz() as usize * MAX_PROMPT_SECONDS {
            return None;
        }
        let (pcm, after) = rest.split_at_checked(length * 2)?;
        *run = pcm
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        rest = after;
    }
    let [pcm_8k, pcm_16k, pcm_48k] = runs;
    rest.is_empty().then_some(Prompt {
        pcm_8k,
        pcm_16k,
        pcm_48k,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_reads_back_as_written() {
        let prompt = Prompt {
            pcm_8k: vec![1, -2],
            pcm_16k: vec![3, 4, 5],
            pcm_48k: vec![i16::MIN; 7],
        };
        let bytes = prompt.write_cache();
        assert_eq!(Prompt::read_cache(&bytes), Ok(prompt));
        for cut in 0..bytes.len() {
            assert!(Prompt::read_cache(&bytes[..cut]).is_err());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Prompt::read_cache(&longer).is_err());
        let mut huge = bytes;
        huge[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Prompt::read_cache(&huge).is_err());
    }
}
