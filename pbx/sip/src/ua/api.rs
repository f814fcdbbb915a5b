//! What goes into the user agent and what comes out of it.
//!
//! The embedder (the exchange) speaks in sessions: one [`SessionId`] is one
//! INVITE usage, from the first INVITE to the last BYE, on either side.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::sdp::SessionDescription;

/// One INVITE usage, incoming or outgoing. Never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One stream connection (TCP today), named by the shell that owns the socket
/// when it was accepted, and by the user agent when it asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Connections that the user agent opens itself have this bit set.
pub const OUTGOING_CONNECTION_BIT: u64 = 1 << 63;

/// Where a message came from or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// A UDP socket pair.
    Udp {
        /// Our socket.
        local: SocketAddr,
        /// The peer.
        remote: SocketAddr,
    },
    /// A TCP connection.
    Tcp {
        /// The connection.
        connection: ConnectionId,
        /// Our end.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
    },
}

impl Flow {
    /// The connection, unless it is UDP.
    #[must_use]
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Udp { .. } => None,
            Self::Tcp { connection, .. } => Some(*connection),
        }
    }

    /// Our end.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        match self {
            Self::Udp { local, .. } | Self::Tcp { local, .. } => *local,
        }
    }

    /// The peer's end.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        match self {
            Self::Udp { remote, .. } | Self::Tcp { remote, .. } => *remote,
        }
    }

    /// Whether the transport repeats what gets lost.
    #[must_use]
    pub fn is_reliable(&self) -> bool {
        matches!(self, Self::Tcp { .. })
    }
}

/// Input from the network.
#[derive(Debug)]
pub enum TransportInput {
    /// A UDP datagram.
    Datagram {
        /// The socket it arrived on.
        local: SocketAddr,
        /// Who sent it.
        remote: SocketAddr,
        /// Its payload.
        payload: Bytes,
    },
    /// A connection was accepted, or one asked for with [`Transmit::Connect`] is up.
    Opened {
        /// The connection.
        connection: ConnectionId,
        /// Our end.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
    },
    /// Bytes of a connection, in order.
    Received {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        payload: Bytes,
    },
    /// A connection is gone, or could not be opened.
    Closed {
        /// The connection.
        connection: ConnectionId,
    },
    /// The answer to [`Transmit::Resolve`]; empty when the name has no address.
    Resolved {
        /// The name asked for.
        host: String,
        /// Its addresses, in order of preference.
        addresses: Vec<SocketAddr>,
    },
}

/// Output to the network.
#[derive(Debug)]
pub enum Transmit {
    /// Send a datagram.
    Datagram {
        /// From this socket.
        local: SocketAddr,
        /// To this address.
        remote: SocketAddr,
        /// These bytes.
        payload: Bytes,
    },
    /// Open a TCP connection; data for it may follow before it is up and must be kept in order.
    Connect {
        /// Its name from now on.
        connection: ConnectionId,
        /// Where to.
        remote: SocketAddr,
    },
    /// Send bytes on a connection.
    Stream {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        payload: Bytes,
    },
    /// Close a connection.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Look up a host name (A and AAAA).
    Resolve {
        /// The name.
        host: String,
        /// The port to put into the addresses.
        port: u16,
    },
}

/// The user name of a phone account (the AOR's user part).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account(pub String);

/// Stored digest secrets of one account: H(user:realm:password), never the password (RFC 8760).
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHa1 {
    /// MD5, lower-case hex, for phones that know nothing better.
    pub md5_hex: String,
    /// SHA-256, lower-case hex; `None` for a phone that fails when SHA-256 is
    /// so much as offered. It is challenged with MD5 alone.
    pub sha256_hex: Option<String>,
}

/// A trunk as the user agent sees it.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Its name in the hotline file.
    pub name: String,
    /// How its calls are recognised, and whether we register to it.
    pub kind: TrunkKind,
}

/// How a trunk is identified.
#[derive(Clone, Debug)]
pub enum TrunkKind {
    /// INVITEs from these addresses (any port when the port is 0) are the trunk's.
    Address {
        /// Addresses of the carrier's gateways.
        peers: Vec<SocketAddr>,
    },
    /// We register to the carrier; INVITEs that arrive for our contact from the
    /// registrar's address, or to the contact's unguessable user part, are the trunk's.
    Register {
        /// Host name or address of the registrar.
        host: String,
        /// Port of the registrar.
        port: u16,
        /// Whether to use TCP.
        tcp: bool,
        /// The user name (AOR user part and digest user name).
        user: String,
        /// The password, as the carrier gave it.
        password: TrunkPassword,
        /// How long a registration is asked for.
        expires: Duration,
    },
}

/// A carrier's password: needed in clear, because the carrier picks the digest realm.
#[derive(Clone, PartialEq, Eq)]
pub struct TrunkPassword(pub String);

impl std::fmt::Debug for TrunkPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TrunkPassword(…)")
    }
}

impl std::fmt::Debug for StoredHa1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredHa1(…)")
    }
}

/// Settings of the user agent that a running exchange may change at any time.
#[derive(Clone, Debug)]
pub struct UaConfig {
    /// Digest realm and host part of our own URIs, for example `hotline.example`.
    pub realm: String,
    /// `Server`/`User-Agent` value.
    pub product: String,
    /// The address that peers outside our network see, when it differs from the socket's.
    pub advertised: Option<std::net::IpAddr>,
    /// The UDP socket that requests leave from when no flow says otherwise.
    pub default_local: SocketAddr,
    /// Phone accounts.
    pub accounts: BTreeMap<Account, StoredHa1>,
    /// Trunks.
    pub trunks: Vec<Trunk>,
    /// Shortest registration granted.
    pub min_expires: Duration,
    /// Longest registration granted.
    pub max_expires: Duration,
    /// RFC 3261 timers.
    pub timers: crate::timer::Timers,
}

/// One registered contact of an account (RFC 3261 10, RFC 5626).
#[derive(Clone, PartialEq, Eq)]
pub struct Binding {
    /// Stable name of this binding, unique in a process and kept across a restart.
    pub id: BindingId,
    /// The account.
    pub account: Account,
    /// The contact URI as the phone wrote it.
    pub contact: String,
    /// `+sip.instance`, if the phone gave one.
    pub instance: Option<String>,
    /// `reg-id`, if the phone gave one.
    pub reg_id: Option<u32>,
    /// Path headers in order (RFC 3327).
    pub path: Vec<String>,
    /// The flow that the REGISTER came over; requests go back over it.
    pub flow: Flow,
    /// Call-ID and CSeq of the last REGISTER, to refuse reordered ones.
    pub call_id: String,
    /// See `call_id`.
    pub cseq: u32,
    /// When it ends.
    pub expires_at: Instant,
    /// The phone's `User-Agent`, for the operator.
    pub user_agent: Option<String>,
}

/// Names a [`Binding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingId(pub u64);

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binding")
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Who an incoming INVITE is from, after identification and authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A trunk, by its name.
    Trunk(String),
    /// One of our own phones, after digest authentication.
    Account(Account),
}

/// The calling party as the INVITE presents it (P-Asserted-Identity before From, RFC 3325; Privacy honoured).
#[derive(Clone, PartialEq, Eq)]
pub enum CallingParty {
    /// Withheld: anonymous URI, `Privacy: id|user|header`, or one of the known disguises.
    Anonymous,
    /// The user part (a number, as presented).
    User(String),
}

impl std::fmt::Debug for CallingParty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::User(_) => f.write_str("User(…)"),
        }
    }
}

/// Where an outgoing INVITE goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// A registered contact, over its flow.
    Binding(BindingId),
}

/// What an outgoing INVITE says.
#[derive(Clone, Debug)]
pub struct OutgoingInvite {
    /// Where it goes.
    pub target: Target,
    /// Display name in From: the hotline's, never the caller's.
    pub from_display: String,
    /// User part in From: the hub's, never the caller's.
    pub from_user: String,
    /// The offer.
    pub offer: SessionDescription,
    /// `Expires`, in whole seconds, at least one: after that time the phone stops ringing by
    /// itself (RFC 3261 13.2.1, 13.3.1), even one that our CANCEL cannot reach. Hanging up in
    /// time stays with the embedder.
    pub expires: Option<Duration>,
}

/// A `Reason` header value (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP` or `Q.850`.
    pub protocol: &'static str,
    /// The cause code.
    pub cause: u16,
    /// The text.
    pub text: &'static str,
}

/// What a re-INVITE or UPDATE from the peer asks.
#[derive(Debug)]
pub enum ReofferKind {
    /// It carries an offer; answer it with [`super::UserAgent::accept_reoffer`].
    Offer(SessionDescription),
    /// It carries none and wants ours; the answer comes with the ACK as [`UaEvent::Reanswered`].
    WantsOffer,
}

/// How a session ended. Exactly one is emitted for each session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// The peer sent BYE.
    RemoteBye,
    /// The peer cancelled its INVITE before we answered.
    RemoteCancel,
    /// The peer refused our INVITE with this final status (487 after our CANCEL included).
    Refused(u16),
    /// We ended it ([`super::UserAgent::hangup`] or [`super::UserAgent::reject`]); the peer is done or gave no answer in time.
    Local,
    /// No answer within the transaction's time, no ACK for our 200, or the connection broke.
    SignallingLost,
}

/// What happened. Polled after every input.
#[derive(Debug)]
pub enum UaEvent {
    /// An INVITE from a trunk or an authenticated account. 100 Trying has been sent.
    Incoming {
        /// Its session; answer with `ring`, `answer`, `reject`.
        session: SessionId,
        /// Who it is from.
        origin: Origin,
        /// The calling party.
        calling: CallingParty,
        /// The dialled number: the user part of the Request-URI, or when our contact was called
        /// the first of `called_else`.
        called: String,
        /// By what else the callee may be known to the embedder, most telling first: of a call
        /// from a trunk that we register to, the user parts of P-Called-Party-ID (RFC 7315 4.2)
        /// and To, and the user that we register.
        called_else: Vec<String>,
        /// The offer; `None` for an offerless INVITE, then `answer` sends our offer.
        offer: Option<SessionDescription>,
        /// The peer's address, for the choice of our media address.
        remote: SocketAddr,
    },
    /// A provisional response above 100 to our INVITE.
    Progress {
        /// The session.
        session: SessionId,
        /// 180, 183, …
        status: u16,
    },
    /// Our INVITE was answered and acknowledged.
    Answered {
        /// The session.
        session: SessionId,
        /// The answer.
        answer: SessionDescription,
    },
    /// Our 200 was acknowledged.
    Acknowledged {
        /// The session.
        session: SessionId,
        /// The peer's answer, when the INVITE was offerless.
        answer: Option<SessionDescription>,
    },
    /// A re-INVITE or UPDATE in a session.
    Reoffer {
        /// The session.
        session: SessionId,
        /// What it asks.
        kind: ReofferKind,
    },
    /// The answer to our own re-INVITE, or in the ACK to an offerless one.
    Reanswered {
        /// The session.
        session: SessionId,
        /// The answer.
        answer: SessionDescription,
    },
    /// Our own re-INVITE failed; the session goes on as it was.
    ReofferFailed {
        /// The session.
        session: SessionId,
        /// The final status.
        status: u16,
    },
    /// The outcome of [`super::UserAgent::probe`]. The session goes on either way: end one that is
    /// lost with [`super::UserAgent::hangup`].
    Probed {
        /// The session.
        session: SessionId,
        /// Whether the peer answered and knows the session: anything but 408, 481, silence for
        /// 64·T1 and a broken transport.
        alive: bool,
    },
    /// A SIP INFO with a body; answered 200 already.
    Info {
        /// The session.
        session: SessionId,
        /// `Content-Type`, lower case, without parameters.
        content_type: String,
        /// The body.
        body: Bytes,
    },
    /// The session is over; nothing further is emitted for it.
    Ended {
        /// The session.
        session: SessionId,
        /// Why.
        end: SessionEnd,
    },
    /// A contact was added or refreshed; persist it.
    BindingUpserted(Binding),
    /// A contact expired, was removed, or its connection broke; forget it.
    BindingRemoved {
        /// Which.
        id: BindingId,
        /// Whose.
        account: Account,
    },
    /// Our registration to a trunk succeeded or failed.
    TrunkState {
        /// The trunk.
        trunk: String,
        /// Whether it is registered now.
        registered: bool,
        /// The last final status, when there was one.
        status: Option<u16>,
    },
}
