//! The state of one registration with a carrier.

use std::net::SocketAddr;
use std::time::Duration;

use super::auth::canonical;
use super::clients::ClientId;
use super::{ConnectionId, Flow, Trunk, TrunkKind};
use crate::digest::Challenge;
use crate::text::Text;
use crate::uri::{Host, Uri};

/// RFC 5626 4.5: first and longest upper bound of the wait after a failure.
const BACK_OFF_BASE: Duration = Duration::from_secs(30);
const BACK_OFF_MAX: Duration = Duration::from_secs(1800);

/// What the user agent knows of one registration.
pub(crate) struct TrunkRegistration {
    name: String,
    kind: TrunkKind,
    /// Settings taken apart, so that nothing has to be matched again.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tcp: bool,
    pub(crate) user: String,
    contact_user: String,
    pub(crate) call_id: String,
    pub(crate) tag: String,
    pub(crate) cseq: u32,
    /// What we ask for; a carrier may want more (423).
    pub(crate) expires: Duration,
    pub(crate) addresses: Vec<SocketAddr>,
    /// Which of `addresses` is used.
    pub(crate) chosen: usize,
    pub(crate) flow: Option<Flow>,
    pub(crate) phase: TrunkPhase,
    pub(crate) challenge: Option<Answering>,
    /// Challenges answered since the last success.
    pub(crate) answered: u8,
    pub(crate) registered: bool,
    /// Failures in a row.
    pub(crate) failures: u32,
}

/// What a registration is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrunkPhase {
    /// Waits for addresses.
    Resolving,
    /// A REGISTER is on its way.
    Registering(ClientId),
    /// Waits for the time to refresh.
    Registered,
    /// Waits before the next try.
    Waiting,
    /// A REGISTER that ends it is on its way; then it is forgotten.
    Leaving,
}

/// A challenge with the number of times that it has been answered.
pub(crate) struct Answering {
    pub(crate) challenge: Challenge,
    pub(crate) count: u32,
    /// Whether it came in a 407.
    pub(crate) proxy: bool,
}

impl TrunkRegistration {
    /// `None` for a trunk that is not registered to.
    pub(crate) fn new(
        trunk: &Trunk,
        contact_user: String,
        call_id: String,
        tag: String,
    ) -> Option<Self> {
        let TrunkKind::Register {
            host,
            port,
            tcp,
            user,
            expires,
            ..
        } = &trunk.kind
        else {
            return None;
        };
        Some(Self {
            name: trunk.name.clone(),
            kind: trunk.kind.clone(),
            host: host.clone(),
            port: *port,
            tcp: *tcp,
            user: user.clone(),
            contact_user,
            call_id,
            tag,
            cseq: 0,
            expires: *expires,
            addresses: Vec::new(),
            chosen: 0,
            flow: None,
            phase: TrunkPhase::Waiting,
            challenge: None,
            answered: 0,
            registered: false,
            failures: 0,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn contact_user(&self) -> &str {
        &self.contact_user
    }

    pub(crate) fn password(&self) -> &str {
        match &self.kind {
            TrunkKind::Register { password, .. } => &password.0,
            TrunkKind::Address { .. } => "",
        }
    }

    /// Whether `trunk` asks for just this registration.
    pub(crate) fn is_for(&self, trunk: &Trunk) -> bool {
        self.phase != TrunkPhase::Leaving
            && self.name == trunk.name
            && same_registration(&self.kind, &trunk.kind)
    }

    /// Whether a request is the carrier's: from the registrar, or to the
    /// contact that only the registrar knows.
    pub(crate) fn is_from(&self, flow: &Flow, user: Option<&str>) -> bool {
        let from_registrar = match flow {
            Flow::Udp { remote, .. } => !self.tcp && self.has_address(*remote),
            Flow::Tcp { connection, .. } => self.uses(*connection),
        };
        from_registrar || user == Some(self.contact_user.as_str())
    }

    /// Whether `remote` is an address of the registrar.
    pub(crate) fn knows(&self, remote: SocketAddr) -> bool {
        self.has_address(remote) || self.flow.is_some_and(|flow| flow.remote() == remote)
    }

    pub(crate) fn uses(&self, connection: ConnectionId) -> bool {
        self.flow.and_then(|flow| flow.connection()) == Some(connection)
    }

    fn has_address(&self, remote: SocketAddr) -> bool {
        self.addresses.iter().any(|address| {
            canonical(address.ip()) == canonical(remote.ip()) && address.port() == remote.port()
        })
    }

    /// The Request-URI of its REGISTERs.
    pub(crate) fn registrar_uri(&self) -> Option<Uri> {
        Some(Uri::sip(None, &self.parsed_host()?, self.shown_port()))
    }

    /// The address of record.
    pub(crate) fn aor(&self) -> Option<Uri> {
        Some(Uri::sip(Some(&self.user), &self.parsed_host()?, None))
    }

    fn parsed_host(&self) -> Option<Host> {
        let bracketed = match self.host.parse() {
            Ok(std::net::IpAddr::V6(v6)) => format!("[{v6}]"),
            _ => self.host.clone(),
        };
        Host::parse(&Text::from(bracketed)).ok()
    }

    fn shown_port(&self) -> Option<u16> {
        (self.port != 5060).then_some(self.port)
    }

    /// The upper bound of the wait after `failures` failures in a row.
    pub(crate) fn back_off(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        BACK_OFF_BASE
            .saturating_mul(1 << doublings)
            .min(BACK_OFF_MAX)
    }

    /// Moves on to the next address; `false` when all have been tried.
    pub(crate) fn next_address(&mut self) -> bool {
        self.flow = None;
        self.chosen += 1;
        let more = self.chosen < self.addresses.len();
        if !more {
            self.chosen = 0;
        }
        more
    }

    /// Takes over the addresses of the registrar.
    pub(crate) fn resolved(&mut self, addresses: &[SocketAddr]) {
        self.addresses = addresses.to_vec();
        self.chosen = 0;
        self.flow = None;
    }
}

fn same_registration(a: &TrunkKind, b: &TrunkKind) -> bool {
    match (a, b) {
        (
            TrunkKind::Register {
                host,
                port,
                tcp,
                user,
                password,
                expires,
            },
            TrunkKind::Register {
                host: other_host,
                port: other_port,
                tcp: other_tcp,
                user: other_user,
                password: other_password,
                expires: other_expires,
            },
        ) => {
            (host, port, tcp, user, password, expires)
                == (
                    other_host,
                    other_port,
                    other_tcp,
                    other_user,
                    other_password,
                    other_expires,
                )
        }
        _ => false,
    }
}
