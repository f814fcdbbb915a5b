//! People and their devices against the built box: a whole life, and whoever lies to the server.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed step fails the test; what was measured is printed"
)]

mod lies;
mod place;
mod restored;
mod schema;
mod traces;
mod whole;
