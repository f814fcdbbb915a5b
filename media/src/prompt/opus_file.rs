//! Ogg Opus files (RFC 7845).

use opus_pure::{MAX_PACKET_SAMPLES, OggOpusReader, Trim};

use super::{Collector, PromptError};
use crate::codec::Rate;

/// Where the codec's name stands in the first page of an Ogg file with one
/// stream: after a page header of 27 bytes and a segment table of one.
const NAME_AT: usize = 28;

/// Whether `bytes` begin like an Ogg Opus file.
pub(super) fn is_opus(bytes: &[u8]) -> bool {
    bytes.starts_with(b"OggS") && bytes.get(NAME_AT..NAME_AT + 8) == Some(b"OpusHead".as_slice())
}

/// The audio of a file, mono at 48 kHz.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<f32>, PromptError> {
    let damaged = |_| PromptError::Damaged;
    let rate_hz = Rate::Hz48000.hz();
    let mut reader = OggOpusReader::new(bytes).map_err(damaged)?;
    let head = reader.head().clone();
    let channels = usize::from(head.channel_count);
    if head.mapping_family != 0 {
        return Err(PromptError::UnknownCodec);
    }
    let mut decoder = head.decoder(rate_hz as i32).map_err(damaged)?;
    let mut trim = Trim::new(&head, rate_hz as i32, channels).map_err(damaged)?;
    let mut collector = Collector::new(rate_hz)?;
    let mut block = vec![0.0f32; MAX_PACKET_SAMPLES * channels];
    for packet in reader.packets() {
        let packet = packet.map_err(damaged)?;
        let samples = decoder
            .decode(&packet.data, MAX_PACKET_SAMPLES, &mut block)
            .map_err(damaged)?;
        let audio = trim.keep(&packet, &block[..samples * channels]);
        collector.push(audio, channels)?;
    }
    collector.finish()
}
