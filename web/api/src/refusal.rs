//! Why a request is refused, as it is answered.

use std::fmt;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::{Code, Problem};
use store::StoreError;

use crate::keylog::KeyLogError;

/// A refusal: a code for programs, a sentence for people. What went wrong inside the server is
/// logged and not told.
#[derive(Debug)]
pub struct Refusal {
    code: Code,
    detail: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            retry_after: None,
        }
    }

    pub(crate) fn malformed(detail: impl fmt::Display) -> Self {
        Self::new(Code::Malformed, detail.to_string())
    }

    /// What a client sent does not verify; the error of `crypto` says why.
    pub(crate) fn not_verified(error: impl fmt::Display) -> Self {
        Self::new(Code::NotVerified, error.to_string())
    }

    pub(crate) fn login_needed() -> Self {
        Self::new(Code::LoginNeeded, "log in first")
    }

    pub(crate) fn not_allowed() -> Self {
        Self::new(Code::NotAllowed, "this is not yours to do")
    }

    /// Also for what exists but is not for this person: nobody learns which of the two it is.
    pub(crate) fn not_found() -> Self {
        Self::new(Code::NotFound, "there is no such thing here")
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Code::Conflict, detail)
    }

    pub(crate) fn too_many(wait: Duration) -> Self {
        Self {
            code: Code::TooMany,
            detail: "too many requests; wait a moment".to_owned(),
            retry_after: Some(wait),
        }
    }

    pub(crate) fn internal(error: impl fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(
            Code::Internal,
            "the server made a mistake; its log says more",
        )
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.code {
            Code::Malformed | Code::NotVerified => 400,
            Code::LoginNeeded | Code::TokenExpired | Code::BadProof | Code::Idle => 401,
            Code::NotAllowed | Code::Locked => 403,
            Code::NotFound => 404,
            Code::NoSuchMethod => 405,
            Code::Conflict => 409,
            Code::Spent => 410,
            Code::TooLarge => 413,
            Code::TooMany => 429,
            Code::Internal => 500,
            Code::Unavailable => 503,
        }
    }

    /// For programs.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    fn problem(self) -> Problem {
        let seconds = |wait: Duration| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        Problem {
            status: self.status(),
            code: self.code,
            retry_after_s: self.retry_after.map(|wait| seconds(wait).saturating_add(1)),
            detail: self.detail,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Refusal {}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotAllowed => Self::not_allowed(),
            StoreError::Conflict { what } => Self::conflict(what),
            error if error.is_passing() => {
                tracing::error!(%error, "a request waits for the database");
                Self::new(
                    Code::Unavailable,
                    "nothing can be saved right now; try again soon",
                )
            }
            error => Self::internal(error),
        }
    }
}

impl From<KeyLogError> for Refusal {
    fn from(error: KeyLogError) -> Self {
        match error {
            KeyLogError::Store(error) => error.into(),
            error => Self::internal(error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = problem.retry_after_s {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
