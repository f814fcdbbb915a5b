//! What the control plane tells the media engine, and what it hears back.

use std::net::SocketAddr;
use std::time::Duration;

use crate::codec::Codec;
use crate::dtmf::Digit;

/// One RTP stream pair. Picked by the control plane, never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u64);

/// A decoded piece of audio that the engine holds, loaded by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClipId(pub u64);

/// Names a recording; the shell knows what it stands for and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingKey(pub u64);

/// Which way audio flows between us and the peer, seen from us (RFC 8866 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// We send only (the peer has put us on hold and wants to hear, or listens only).
    SendOnly,
    /// We receive only.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Whether we send.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether we receive.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// The result of an offer/answer exchange for one port.
#[derive(Clone, PartialEq, Eq)]
pub struct PortFormat {
    /// Where we send to, as negotiated.
    pub remote: SocketAddr,
    /// Where RTCP goes, as negotiated (RFC 3605), else the next port.
    pub remote_rtcp: SocketAddr,
    /// The codec in use in both directions.
    pub codec: Codec,
    /// Payload type that we send with.
    pub send_payload_type: u8,
    /// Payload type that the peer sends with.
    pub receive_payload_type: u8,
    /// `telephone-event` as (payload type we send, payload type we receive), when negotiated (RFC 4733).
    pub telephone_event: Option<(u8, u8)>,
    /// Payload type of comfort noise (RFC 3389), when the peer listed it.
    pub comfort_noise: Option<u8>,
    /// Which way audio flows.
    pub direction: Direction,
    /// Whether the peer may be behind a NAT: the first source that sends a
    /// valid packet of the negotiated type becomes the remote (symmetric RTP),
    /// and the only one. When false, only the negotiated address is heard.
    pub latch: bool,
}

impl std::fmt::Debug for PortFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortFormat")
            .field("codec", &self.codec)
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

/// An order to the engine. Small and without heap data where possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaCommand {
    /// Bind a socket pair (RTP on `local`, RTCP on the next port). Answers with `OpenFailed` only when it failed.
    Open {
        /// Its name.
        port: PortId,
        /// The RTP address; the UDP port is even.
        local: SocketAddr,
    },
    /// Set or change what a port speaks. Repeated at every re-negotiation.
    Configure {
        /// The port.
        port: PortId,
        /// The result of offer and answer.
        format: PortFormat,
        /// Report `MediaLost` when nothing arrived for this long while `direction` receives; zero switches it off.
        media_timeout: Duration,
    },
    /// `to` hears `from` from now on. One direction.
    Connect {
        /// The source.
        from: PortId,
        /// The listener.
        to: PortId,
    },
    /// `to` no longer hears `from`.
    Disconnect {
        /// The source.
        from: PortId,
        /// The listener.
        to: PortId,
    },
    /// Play a clip to a port's peer, in place of a clip that is playing. Mixed with what is connected.
    Play {
        /// Who hears it.
        port: PortId,
        /// What.
        clip: ClipId,
        /// Start over at the end.
        repeat: bool,
    },
    /// Stop the clip.
    StopPlaying {
        /// The port.
        port: PortId,
    },
    /// Play a beep to the peer, then record what it says.
    Record {
        /// Whose voice.
        port: PortId,
        /// Names the recording.
        recording: RecordingKey,
        /// Longest recording.
        max_length: Duration,
        /// This much silence ends it.
        max_silence: Duration,
    },
    /// End the recording; `RecordingEnded` follows.
    StopRecording {
        /// The port.
        port: PortId,
    },
    /// Send a key as RFC 4733 events.
    SendDigit {
        /// To whom.
        port: PortId,
        /// Which.
        digit: Digit,
    },
    /// Close the sockets; an open recording ends first, with its event.
    Close {
        /// The port.
        port: PortId,
    },
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingStop {
    /// As ordered, or the port was closed.
    Ordered,
    /// Silence.
    Silence,
    /// The longest time.
    MaxLength,
    /// The sink did not take the audio (disk full, writer gone).
    SinkFailed,
}

/// Something happened at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaEvent {
    /// The address could not be bound.
    OpenFailed {
        /// The port.
        port: PortId,
    },
    /// A key was pressed; reported once, when it is known.
    Digit {
        /// By whom.
        port: PortId,
        /// Which.
        digit: Digit,
    },
    /// A clip without `repeat` came to its end.
    PlayFinished {
        /// The port.
        port: PortId,
        /// The clip: another one may have been ordered in the meantime.
        clip: ClipId,
    },
    /// A recording ended.
    RecordingEnded {
        /// The port.
        port: PortId,
        /// The recording.
        recording: RecordingKey,
        /// Why.
        stop: RecordingStop,
        /// How much was recorded.
        length: Duration,
    },
    /// Nothing came for the configured time. Reported once until media comes back.
    MediaLost {
        /// The port.
        port: PortId,
    },
    /// A port was closed; its counters.
    Closed {
        /// The port.
        port: PortId,
        /// The counters.
        stats: PortStats,
    },
}

/// Counters of one port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortStats {
    /// RTP packets accepted.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Packets missing by sequence number.
    pub lost: u64,
    /// Packets from a wrong source or of a wrong type, dropped.
    pub refused: u64,
    /// Interarrival jitter at the end, in RTP clock ticks (RFC 3550 A.8).
    pub jitter_ticks: u32,
    /// Packets that came too late to be played.
    pub late: u64,
}
