//! An unlocked device and its connection: requests that are signed, and those before a login.

use std::time::{SystemTime, UNIX_EPOCH};

use crypto_session::Session;
use protocol::{
    API_ROOT, Blob, ChallengeAnswer, ChallengeRequest, Code, Id, LoginRequest, PROOF_HEADER, Tokens,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::wire::{Answer, Wire};

/// A device's keys, its connection, and the tokens of its login.
pub struct Line {
    /// The connection, to say what a client would not.
    pub wire: Wire,
    /// The unlocked device.
    pub session: Session,
    /// The login.
    pub tokens: Option<Tokens>,
    /// Added to the clock, in milliseconds.
    pub clock_skew_ms: i64,
}

impl Line {
    pub(crate) fn new(wire: Wire, session: Session) -> Self {
        Self {
            wire,
            session,
            tokens: None,
            clock_skew_ms: 0,
        }
    }

    /// Logs in with the device's key.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn login(&mut self) -> Result<(), Failure> {
        let device = Id(*self.session.device().as_bytes());
        let asked = ChallengeRequest { device };
        let asked: ChallengeAnswer = self.wire.open("/login/challenge", &asked)?.json()?;
        let (origin, now) = (self.wire.origin(), self.now_ms());
        let proof = self.session.answer_login(&asked.challenge.0, origin, now)?;
        let proof = Blob(proof);
        let tokens: Tokens = self.wire.open("/login", &LoginRequest { proof })?.json()?;
        if tokens.user.0 != *self.session.user().as_bytes() {
            let lie = "it logs this device in as another person";
            return Err(Failure::Contradiction(lie.to_owned()));
        }
        self.tokens = Some(tokens);
        Ok(())
    }

    /// Exchanges the refresh token for new tokens.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn refresh(&mut self) -> Result<(), Failure> {
        let token = self.logged_in()?.refresh.clone();
        let target = format!("{API_ROOT}/session/refresh");
        let tokens: Tokens = self.signed("POST", &target, &[], &token)?.json()?;
        self.tokens = Some(tokens);
        Ok(())
    }

    /// Sends a signed request to `path` below the root of the API; an expired access token is
    /// renewed once.
    ///
    /// # Errors
    /// [`Failure`]. A refusal is an answer.
    pub fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer, Failure> {
        let target = format!("{API_ROOT}{path}");
        let token = self.logged_in()?.access.clone();
        let answer = self.signed(method, &target, body, &token)?;
        let expired = answer.status == 401 && answer.problem()?.code == Code::TokenExpired;
        if !expired || self.refresh().is_err() {
            return Ok(answer);
        }
        let token = self.logged_in()?.access.clone();
        self.signed(method, &target, body, &token)
    }

    /// The same with a body in JSON.
    ///
    /// # Errors
    /// As of [`Line::ask`].
    pub fn tell(
        &mut self,
        method: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer, Failure> {
        let body = serde_json::to_vec(body).expect("the API's types are JSON");
        self.ask(method, path, &body)
    }

    /// The same without a body, for an answer in JSON.
    ///
    /// # Errors
    /// As of [`Line::ask`]; a refusal is [`Failure::Refused`].
    pub fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failure> {
        self.ask("GET", path, &[])?.json()
    }

    /// The proof for one request, as the header has it.
    ///
    /// # Errors
    /// [`Failure::NotBelieved`].
    pub fn prove(
        &mut self,
        method: &str,
        target: &str,
        body: &[u8],
        token: &Blob,
    ) -> Result<String, Failure> {
        let now = self.now_ms();
        let proof = self
            .session
            .prove_request(method, target, body, &token.0, now)?;
        Ok(Blob(proof).to_text())
    }

    /// Sends a request with a proof for exactly it.
    ///
    /// # Errors
    /// [`Failure`]. A refusal is an answer.
    pub fn signed(
        &mut self,
        method: &str,
        target: &str,
        body: &[u8],
        token: &Blob,
    ) -> Result<Answer, Failure> {
        let proof = self.prove(method, target, body, token)?;
        let bearer = format!("Bearer {}", token.to_text());
        let headers = [("authorization", bearer.as_str()), (PROOF_HEADER, &proof)];
        self.wire.send(method, target, &headers, body)
    }

    /// Unix milliseconds, as this device believes.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        now_ms().saturating_add_signed(self.clock_skew_ms)
    }

    /// The login.
    ///
    /// # Errors
    /// [`Failure::Misused`] without one.
    pub fn logged_in(&self) -> Result<&Tokens, Failure> {
        let tokens = self.tokens.as_ref();
        tokens.ok_or_else(|| Failure::Misused("log in first".to_owned()))
    }
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.map_or(0, |since| since.as_millis());
    u64::try_from(since).unwrap_or(u64::MAX)
}
