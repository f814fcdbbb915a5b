//! Running another program: bytes in, bytes out, and no longer than allowed.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::database;

/// Most bytes kept of what a child says is wrong.
const MAX_COMPLAINT_BYTES: u64 = 4_096;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    program: PathBuf,
    arguments: Vec<String>,
}

/// What a child did.
pub(super) struct Done {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<u8>,
    pub(super) complaint: String,
}

impl Child {
    /// `program` with `arguments`.
    #[must_use]
    pub fn new(program: &Path, arguments: &[&str]) -> Self {
        Self {
            program: program.to_path_buf(),
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
        }
    }

    /// Feeds `input` to the child and takes at most `max_output` bytes from it.
    ///
    /// # Errors
    /// When it cannot be started, or is not done after `patience`
    /// ([`io::ErrorKind::TimedOut`]); it is killed then.
    pub(super) fn run(
        &self,
        input: &[u8],
        max_output: u64,
        patience: Duration,
    ) -> io::Result<Done> {
        let mut process = Command::new(&self.program)
            .args(&self.arguments)
            .env_remove(database::VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = process.stdin.take().expect("stdin is piped");
        let mut stdout = process.stdout.take().expect("stdout is piped");
        let mut stderr = process.stderr.take().expect("stderr is piped");
        let (done, closed) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // A child that has heard enough closes its end; its status says whether that is right.
                let _ = stdin.write_all(input);
            });
            let complaint = scope.spawn(move || read_some(&mut stderr, MAX_COMPLAINT_BYTES));
            let output = scope.spawn(move || {
                let output = read_some(&mut stdout, max_output);
                drop(done);
                output
            });
            let in_time = closed.recv_timeout(patience) != Err(mpsc::RecvTimeoutError::Timeout);
            if !in_time {
                process.kill()?;
            }
            let status = process.wait()?;
            let output = output.join().expect("reading does not panic")?;
            let complaint = complaint.join().expect("reading does not panic")?;
            if !in_time {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Ok(Done {
                status,
                output,
                complaint: String::from_utf8_lossy(&complaint).trim().to_owned(),
            })
        })
    }
}

/// Reads `max` bytes; the rest is read and dropped, so that the child can finish.
fn read_some(from: &mut impl Read, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.by_ref().take(max).read_to_end(&mut bytes)?;
    io::copy(from, &mut io::sink())?;
    Ok(bytes)
}
