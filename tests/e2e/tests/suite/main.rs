//! The built box among peers that others wrote: SIPp, baresip, linphone,
//! Kamailio and Asterisk.
//!
//! Each test prints what it measured. Audio is told by frequency: every voice
//! and every recording of the hotline is a tone of its own.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed step fails the test; what was measured is printed"
)]

mod carriers;
mod files;
mod linphone;
mod odd;
mod race;
mod redaction;
mod registration;
mod running;
mod screening;
mod slice;
mod streams;
mod talk;
mod voicemail;
mod waiting;
