//! `centralita doctor`: what stands in the way of calls, and what to do about it.
//!
//! Every check looks at the machine as it is and changes nothing, apart from a file that it writes
//! to measure the disk and deletes again.

mod data;
mod machine;
mod network;
mod running;
mod voice;

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::database::{DataFolder, DatabaseError};
use crate::hotline::{Hotline, telling_handles};
use data::Applied;

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Calls work, but not as well as they could, or not under all circumstances.
    Warn,
    /// Calls do not work, or facts about them get lost.
    Fail,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it went.
    pub verdict: Verdict,
    /// What was found, and, unless all is well, what to do.
    pub sentence: String,
}

impl Finding {
    fn ok(sentence: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, sentence)
    }

    fn warn(sentence: impl Into<String>) -> Self {
        Self::new(Verdict::Warn, sentence)
    }

    fn fail(sentence: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, sentence)
    }

    fn new(verdict: Verdict, sentence: impl Into<String>) -> Self {
        Self {
            verdict,
            sentence: sentence.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        write!(f, "{word}  {}", self.sentence)
    }
}

/// Examines this machine and the data folder `data`, and prints a line for each check.
/// The exit code tells whether any failed.
///
/// # Errors
/// When the findings cannot be printed.
pub async fn run(
    data: &Path,
    found: Result<DataFolder, DatabaseError>,
) -> Result<ExitCode, String> {
    let findings = examine(data, found).await;
    let mut out = std::io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}").map_err(|error| error.to_string())?;
    }
    let failed = findings.iter().any(|f| f.verdict == Verdict::Fail);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The findings of all checks of the data folder `data`, which was `found` to have its database
/// somewhere.
pub async fn examine(data: &Path, found: Result<DataFolder, DatabaseError>) -> Vec<Finding> {
    let running = store::Store::is_in_use(data);
    let mut findings = Vec::new();
    let applied = data::database(found, &mut findings).await;
    findings.extend(data::folder(data));
    let hotline = match &applied {
        Applied::Hotline(hotline) => {
            network::check(hotline, running, &mut findings);
            findings.extend(data::given_certificate(&hotline.web));
            findings.extend(telling_handles(&hotline.volunteers).map(Finding::warn));
            Some(&**hotline)
        }
        Applied::Nothing => {
            findings.push(Finding::warn(
                "no hotline file is applied yet, so ports and addresses cannot be checked. \
                 Run `centralita apply hotline.toml`",
            ));
            None
        }
        Applied::Unknown => None,
    };
    if running {
        running::check(data, &mut findings).await;
    }
    findings.extend(voice::codecs());
    findings.push(machine::speech());
    findings.push(machine::time_zones(hotline));
    findings.push(machine::clock());
    findings.extend(machine::limits(hotline));
    findings
}

/// The calls at once that a hotline allows; those of a small one without a file.
fn calls_at_once(hotline: Option<&Hotline>) -> u32 {
    hotline.map_or(50, |hotline| hotline.limits.calls)
}

#[cfg(test)]
mod tests;
