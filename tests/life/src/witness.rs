//! Witnesses of the key log, asked directly (c2sp.org/tlog-witness).

use std::time::Duration;

use crypto::transparency::{ADD_CHECKPOINT_PATH, SignedCheckpoint};
use crypto_session::Refusal;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use ureq::Agent;

use crate::client::Client;
use crate::failure::Failure;
use crate::log::size_of;

const WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a hash in a proof.
const HASH_BYTES: usize = 32;
const CONFLICT: u16 = 409;

/// Somebody else's witness, as a partner organisation runs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessAt {
    /// Its key, as text.
    pub key: String,
    /// Where it is asked; nothing when the server asks it.
    pub url: Option<String>,
}

impl Client {
    /// The checkpoint with the signatures of those witnesses that a client asks itself.
    pub(crate) fn confirmed(&mut self, checkpoint: String) -> Result<String, Failure> {
        let mut confirmed = checkpoint;
        for witness in self.server().witnesses.clone() {
            let Some(url) = witness.url else {
                continue;
            };
            let lines = self.ask_witness(&url, &confirmed)?;
            let signed = SignedCheckpoint::parse(&confirmed).map_err(Refusal::from)?;
            let signed = signed.with_cosignatures(&lines).map_err(Refusal::from)?;
            confirmed = signed.as_str().to_owned();
        }
        Ok(confirmed)
    }

    /// Proves to the witness that the log has only grown since it looked; its signatures.
    fn ask_witness(&mut self, url: &str, checkpoint: &str) -> Result<String, Failure> {
        let new = size_of(checkpoint)?;
        let mut known = 0;
        // Once to hear how far it has seen, once more if others were faster.
        for _ in 0..3 {
            let mut body = format!("old {known}\n");
            for hash in self.consistency(known, new)?.chunks(HASH_BYTES) {
                body.push_str(&BASE64.encode(hash));
                body.push('\n');
            }
            body.push('\n');
            body.push_str(checkpoint);
            let (status, text) = post(&format!("{url}{ADD_CHECKPOINT_PATH}"), &body)?;
            match status {
                200 => return Ok(text),
                CONFLICT => known = text.trim().parse().unwrap_or_default(),
                _ => break,
            }
        }
        let lie = format!("the witness at {url} does not confirm the key log");
        Err(Failure::Contradiction(lie))
    }
}

fn post(url: &str, body: &str) -> Result<(u16, String), Failure> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(WITHIN))
        .build();
    let mut answer = Agent::from(config).post(url).send(body)?;
    let status = answer.status().as_u16();
    Ok((status, answer.body_mut().read_to_string()?))
}
