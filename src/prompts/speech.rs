//! Text to speech by `espeak-ng`.

use std::path::Path;
use std::time::Duration;

use super::child::Child;

const PATIENCE: Duration = Duration::from_secs(60);
/// Ten minutes of 22 kHz, 16 bits.
const MAX_WAV_BYTES: u64 = 600 * 44_100;
/// Slower than the default of 175: callers may be upset, or not at home in the language.
const WORDS_PER_MINUTE: &str = "145";

/// `text` as a WAV file. The error says what to do; no full stop at its end.
pub(super) fn speak(speaker: &Path, language: &str, text: &str) -> Result<Vec<u8>, String> {
    // A regional voice that is not there gives way to the language's own.
    let primary = language.split('-').next().unwrap_or(language);
    speak_with(speaker, language, text).or_else(|why| {
        if primary == language {
            Err(why)
        } else {
            speak_with(speaker, primary, text)
        }
    })
}

fn speak_with(speaker: &Path, voice: &str, text: &str) -> Result<Vec<u8>, String> {
    let arguments = [
        "-v",
        voice,
        "-s",
        WORDS_PER_MINUTE,
        "-b",
        "1",
        "--stdin",
        "--stdout",
    ];
    let done = match Child::new(speaker, &arguments).run(text.as_bytes(), MAX_WAV_BYTES, PATIENCE) {
        Ok(done) => done,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(
                "espeak-ng is not installed, so texts cannot be spoken. Install it \
                 (for example `apt install espeak-ng`) and apply the hotline file again"
                    .to_owned(),
            );
        }
        Err(error) => {
            return Err(format!(
                "espeak-ng does not work ({error}). Try `espeak-ng -v {voice} hello`"
            ));
        }
    };
    if done.status.success() && !done.output.is_empty() {
        return Ok(with_true_lengths(done.output));
    }
    Err(format!(
        "espeak-ng cannot speak \"{voice}\". Choose another `language` (`espeak-ng --voices` lists them)"
    ))
}

/// A WAV file that is streamed cannot know its length beforehand, and claims two gigabytes.
/// The two lengths in its header (44 bytes, as `espeak-ng` writes it) are set right.
fn with_true_lengths(mut wav: Vec<u8>) -> Vec<u8> {
    const HEADER_BYTES: usize = 44;
    let length = u32::try_from(wav.len()).ok();
    let data = length.and_then(|length| length.checked_sub(HEADER_BYTES as u32));
    if let (Some(length), Some(data)) = (length, data)
        && wav.starts_with(b"RIFF")
        && wav[36..40] == *b"data"
    {
        wav[4..8].copy_from_slice(&(length - 8).to_le_bytes());
        wav[40..44].copy_from_slice(&data.to_le_bytes());
    }
    wav
}
