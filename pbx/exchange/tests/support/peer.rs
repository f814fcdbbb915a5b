//! The other side: a carrier with a caller, or a phone.

use std::net::SocketAddr;
use std::time::Instant;

use sip::sdp::SessionDescription;
use sip::ua::{
    Account, Binding, BindingId, Flow, OutgoingInvite, Reason, ReofferKind, SessionEnd, SessionId,
    Target, Transmit, TransportInput, UaEvent, UserAgent,
};

use super::{EXCHANGE, HOTLINE, PEER_ACCOUNT, Packet, TRUNK, addr, peer_agent, phone, secs};

/// What a caller's side could betray, all of it unmistakable.
pub const CALLER_NUMBER: &str = "+4915799887766";
pub const CALLER_NAME: &str = "Zuleika Quirrenbach";
pub const CARRIER_SDP: &str = "v=0\r\no=quirrenbach-origin 771177117711 3 IN IP4 198.51.100.1\r\n\
    s=quirrenbach-session\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\na=x-caller:zuleika-attribute\r\n\
    m=audio 41238 RTP/AVP 8 0 101 13\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-16\r\na=x-trace:zuleika-trace\r\na=ptime:20\r\na=sendrecv\r\n";
pub const PHONE_FORMATS: &str = "m=audio 30000 RTP/AVP 9 8 101\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

/// The binding that stands for the exchange at a peer.
const TO_EXCHANGE: BindingId = BindingId(1);

pub struct Peer {
    pub ua: UserAgent,
    pub address: SocketAddr,
    /// Its description, as text; changed by the tests.
    pub sdp: String,
    /// Whether it signals ringing by itself.
    pub rings: bool,
    /// Whether it swallows everything.
    pub dead: bool,
    /// The status with which it refuses every OPTIONS, as older phones do.
    pub refuses_options: Option<u16>,
    /// What it says beside its user agent.
    aside: Vec<Packet>,
    /// The call it is in or is rung for.
    pub session: Option<SessionId>,
    pub rung: usize,
    pub up: usize,
    pub ends: Vec<SessionEnd>,
    /// What the exchange answered to offers of this peer, in order.
    pub answers: Vec<SessionDescription>,
    /// What the exchange offered in its INVITE.
    pub offer: Option<SessionDescription>,
}

impl Peer {
    pub fn trunk(now: Instant) -> Self {
        let address = addr(TRUNK);
        let mut ua = peer_agent(address, 77, now);
        ua.restore_bindings(vec![Binding {
            id: TO_EXCHANGE,
            account: Account(PEER_ACCOUNT.to_owned()),
            contact: format!("sip:{HOTLINE}@{EXCHANGE}"),
            instance: None,
            reg_id: None,
            path: Vec::new(),
            flow: Flow::Udp {
                local: address,
                remote: addr(EXCHANGE),
            },
            call_id: "register".to_owned(),
            cseq: 1,
            expires_at: now + secs(1_000_000),
            user_agent: None,
        }]);
        Self::new(ua, address, CARRIER_SDP.to_owned())
    }

    pub fn phone(n: u64, now: Instant) -> Self {
        let address = phone(n);
        let ip = address.ip();
        let sdp = format!(
            "v=0\r\no=phone 5 1 IN IP4 {ip}\r\ns=phone-session\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             {PHONE_FORMATS}"
        );
        Self::new(peer_agent(address, 1000 + n, now), address, sdp)
    }

    fn new(ua: UserAgent, address: SocketAddr, sdp: String) -> Self {
        Self {
            ua,
            address,
            sdp,
            rings: true,
            dead: false,
            refuses_options: None,
            aside: Vec::new(),
            session: None,
            rung: 0,
            up: 0,
            ends: Vec::new(),
            answers: Vec::new(),
            offer: None,
        }
    }

    pub fn description(&self) -> SessionDescription {
        SessionDescription::parse(self.sdp.as_bytes()).expect("a description")
    }

    /// Calls the hotline.
    pub fn call(&mut self, now: Instant) {
        let invite = OutgoingInvite {
            target: Target::Binding(TO_EXCHANGE),
            from_display: CALLER_NAME.to_owned(),
            from_user: CALLER_NUMBER.to_owned(),
            offer: self.description(),
            expires: None,
        };
        self.session = Some(self.ua.invite(invite, now));
    }

    pub fn pick_up(&mut self, now: Instant) {
        let sdp = self.description();
        self.ua.answer(self.session.expect("a call"), sdp, now);
    }

    pub fn refuse(&mut self, status: u16, now: Instant) {
        self.ua
            .reject(self.session.expect("a call"), status, None, None, now);
    }

    pub fn hang_up(&mut self, now: Instant) {
        let reason: Option<Reason> = None;
        self.ua.hangup(self.session.expect("a call"), reason, now);
    }

    /// Changes the call: the description with `from` replaced by `to`, and a new version.
    pub fn change(&mut self, from: &str, to: &str, now: Instant) {
        assert!(self.sdp.contains(from), "{from} is there to be changed");
        self.sdp = self.sdp.replace(from, to);
        let mut offer = self.description();
        offer.origin.version += 1 + self.answers.len() as u64;
        self.ua.reinvite(self.session.expect("a call"), offer, now);
    }

    pub fn receive(&mut self, packet: Packet, now: Instant) {
        if self.dead {
            return;
        }
        if let Some(status) = self.refuses_options
            && packet.payload.starts_with(b"OPTIONS ")
        {
            return self.aside.push(Packet {
                from: packet.to,
                to: packet.from,
                payload: refusal(&packet.text(), status).into(),
            });
        }
        let input = TransportInput::Datagram {
            local: packet.to,
            remote: packet.from,
            payload: packet.payload,
        };
        self.ua.handle_input(input, now);
    }

    /// Takes what its user agent tells.
    pub fn settle(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(event) = self.ua.poll_event() {
            any = true;
            self.take(event, now);
        }
        any
    }

    pub fn sent(&mut self) -> Vec<Packet> {
        let sent = std::iter::from_fn(|| self.ua.poll_transmit()).map(|transmit| match transmit {
            Transmit::Datagram {
                local,
                remote,
                payload,
            } => Packet {
                from: local,
                to: remote,
                payload,
            },
            other => panic!("only datagrams here: {other:?}"),
        });
        let dead = self.dead;
        sent.chain(self.aside.drain(..)).filter(|_| !dead).collect()
    }

    fn take(&mut self, event: UaEvent, now: Instant) {
        match event {
            UaEvent::Incoming { session, offer, .. } => {
                self.session = Some(session);
                self.offer = offer;
                self.rung += 1;
                if self.rings {
                    self.ua.ring(session, now);
                }
            }
            UaEvent::Answered { answer, .. } => {
                self.up += 1;
                self.answers.push(answer);
            }
            UaEvent::Reanswered { answer, .. } => self.answers.push(answer),
            UaEvent::Acknowledged { .. } => self.up += 1,
            UaEvent::Reoffer { session, kind } => {
                assert!(matches!(kind, ReofferKind::Offer(_)));
                let sdp = self.description();
                self.ua.accept_reoffer(session, sdp, now);
            }
            UaEvent::Ended { end, .. } => {
                self.session = None;
                self.ends.push(end);
            }
            UaEvent::Progress { .. }
            | UaEvent::ReofferFailed { .. }
            | UaEvent::Info { .. }
            | UaEvent::Probed { .. }
            | UaEvent::BindingUpserted(_)
            | UaEvent::BindingRemoved { .. }
            | UaEvent::TrunkState { .. } => {}
        }
    }
}

/// A final response to a request, word for word as a phone would write it.
fn refusal(request: &str, status: u16) -> String {
    let copied = ["Via", "From", "To", "Call-ID", "CSeq"];
    let line = |name: &str| format!("{name}: {}\r\n", super::raw::header(request, name));
    let lines: String = copied.into_iter().map(line).collect();
    format!("SIP/2.0 {status} Refused\r\n{lines}Content-Length: 0\r\n\r\n")
}
