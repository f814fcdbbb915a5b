//! What the tests of the user agent share: seeded randomness, settings, and
//! one user agent with a scripted world around it.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its own part"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::digest::{Algorithm, Credentials, choose_challenge};
use sip::entropy::Entropy;
use sip::header::HeaderName;
use sip::message::{Framing, Message, Request, Response};
use sip::sdp::SessionDescription;
use sip::timer::Timers;
use sip::ua::{
    Account, BindingId, ConnectionId, OutgoingInvite, SessionId, StoredHa1, Target, Transmit,
    TransportInput, Trunk, TrunkKind, UaConfig, UaEvent, UserAgent,
};

pub mod calls;
pub mod net;

pub use calls::*;

/// SplitMix64: enough for tests, the same on every machine.
#[derive(Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

impl Entropy for Rng {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            *byte = self.next() as u8;
        }
    }
}

pub const REALM: &str = "hotline.example";
pub const OURS: &str = "192.0.2.1:5060";
pub const TRUNK: &str = "198.51.100.1:5060";
pub const PHONE: &str = "203.0.113.7:5062";

pub fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub fn ha1(user: &str, password: &str) -> StoredHa1 {
    StoredHa1 {
        md5_hex: Algorithm::Md5.ha1(user, REALM, password),
        sha256_hex: Some(Algorithm::Sha256.ha1(user, REALM, password)),
    }
}

/// A hub with the phones `ana` and `ben` (passwords the same) and one trunk.
pub fn config() -> UaConfig {
    let accounts = ["ana", "ben"]
        .map(|user| (Account(user.to_owned()), ha1(user, user)))
        .into_iter()
        .collect::<BTreeMap<_, _>>();
    UaConfig {
        realm: REALM.to_owned(),
        product: "Centralita".to_owned(),
        advertised: None,
        default_local: addr(OURS),
        accounts,
        trunks: vec![Trunk {
            name: "carrier".to_owned(),
            kind: TrunkKind::Address {
                peers: vec![addr(TRUNK)],
            },
        }],
        min_expires: Duration::from_secs(60),
        max_expires: Duration::from_secs(3600),
        timers: Timers::RFC3261,
    }
}

pub fn sdp(port: u16) -> SessionDescription {
    SessionDescription::parse(sdp_text(port).as_bytes()).expect("valid SDP")
}

pub fn sdp_text(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 203.0.113.7\r\ns=-\r\nc=IN IP4 203.0.113.7\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )
}

/// What a call to a phone says.
pub fn outgoing(binding: BindingId) -> OutgoingInvite {
    OutgoingInvite {
        target: Target::Binding(binding),
        from_display: "Hotline".to_owned(),
        from_user: "hub".to_owned(),
        offer: sdp(4000),
        expires: None,
    }
}

/// One user agent, virtual time, and everything that it sent.
pub struct Bench {
    pub ua: UserAgent,
    pub now: Instant,
    pub start: Instant,
}

/// A message that the user agent sent.
pub struct Sent {
    pub to: SocketAddr,
    pub connection: Option<ConnectionId>,
    pub message: Message,
    pub bytes: Bytes,
}

impl Sent {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn start(&self) -> String {
        self.text().lines().next().unwrap_or_default().to_owned()
    }

    pub fn request(&self) -> &Request {
        match &self.message {
            Message::Request(request) => request,
            Message::Response(_) => panic!("a response: {}", self.start()),
        }
    }

    pub fn response(&self) -> &Response {
        match &self.message {
            Message::Response(response) => response,
            Message::Request(_) => panic!("a request: {}", self.start()),
        }
    }

    pub fn status(&self) -> u16 {
        self.response().status().code()
    }

    pub fn method(&self) -> &str {
        self.request().method().as_str()
    }

    pub fn header(&self, name: HeaderName) -> String {
        let line = self.message.headers().get(name);
        line.map(|line| line.text().reveal().to_owned())
            .unwrap_or_default()
    }

    pub fn headers(&self, name: HeaderName) -> Vec<String> {
        self.message
            .headers()
            .lines(name)
            .map(|line| line.text().reveal().to_owned())
            .collect()
    }

    pub fn to_tag(&self) -> String {
        let to = self.message.headers().to().expect("a To");
        to.tag().unwrap_or_default().to_owned()
    }

    pub fn branch(&self) -> String {
        let via = self.message.headers().top_via().expect("a Via");
        via.branch().unwrap_or_default().to_owned()
    }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: UaConfig) -> Self {
        let now = Instant::now();
        Self {
            ua: UserAgent::new(config, Box::new(Rng(7)), now),
            now,
            start: now,
        }
    }

    pub fn receive(&mut self, from: &str, text: &str) {
        let payload = Bytes::copy_from_slice(text.as_bytes());
        self.ua.handle_input(
            TransportInput::Datagram {
                local: addr(OURS),
                remote: addr(from),
                payload,
            },
            self.now,
        );
    }

    pub fn receive_stream(&mut self, connection: ConnectionId, text: &str) {
        let payload = Bytes::copy_from_slice(text.as_bytes());
        self.ua.handle_input(
            TransportInput::Received {
                connection,
                payload,
            },
            self.now,
        );
    }

    pub fn open(&mut self, connection: ConnectionId, remote: &str) {
        self.ua.handle_input(
            TransportInput::Opened {
                connection,
                local: addr(OURS),
                remote: addr(remote),
            },
            self.now,
        );
    }

    pub fn close(&mut self, connection: ConnectionId) {
        self.ua
            .handle_input(TransportInput::Closed { connection }, self.now);
    }

    /// All messages sent since the last call.
    pub fn sent(&mut self) -> Vec<Sent> {
        let mut out = Vec::new();
        while let Some(transmit) = self.ua.poll_transmit() {
            let (to, connection, bytes) = match transmit {
                Transmit::Datagram {
                    remote, payload, ..
                } => (remote, None, payload),
                Transmit::Stream {
                    connection,
                    payload,
                } => (addr(OURS), Some(connection), payload),
                Transmit::Connect { .. } | Transmit::Close { .. } | Transmit::Resolve { .. } => {
                    continue;
                }
            };
            if let Ok(message) = Message::parse(bytes.clone(), Framing::Datagram) {
                out.push(Sent {
                    to,
                    connection,
                    message,
                    bytes,
                });
            }
        }
        out
    }

    /// The only message sent since the last call.
    pub fn sent_one(&mut self) -> Sent {
        let mut sent = self.sent();
        let starts: Vec<String> = sent.iter().map(Sent::start).collect();
        assert_eq!(sent.len(), 1, "{starts:?}");
        sent.remove(0)
    }

    pub fn transmits(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.ua.poll_transmit()).collect()
    }

    pub fn events(&mut self) -> Vec<UaEvent> {
        std::iter::from_fn(|| self.ua.poll_event()).collect()
    }

    pub fn event(&mut self) -> UaEvent {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    /// Lets time pass, step by step; returns (milliseconds since now, first line) of what was sent.
    pub fn advance(&mut self, time: Duration) -> Vec<(u128, String)> {
        let from = self.now;
        let end = self.now + time;
        let mut log = Vec::new();
        while let Some(at) = self.ua.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.ua.handle_timeout(self.now);
            let elapsed = (self.now - from).as_millis();
            log.extend(self.sent().iter().map(|sent| (elapsed, sent.start())));
        }
        self.now = end;
        log
    }

    /// Registers a phone and returns its binding.
    pub fn register(&mut self, user: &str, from: &str) -> BindingId {
        let contact = format!("<sip:{user}@{from}>");
        let response = self.register_with(user, from, &contact, "Expires: 600\r\n", 1);
        assert_eq!(response.status(), 200, "{}", response.text());
        let events = self.events();
        let binding = events.iter().find_map(|event| match event {
            UaEvent::BindingUpserted(binding) => Some(binding.id),
            _ => None,
        });
        binding.expect("a binding")
    }

    /// A REGISTER with its challenge answered; the final response.
    pub fn register_with(
        &mut self,
        user: &str,
        from: &str,
        contact: &str,
        more: &str,
        cseq: u32,
    ) -> Sent {
        let contact = match contact {
            "" => String::new(),
            contact => format!("Contact: {contact}\r\n"),
        };
        let more = format!("{contact}{more}");
        let first = register_text(user, from, cseq * 2, &more);
        self.receive(from, &first);
        let challenge = self.sent_one();
        assert_eq!(challenge.status(), 401, "{}", challenge.text());
        let authorization = answer(&challenge, user, user, "REGISTER", "sip:hotline.example", 1);
        let more = format!("{more}{authorization}");
        self.receive(from, &register_text(user, from, cseq * 2 + 1, &more));
        self.sent_one()
    }

    /// Calls a binding; the session and the INVITE.
    pub fn call(&mut self, binding: BindingId) -> (SessionId, Sent) {
        let invite = outgoing(binding);
        let session = self.ua.invite(invite, self.now);
        let sent = self.sent_one();
        assert_eq!(sent.method(), "INVITE");
        (session, sent)
    }

    /// A call from the trunk up to `Incoming`; the session.
    pub fn incoming(&mut self, branch: &str, call_id: &str) -> SessionId {
        self.receive(TRUNK, &invite_text(branch, call_id, 1, Some(5000)));
        assert_eq!(self.sent_one().status(), 100);
        match self.event() {
            UaEvent::Incoming { session, .. } => session,
            other => panic!("{other:?}"),
        }
    }

    /// Everything has come to an end.
    pub fn assert_clean(&mut self) {
        self.advance(Duration::from_secs(120));
        let counts = self.ua.counts();
        assert_eq!((counts.transactions, counts.sessions), (0, 0), "{counts:?}");
    }
}

/// The `Authorization` line that answers a 401.
pub fn answer(
    challenge: &Sent,
    user: &str,
    password: &str,
    method: &str,
    uri: &str,
    count: u32,
) -> String {
    let offered = challenge
        .message
        .headers()
        .lines(HeaderName::WwwAuthenticate)
        .map(|line| sip::header::ParseValue::parse(&line.text()).expect("a challenge"));
    let chosen = choose_challenge(offered).expect("usable");
    let credentials = Credentials { user, password };
    let params = chosen.answer(credentials, method, uri, count, "0a4f113b");
    let value = sip::text::Encode::encoded(&params);
    format!("Authorization: {}\r\n", value.reveal())
}

pub fn register_text(user: &str, from: &str, cseq: u32, more: &str) -> String {
    format!(
        "REGISTER sip:hotline.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP {from};rport;branch=z9hG4bKreg{user}{cseq}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:{user}@hotline.example>;tag=r{user}\r\n\
         To: <sip:{user}@hotline.example>\r\n\
         Call-ID: reg-{user}-{from}\r\n\
         CSeq: {cseq} REGISTER\r\n{more}\
         Content-Length: 0\r\n\r\n"
    )
}

/// An INVITE from the trunk.
pub fn invite_text(branch: &str, call_id: &str, cseq: u32, port: Option<u16>) -> String {
    let body = port.map(sdp_text).unwrap_or_default();
    let content_type = match port {
        Some(_) => "Content-Type: application/sdp\r\n",
        None => "",
    };
    format!(
        "INVITE sip:+15550199@hotline.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP 198.51.100.1:5060;rport;branch=z9hG4bK{branch}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:+15550100@carrier.example>;tag=caller\r\n\
         To: <sip:+15550199@hotline.example>\r\n\
         Call-ID: {call_id}\r\n\
         CSeq: {cseq} INVITE\r\n\
         Contact: <sip:gw@198.51.100.1:5060>\r\n\
         {content_type}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The answer of a phone to a request of ours; `tag` goes into To when it has none.
pub fn reply_text(request: &Sent, status: &str, tag: &str, contact: &str, body: &str) -> String {
    let headers = request.message.headers();
    let mut to = request.header(HeaderName::To);
    if headers.to().expect("a To").tag().is_none() && !tag.is_empty() {
        to = format!("{to};tag={tag}");
    }
    let contact = match contact {
        "" => String::new(),
        contact => format!("Contact: <{contact}>\r\n"),
    };
    let content_type = match body {
        "" => "",
        _ => "Content-Type: application/sdp\r\n",
    };
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         {contact}{content_type}Content-Length: {}\r\n\r\n{body}",
        request.header(HeaderName::Via),
        request.header(HeaderName::From),
        request.header(HeaderName::CallId),
        request.header(HeaderName::CSeq),
        body.len()
    )
}
