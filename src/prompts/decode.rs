//! Decoding an audio file in a process of its own: parsers of audio files are large and fed with
//! what comes from outside, and a mistake in one must not touch calls.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use media::prompt::{MAX_PROMPT_BYTES, MAX_PROMPT_SECONDS, Prompt, decode_prompt};

use super::child::Child;

/// Processor time that decoding may take, seconds.
const MAX_CPU_S: u64 = 120;
/// Address space of the child, bytes. The longest prompt needs about a third.
const MAX_MEMORY_BYTES: u64 = 1536 * 1024 * 1024;
/// Files that the child may have open: its three pipes and a few for the system's libraries.
const MAX_FILES: u64 = 16;
/// Time until the child is given up.
const PATIENCE: Duration = Duration::from_secs(300);
/// The longest prompt at 8, 16 and 48 kHz, 16 bits, and a header.
const MAX_CACHE_BYTES: u64 = (MAX_PROMPT_SECONDS as u64) * 72_000 * 2 + 4_096;
const OUT_OF_LIMITS: &str =
    "decoding it took too much time or memory: shorten it, or save it as WAV";

/// Decodes `bytes` in a child process. The error says why it cannot be, and what to do.
pub(super) fn decode(decoder: &Child, bytes: &[u8]) -> Result<Prompt, String> {
    let done = match decoder.run(bytes, MAX_CACHE_BYTES, PATIENCE) {
        Ok(done) => done,
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            return Err(OUT_OF_LIMITS.to_owned());
        }
        Err(error) => return Err(format!("the decoder cannot be started: {error}")),
    };
    match done.status.code() {
        Some(0) => Prompt::read_cache(&done.output).map_err(|error| error.to_string()),
        Some(1) if !done.complaint.is_empty() => Err(done.complaint),
        // Ended by a signal, or by running out of memory.
        _ => Err(OUT_OF_LIMITS.to_owned()),
    }
}

/// The child: reads an audio file from standard input and writes its cache form to standard
/// output, under limits that it sets for itself first.
#[must_use]
pub fn decode_child_main() -> ExitCode {
    match decode_under_limits(&mut std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            // The exit code tells too, should nobody read this.
            let _ = writeln!(std::io::stderr(), "{sentence}");
            ExitCode::FAILURE
        }
    }
}

pub(super) fn decode_under_limits(output: &mut impl Write) -> Result<(), String> {
    limit_self().map_err(|error| format!("the limits cannot be set: {error}"))?;
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(MAX_PROMPT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("the file did not arrive: {error}"))?;
    let prompt = decode_prompt(&bytes).map_err(|error| error.to_string())?;
    output
        .write_all(&prompt.write_cache())
        .map_err(|error| format!("the audio could not be passed on: {error}"))
}

fn limit_self() -> std::io::Result<()> {
    for (resource, most) in [
        (libc::RLIMIT_CPU, MAX_CPU_S),
        (libc::RLIMIT_AS, MAX_MEMORY_BYTES),
        (libc::RLIMIT_NOFILE, MAX_FILES),
        (libc::RLIMIT_FSIZE, 0),
        (libc::RLIMIT_CORE, 0),
        // No further processes or threads.
        (libc::RLIMIT_NPROC, 0),
    ] {
        let limit = libc::rlimit {
            rlim_cur: most,
            rlim_max: most,
        };
        // SAFETY: the call reads one `rlimit` that outlives it, and changes no memory of ours.
        #[expect(unsafe_code, reason = "the standard library has no resource limits")]
        let result = unsafe { libc::setrlimit(resource, &raw const limit) };
        if result != 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}
