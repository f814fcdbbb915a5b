//! One trait for every telephony back end: the native exchange, other PBXs, the clouds.
//!
//! A back end is sans-IO: it turns [`Input`] into routing [`Event`]s and routing
//! [`Command`]s into [`Output`], and never sees a socket or a clock. One runner
//! does the IO for all of them. Nothing here names a protocol of the telephone
//! world; a back end keeps its vocabulary to itself.

#[cfg(feature = "conformance")]
pub mod conformance;

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use media::control::{MediaCommand, MediaEvent};
use routing::{Command, Event, LegId};

/// A telephony back end.
pub trait Telephony: Send {
    /// What it can do; asked once, before the first command.
    fn capabilities(&self) -> Capabilities;

    /// Carries out an order of the router, in order.
    fn handle_command(&mut self, command: Command, now: Instant);

    /// Takes something that came in.
    fn handle_input(&mut self, input: Input, now: Instant);

    /// Does what is due at `now`. Calling it early is harmless.
    fn handle_timeout(&mut self, now: Instant);

    /// After a restart or a reconnect: the router knows exactly these legs;
    /// legs that it does not know are ended, legs that are gone are reported ended.
    fn reconcile(&mut self, known: &[LegId], now: Instant);

    /// The next fact for the router. Poll until `None` after every call.
    fn poll_event(&mut self) -> Option<Event>;

    /// The next thing to do for the runner. Poll until `None` after every call.
    fn poll_output(&mut self) -> Option<Output>;

    /// When `handle_timeout` is due.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// What a back end can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether audio can be played before the answer.
    pub early_media: bool,
    /// Most legs that may ring for one call at once; `None` without a limit.
    pub max_parallel_legs: Option<usize>,
    /// Whether a leg can be recorded.
    pub recording: bool,
    /// Whether a third party can listen, whisper or barge.
    pub supervision: bool,
}

/// A stream connection. The runner names accepted ones, the back end those it opens (with the top bit set).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// Something that came in from the world.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// A datagram.
    Datagram {
        /// Our socket.
        local: SocketAddr,
        /// The sender.
        remote: SocketAddr,
        /// The payload.
        payload: Bytes,
    },
    /// A stream is up: accepted by us, or opened on request.
    StreamOpened {
        /// The stream.
        stream: StreamId,
        /// Our end.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
    },
    /// Bytes of a stream, in order.
    StreamData {
        /// The stream.
        stream: StreamId,
        /// The bytes.
        payload: Bytes,
    },
    /// A stream is gone or could not be opened.
    StreamClosed {
        /// The stream.
        stream: StreamId,
    },
    /// The answer to [`Output::Resolve`]; empty when there is none.
    Resolved {
        /// The name asked for.
        host: String,
        /// Its addresses.
        addresses: Vec<SocketAddr>,
    },
    /// Something happened at a media port of ours.
    Media(MediaEvent),
}

/// Something to do in the world.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send a datagram.
    Datagram {
        /// From this socket.
        local: SocketAddr,
        /// To this address.
        remote: SocketAddr,
        /// The payload.
        payload: Bytes,
    },
    /// Open a stream; data for it may follow at once and is kept in order.
    StreamConnect {
        /// Its name.
        stream: StreamId,
        /// Where to.
        remote: SocketAddr,
    },
    /// Send bytes on a stream.
    StreamData {
        /// The stream.
        stream: StreamId,
        /// The bytes.
        payload: Bytes,
    },
    /// Close a stream.
    StreamClose {
        /// The stream.
        stream: StreamId,
    },
    /// Look up a host name.
    Resolve {
        /// The name.
        host: String,
        /// The port to put into the addresses.
        port: u16,
    },
    /// An order to the media engine of this box.
    Media(MediaCommand),
}
