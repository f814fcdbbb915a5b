//! What callers and volunteers notice of the router.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its scenes share"
)]

mod changing;
mod desk;
mod random;
mod ringing;
mod schedule;
mod screening;
mod talking;
mod voicemail;
mod waiting;
