//! What callers and volunteers notice of the router.

mod changing;
mod desk;
mod random;
mod ringing;
mod schedule;
mod screening;
mod talking;
mod voicemail;
mod waiting;
