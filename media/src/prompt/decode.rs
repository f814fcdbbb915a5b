//! WAV, MP3, OGG Vorbis and FLAC.

use std::io::Cursor;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::{Collector, MAX_PROMPT_SECONDS, PromptError};

/// Damaged packets after which a file is refused rather than patched.
const MAX_DAMAGED_PACKETS: usize = 20;

/// The audio of a file, mono at 48 kHz.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<f32>, PromptError> {
    let source = MediaSourceStream::new(Box::new(Cursor::new(bytes.to_vec())), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(
            &Hint::new(),
            source,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|_| PromptError::UnknownFormat)?;
    let track = format
        .default_track(TrackType::Audio)
        .ok_or(PromptError::UnknownCodec)?;
    let track_id = track.id;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or(PromptError::UnknownCodec)?;
    if let (Some(frames), Some(rate)) = (track.num_frames, parameters.sample_rate)
        && frames / u64::from(rate.max(1)) > MAX_PROMPT_SECONDS as u64
    {
        return Err(PromptError::TooLong);
    }
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|_| PromptError::UnknownCodec)?;
    collect(format.as_mut(), decoder.as_mut(), track_id)
}

fn collect(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track_id: u32,
) -> Result<Vec<f32>, PromptError> {
    let mut collector: Option<(Collector, u32)> = None;
    let mut interleaved: Vec<f32> = Vec::new();
    let mut damaged = 0;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // A file cut short ends this way; what came before is good.
            Err(Error::IoError(_)) => break,
            Err(_) => return Err(PromptError::Damaged),
        };
        if packet.track_id != track_id {
            continue;
        }
        let audio = match decoder.decode(&packet) {
            Ok(audio) => audio,
            Err(Error::DecodeError(_)) if damaged < MAX_DAMAGED_PACKETS => {
                damaged += 1;
                continue;
            }
            Err(_) => return Err(PromptError::Damaged),
        };
        let (rate, channels) = (audio.spec().rate(), audio.spec().channels().count());
        interleaved.resize(audio.samples_interleaved(), 0.0);
        audio.copy_to_slice_interleaved(&mut interleaved);
        let (collector, first_rate) = match &mut collector {
            Some(known) => known,
            none => none.insert((Collector::new(rate)?, rate)),
        };
        if *first_rate != rate {
            return Err(PromptError::Damaged);
        }
        collector.push(&interleaved, channels)?;
    }
    let (collector, _) = collector.ok_or(PromptError::NoSound)?;
    collector.finish()
}
