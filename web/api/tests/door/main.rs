//! How people come in, over real HTTPS: their client holds a [`crypto_session::Session`] and
//! believes one authority.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod client;
mod coming_in;
mod devices;
mod feed;
mod locked;
mod login;
mod passkeys;
mod refusing;
mod restart;
mod room;
mod tls;
