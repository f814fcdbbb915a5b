//! HTTPS to one server.

use std::sync::Arc;
use std::time::Duration;

use protocol::{API_ROOT, Problem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::failure::Failure;

/// A request, with its answer.
const WITHIN: Duration = Duration::from_secs(30);
/// The longest answer that is read: an export, or a recording.
const MAX_ANSWER_BYTES: u64 = 256 << 20;

/// HTTPS to one server, whose certificate one authority must have signed.
#[derive(Clone)]
pub struct Wire {
    agent: Agent,
    origin: String,
}

impl Wire {
    /// To the server at `origin` (scheme, host, and port unless it is 443), believed on the word
    /// of the authority `ca_pem` and nobody else's.
    ///
    /// # Errors
    /// [`Failure::Connection`] when `ca_pem` is no certificate.
    pub fn new(origin: &str, ca_pem: &str) -> Result<Self, Failure> {
        let authority = Certificate::from_pem(ca_pem.as_bytes())?;
        let provider = rustls::crypto::ring::default_provider();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::new_with_certs(&[authority]))
            .unversioned_rustls_crypto_provider(Arc::new(provider))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(WITHIN))
            .build();
        Ok(Self {
            agent: config.into(),
            origin: origin.to_owned(),
        })
    }

    /// Whom this is connected to.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Sends a request that nobody signs to `path` below the root of the API.
    ///
    /// # Errors
    /// As of [`Wire::send`].
    pub fn open(&self, path: &str, body: &impl Serialize) -> Result<Answer, Failure> {
        let body = serde_json::to_vec(body).expect("the API's types are JSON");
        self.send("POST", &format!("{API_ROOT}{path}"), &[], &body)
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    /// [`Failure::Connection`]. A refusal is an answer.
    pub fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.origin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = if body.is_empty() {
            let request = request.body(()).map_err(ureq::Error::from)?;
            self.agent.run(request)?
        } else {
            let request = request.body(body).map_err(ureq::Error::from)?;
            self.agent.run(request)?
        };
        let kind = response.headers().get("content-type");
        let kind = kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let status = response.status().as_u16();
        let reading = response.body_mut().with_config().limit(MAX_ANSWER_BYTES);
        Ok(Answer {
            status,
            kind,
            body: reading.read_to_vec()?,
        })
    }
}

/// What the server answered.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub kind: Option<String>,
    /// What came with it.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body of a request that was carried out.
    ///
    /// # Errors
    /// [`Failure::Refused`]; [`Failure::Unexpected`] for a refusal that is not one of the API's.
    pub fn bytes(self) -> Result<Vec<u8>, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        Err(Failure::Refused(self.problem()?))
    }

    /// The same, as JSON.
    ///
    /// # Errors
    /// As of [`Answer::bytes`]; [`Failure::Unexpected`] for something else.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Failure> {
        let status = self.status;
        let body = self.bytes()?;
        serde_json::from_slice(&body).map_err(|error| Failure::Unexpected {
            status,
            what: error.to_string(),
        })
    }

    /// The refusal.
    ///
    /// # Errors
    /// [`Failure::Unexpected`] when it is not one of the API's: wrong type, no sentence, or
    /// another status inside.
    pub fn problem(&self) -> Result<Problem, Failure> {
        let unexpected = |what: String| Failure::Unexpected {
            status: self.status,
            what,
        };
        if self.kind.as_deref() != Some("application/problem+json") {
            return Err(unexpected(format!("content type {:?}", self.kind)));
        }
        let problem: Problem =
            serde_json::from_slice(&self.body).map_err(|error| unexpected(error.to_string()))?;
        if problem.status != self.status || problem.detail.is_empty() {
            return Err(unexpected("a refusal that is not whole".to_owned()));
        }
        Ok(problem)
    }
}
