//! What a device pins of a server, and hands to the next device.

use std::fmt;
use std::str::FromStr;

use crypto::transparency::{LogKey, WitnessKey};

use crate::refusal::{Code, Refusal};

/// Most witnesses.
const MAX_WITNESSES: usize = 32;

/// The keys of a log and of those who confirm it. As text: a line each, the log's first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    log: String,
    witnesses: Vec<String>,
}

impl Pinned {
    /// Checks that these are keys.
    ///
    /// # Errors
    /// [`Code::Malformed`], [`Code::Limit`].
    pub fn new(log: String, witnesses: Vec<String>) -> Result<Self, Refusal> {
        if witnesses.len() > MAX_WITNESSES {
            let sentence = "a log has at most 32 witnesses";
            return Err(Refusal::new(Code::Limit, sentence));
        }
        let _: LogKey = log.parse()?;
        for witness in &witnesses {
            let _: WitnessKey = witness.parse()?;
        }
        Ok(Self { log, witnesses })
    }

    /// The log's key.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The witnesses' keys.
    pub fn witnesses(&self) -> &[String] {
        &self.witnesses
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.log)?;
        self.witnesses
            .iter()
            .try_for_each(|witness| write!(f, "\n{witness}"))
    }
}

impl FromStr for Pinned {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let mut lines = text.split('\n').map(str::to_owned);
        let log = lines.next().unwrap_or_default();
        Self::new(log, lines.take(MAX_WITNESSES + 1).collect())
    }
}
