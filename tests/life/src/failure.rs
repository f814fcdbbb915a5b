//! Why something did not work out.

use protocol::Problem;

/// Why a command failed, as it is told to the person.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server refused.
    #[error("the server refuses ({}): {}", .0.status, .0.detail)]
    Refused(Problem),
    /// The device's cryptography refused: a wrong PIN, or something that does not verify.
    #[error("{0}")]
    NotBelieved(#[from] crypto_session::Refusal),
    /// What the server says contradicts what it or others have said.
    #[error("the server contradicts itself: {0}")]
    Contradiction(String),
    /// The connection failed.
    #[error("no connection: {0}")]
    Connection(#[from] Box<ureq::Error>),
    /// The server's answer is not what the API promises.
    #[error("the server answered {status} with something else than it promises: {what}")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// What was wrong.
        what: String,
    },
    /// The client's own folder.
    #[error("the client's folder: {0}")]
    Folder(#[from] std::io::Error),
    /// The client's own files, or what the person typed.
    #[error("{0}")]
    Misused(String),
}

impl Failure {
    /// The HTTP status of a refusal by the server.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(problem) => Some(problem.status),
            _ => None,
        }
    }
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        Self::Connection(Box::new(error))
    }
}
