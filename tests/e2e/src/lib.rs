//! What the end-to-end tests share: the built box in a folder of its own, and
//! the peers around it that others wrote (SIPp, baresip, linphone, Kamailio,
//! Asterisk, sox).
//!
//! Every box gets loopback addresses of its own ([`net::Net`]), so that any
//! number of tests run at once on fixed ports. Nothing is read from or written
//! to the home folder.
//!
//! Everything here fails by panicking with what was expected: a test has no
//! better way to go on.
#![expect(
    clippy::unwrap_used,
    reason = "a harness that cannot go on fails the test"
)]

pub mod asterisk;
pub mod audio;
pub mod baresip;
pub mod binary;
pub mod folder;
pub mod hotline;
pub mod kamailio;
pub mod linphone;
pub mod net;
pub mod netns;
pub mod peer;
pub mod server;
pub mod sipp;
pub mod voice;
pub mod wire;

use std::time::{Duration, Instant};

/// How often a condition is looked at while it is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until `look` returns something.
///
/// # Panics
/// After `within`, with `what` was awaited.
pub fn eventually<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited {within:?} for {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Leaves out what this machine cannot run, if the environment variable `variable` allows it, and
/// says so.
///
/// # Panics
/// When it does not: a test that cannot run has not passed.
#[expect(
    clippy::print_stderr,
    reason = "what is left out must not go unnoticed"
)]
fn do_without<T>(variable: &str, why: &str) -> Option<T> {
    assert!(
        std::env::var_os(variable).is_some(),
        "{why}. To leave this test out, set {variable}=1"
    );
    eprintln!("LEFT OUT, because {variable} is set: {why}");
    None
}
