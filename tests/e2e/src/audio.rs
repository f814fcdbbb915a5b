//! What was heard, by frequency.

use std::fmt;
use std::path::Path;
use std::process::Command;

use media::tone::{dominant_hz, tone_level};

/// All audio is looked at in this rate.
pub const RATE_HZ: u32 = 8_000;
/// Frequencies are told apart window by window; 100 ms tell 10 Hz apart.
const WINDOW: usize = RATE_HZ as usize / 10;
/// Part of a window's energy at one frequency that makes it a tone.
const TONE_PART: f64 = 0.6;
/// Root mean square below which a window is silent.
const SILENCE_RMS: f64 = 40.0;

/// Mono audio at [`RATE_HZ`].
#[derive(Clone, Default)]
pub struct Heard(pub Vec<i16>);

impl Heard {
    /// Reads a sound file; `sox` converts it.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        let output = Command::new("sox")
            .arg("-V1")
            // A recorder that is still running has not written the length yet.
            .arg("--ignore-length")
            .arg(file)
            .args(["-t", "raw", "-e", "signed", "-b", "16", "-c", "1", "-r"])
            .args([&RATE_HZ.to_string(), "-"])
            .output()
            .expect("sox runs");
        assert!(
            output.status.success(),
            "sox cannot read {}: {}",
            file.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        let pairs = output.stdout.chunks_exact(2);
        Self(
            pairs
                .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                .collect(),
        )
    }

    /// Its length, seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.0.len() as f64 / f64::from(RATE_HZ)
    }

    /// For how many seconds a tone of `hz` was heard, alone or nearly so.
    #[must_use]
    pub fn seconds_of(&self, hz: u32) -> f64 {
        self.windows(|window| tone_level(window, RATE_HZ, f64::from(hz)) > TONE_PART)
    }

    /// For how many seconds anything at all was heard.
    #[must_use]
    pub fn seconds_of_sound(&self) -> f64 {
        self.windows(|_| true)
    }

    /// What was heard after the first `seconds`.
    #[must_use]
    pub fn after(&self, seconds: f64) -> Self {
        let start = (seconds * f64::from(RATE_HZ)) as usize;
        Self(self.0.get(start..).unwrap_or_default().to_vec())
    }

    /// The root mean square of every 100 ms.
    #[must_use]
    pub fn levels(&self) -> Vec<f64> {
        self.0.chunks_exact(WINDOW).map(rms).collect()
    }

    fn windows(&self, wanted: impl Fn(&[i16]) -> bool) -> f64 {
        let windows = self.0.chunks_exact(WINDOW);
        let count = windows
            .filter(|window| rms(window) > SILENCE_RMS && wanted(window))
            .count();
        (count * WINDOW) as f64 / f64::from(RATE_HZ)
    }
}

impl fmt::Display for Heard {
    /// The tones in the order in which they were heard.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runs: Vec<(String, usize)> = Vec::new();
        for window in self.0.chunks_exact(WINDOW) {
            let name = name(window);
            match runs.last_mut() {
                Some((last, count)) if *last == name => *count += 1,
                _ => runs.push((name, 1)),
            }
        }
        for (name, count) in runs {
            write!(
                f,
                "[{name} {:.1} s]",
                (count * WINDOW) as f64 / f64::from(RATE_HZ)
            )?;
        }
        Ok(())
    }
}

fn name(window: &[i16]) -> String {
    if rms(window) <= SILENCE_RMS {
        return "silence".into();
    }
    let hz = dominant_hz(window, RATE_HZ);
    if tone_level(window, RATE_HZ, hz) > TONE_PART {
        format!("{:.0} Hz", (hz / 10.0).round() * 10.0)
    } else {
        "sound".into()
    }
}

fn rms(window: &[i16]) -> f64 {
    let energy: f64 = window.iter().map(|&s| f64::from(s).powi(2)).sum();
    (energy / window.len() as f64).sqrt()
}

/// Makes a sound file with a tone; the format is that of the file's extension.
///
/// # Panics
/// When `sox` cannot.
pub fn make_tone(file: &Path, hz: u32, seconds: f64) {
    let raw: &[&str] = match file.extension().and_then(|e| e.to_str()) {
        Some("ulaw") => &["-t", "raw", "-e", "u-law", "-b", "8"],
        _ => &["-b", "16"],
    };
    let status = Command::new("sox")
        .args(["-n", "-r", "8000", "-c", "1"])
        .args(raw)
        .arg(file)
        .args(["synth", &seconds.to_string(), "sine", &hz.to_string()])
        .args(["gain", "-10"])
        .status()
        .expect("sox runs");
    assert!(status.success(), "sox cannot make {}", file.display());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Folder;

    #[test]
    fn tones_are_told_apart_in_time_and_frequency() {
        let folder = Folder::new();
        let file = folder.join("a.wav");
        make_tone(&file, 440, 2.0);
        let mut heard = Heard::read(&file);
        heard.0.extend([0; RATE_HZ as usize]);
        assert!((heard.seconds_of(440) - 2.0).abs() < 0.15, "{heard}");
        assert!(heard.seconds_of(480) < 0.1, "{heard}");
        assert!((heard.seconds_of_sound() - 2.0).abs() < 0.15, "{heard}");
        assert_eq!(heard.to_string(), "[440 Hz 2.0 s][silence 1.0 s]");
    }
}
