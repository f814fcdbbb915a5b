//! The phone's one thread: its sockets, its clock, its call.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::digest::{Credentials, choose_challenge};
use sip::header::{HeaderName, ParseValue};
use sip::headers::AuthParams;
use sip::message::{Framing, Message, Request, Response};
use sip::text::Encode;

use crate::audio::Audio;
use crate::signal::{
    Dialog, answered_method, bracketed, media_address, request, response, session_description,
    shown, text,
};
use crate::{Order, PhoneConfig, PhoneEvent};

const FRAME: Duration = Duration::from_millis(20);
const REGISTER_EVERY: Duration = Duration::from_secs(120);
const RESEND_AFTER: Duration = Duration::from_millis(500);
const GIVE_UP_AFTER: u32 = 8;

enum State {
    Idle,
    Calling,
    Ringing { invite: Box<Request> },
    Up,
}

/// A request that is repeated until it is answered.
struct Pending {
    method: &'static str,
    bytes: String,
    next: Instant,
    tries: u32,
}

pub(crate) struct Body {
    config: PhoneConfig,
    socket: UdpSocket,
    audio: Audio,
    events: Sender<(Instant, PhoneEvent)>,
    state: State,
    dialog: Dialog,
    /// The branch of our last INVITE, which its CANCEL and the ACK of a refusal carry again.
    invite_branch: String,
    registration: Dialog,
    authorizing: bool,
    register_at: Option<Instant>,
    pending: Option<Pending>,
    counter: u64,
}

impl Body {
    pub(crate) fn new(
        config: PhoneConfig,
        events: Sender<(Instant, PhoneEvent)>,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(config.local)?;
        socket.set_nonblocking(true)?;
        let config = PhoneConfig {
            local: socket.local_addr()?,
            ..config
        };
        let audio = Audio::new(SocketAddr::new(config.local.ip(), 0), config.voice_hz)?;
        Ok(Self {
            config,
            socket,
            audio,
            events,
            state: State::Idle,
            dialog: Dialog::default(),
            invite_branch: String::new(),
            registration: Dialog::default(),
            authorizing: false,
            register_at: None,
            pending: None,
            counter: 0,
        })
    }

    pub(crate) fn run(mut self, orders: &Receiver<Order>) {
        let mut next_frame = Instant::now();
        loop {
            match orders.try_recv() {
                Ok(Order::Quit) | Err(TryRecvError::Disconnected) => return,
                Ok(order) => self.obey(order),
                Err(TryRecvError::Empty) => {}
            }
            self.receive();
            self.repeat();
            if Instant::now() >= next_frame {
                next_frame += FRAME;
                if let Some(sound) = self.audio.tick() {
                    self.tell(PhoneEvent::Hears(sound));
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Register => self.register(None),
            Order::Call(number) => self.call(&number, None),
            Order::Answer => self.answer(),
            Order::Refuse(status) => {
                if let State::Ringing { invite } = std::mem::replace(&mut self.state, State::Idle) {
                    self.respond(&invite, status, "Refused", "");
                }
            }
            Order::HangUp => self.hang_up(),
            Order::Press(key) => self.audio.press(key),
            Order::Quit => {}
        }
    }

    fn register(&mut self, authorization: Option<AuthParams>) {
        let Some((user, _)) = self.config.account.clone() else {
            return;
        };
        let host = self.config.server;
        if self.registration.call_id.is_empty() {
            let aor = format!("<sip:{user}@{host}>");
            self.registration = Dialog {
                call_id: self.token("register"),
                local: format!("{aor};tag={}", self.token("r")),
                remote: aor,
                ..Dialog::default()
            };
        }
        self.registration.sequence += 1;
        let contact = self.contact();
        self.authorizing = authorization.is_some();
        let mut more = format!("Contact: <{contact}>;expires=300\r\n");
        more.push_str(&authorization_line(authorization));
        let branch = self.token("z9hG4bK");
        let uri = format!("sip:{host}");
        let bytes = request(
            "REGISTER",
            &uri,
            self.config.local,
            &branch,
            &self.registration,
            &more,
            "",
        );
        self.register_at = Some(Instant::now() + REGISTER_EVERY);
        self.send_until_answered("REGISTER", bytes);
    }

    fn call(&mut self, number: &str, authorization: Option<AuthParams>) {
        let server = self.config.server;
        if authorization.is_none() {
            let from = self.config.caller_id.clone();
            let tag = self.token("c");
            self.dialog = Dialog {
                call_id: self.token("call"),
                local: format!("<sip:{from}@{}>;tag={}", self.config.local, tag),
                remote: format!("<sip:{number}@{server}>"),
                target: format!("sip:{number}@{server}"),
                sequence: 0,
            };
        }
        self.dialog.sequence += 1;
        let branch = self.token("z9hG4bK");
        let more = format!(
            "Contact: <{}>\r\n{}",
            self.contact(),
            authorization_line(authorization)
        );
        let bytes = request(
            "INVITE",
            &self.dialog.target,
            self.config.local,
            &branch,
            &self.dialog,
            &more,
            &self.offer(),
        );
        self.invite_branch = branch;
        self.state = State::Calling;
        self.send_until_answered("INVITE", bytes);
    }

    fn answer(&mut self) {
        let State::Ringing { invite } = std::mem::replace(&mut self.state, State::Up) else {
            return;
        };
        self.audio.connect(media_address(invite.body()));
        let offer = self.offer();
        self.respond(&invite, 200, "OK", &offer);
        self.tell(PhoneEvent::Connected);
    }

    fn hang_up(&mut self) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => {}
            State::Ringing { invite } => self.respond(&invite, 603, "Decline", ""),
            State::Calling => {
                let branch = self.invite_branch.clone();
                let uri = self.dialog.target.clone();
                let bytes = request(
                    "CANCEL",
                    &uri,
                    self.config.local,
                    &branch,
                    &self.dialog,
                    "",
                    "",
                );
                self.send_until_answered("CANCEL", bytes);
            }
            State::Up => {
                self.audio.connect(None);
                self.dialog.sequence += 1;
                let branch = self.token("z9hG4bK");
                let uri = self.dialog.target.clone();
                let bytes = request(
                    "BYE",
                    &uri,
                    self.config.local,
                    &branch,
                    &self.dialog,
                    "",
                    "",
                );
                self.send_until_answered("BYE", bytes);
            }
        }
    }

    fn receive(&mut self) {
        let mut buffer = [0_u8; 8_192];
        while let Ok((length, _)) = self.socket.recv_from(&mut buffer) {
            let bytes = Bytes::copy_from_slice(&buffer[..length]);
            match Message::parse(bytes, Framing::Datagram) {
                Ok(Message::Request(request)) => self.on_request(request),
                Ok(Message::Response(response)) => self.on_response(&response),
                Err(_) => {}
            }
        }
    }

    fn on_request(&mut self, request: Request) {
        match request.method().as_str() {
            "INVITE" => self.on_invite(request),
            "CANCEL" => {
                self.respond(&request, 200, "OK", "");
                if let State::Ringing { invite } = std::mem::replace(&mut self.state, State::Idle) {
                    self.respond(&invite, 487, "Request Terminated", "");
                    let reason = text(request.headers(), HeaderName::Reason);
                    let reason = (!reason.is_empty()).then_some(reason);
                    self.tell(PhoneEvent::StoppedRinging { reason });
                }
            }
            "BYE" => {
                self.respond(&request, 200, "OK", "");
                self.audio.connect(None);
                if matches!(std::mem::replace(&mut self.state, State::Idle), State::Up) {
                    self.tell(PhoneEvent::HungUp);
                }
            }
            "ACK" => {}
            _ => self.respond(&request, 200, "OK", ""),
        }
    }

    fn on_invite(&mut self, invite: Request) {
        let headers = invite.headers();
        let call_id = text(headers, HeaderName::CallId);
        if matches!(self.state, State::Up) && call_id == self.dialog.call_id {
            self.audio.connect(media_address(invite.body()));
            let offer = self.offer();
            return self.respond(&invite, 200, "OK", &offer);
        }
        if let State::Ringing { invite: first } = &self.state
            && text(first.headers(), HeaderName::CallId) == call_id
        {
            return self.respond(&invite, 180, "Ringing", "");
        }
        if !matches!(self.state, State::Idle) {
            return self.respond(&invite, 486, "Busy Here", "");
        }
        let from = text(headers, HeaderName::From);
        self.dialog = Dialog {
            call_id,
            local: format!("{};tag={}", text(headers, HeaderName::To), self.tag()),
            target: bracketed(&text(headers, HeaderName::Contact)),
            sequence: 0,
            remote: from.clone(),
        };
        self.respond(&invite, 180, "Ringing", "");
        self.state = State::Ringing {
            invite: Box::new(invite),
        };
        self.tell(PhoneEvent::Rings {
            shows: shown(&from),
        });
    }

    fn on_response(&mut self, response: &Response) {
        let status = response.status().code();
        let method = answered_method(response);
        let is_pending = self
            .pending
            .as_ref()
            .is_some_and(|pending| pending.method == method);
        if is_pending {
            self.pending = None;
        }
        match method.as_str() {
            "REGISTER" if status >= 200 && is_pending => self.on_registered(response, status),
            "INVITE" => self.on_invite_response(response, status),
            _ => {}
        }
    }

    fn on_registered(&mut self, response: &Response, status: u16) {
        let answer = (status == 401)
            .then(|| self.credentials(response, "REGISTER", &format!("sip:{}", self.config.server)))
            .flatten();
        match answer {
            Some(answer) if !self.authorizing => self.register(Some(answer)),
            _ if status == 200 => self.tell(PhoneEvent::Registered),
            _ => self.tell(PhoneEvent::NotRegistered(status)),
        }
    }

    fn on_invite_response(&mut self, response: &Response, status: u16) {
        if status >= 200 {
            self.acknowledge(response, status);
        }
        let State::Calling = self.state else {
            return;
        };
        match status {
            180..=189 => self.tell(PhoneEvent::Ringback),
            200..=299 => {
                self.audio.connect(media_address(response.body()));
                self.state = State::Up;
                self.tell(PhoneEvent::Connected);
            }
            401 if self.dialog.sequence == 1 => {
                let target = self.dialog.target.clone();
                if let Some(answer) = self.credentials(response, "INVITE", &target) {
                    self.call("", Some(answer));
                }
            }
            300.. => {
                self.state = State::Idle;
                self.tell(PhoneEvent::Refused(status));
            }
            _ => {}
        }
    }

    fn acknowledge(&mut self, response: &Response, status: u16) {
        let branch = if status < 300 {
            self.token("z9hG4bK")
        } else {
            self.invite_branch.clone()
        };
        let mut dialog = self.dialog.clone();
        dialog.remote = text(response.headers(), HeaderName::To);
        if status < 300 {
            let contact = bracketed(&text(response.headers(), HeaderName::Contact));
            dialog.target.clone_from(&contact);
            self.dialog.target = contact;
            self.dialog.remote.clone_from(&dialog.remote);
        }
        let uri = dialog.target.clone();
        let bytes = request("ACK", &uri, self.config.local, &branch, &dialog, "", "");
        self.send(&bytes);
    }

    fn credentials(&self, response: &Response, method: &str, uri: &str) -> Option<AuthParams> {
        let (user, password) = self.config.account.as_ref()?;
        let challenges = response
            .headers()
            .lines(HeaderName::WwwAuthenticate)
            .filter_map(|value| AuthParams::parse(&value.text()).ok());
        let challenge = choose_challenge(challenges)?;
        let credentials = Credentials { user, password };
        Some(challenge.answer(credentials, method, uri, 1, &format!("{:x}", self.counter)))
    }

    fn respond(&mut self, request: &Request, status: u16, phrase: &str, body: &str) {
        let bytes = response(request, status, phrase, &self.tag(), &self.contact(), body);
        self.send(&bytes);
    }

    fn send_until_answered(&mut self, method: &'static str, bytes: String) {
        self.send(&bytes);
        let next = Instant::now() + RESEND_AFTER;
        self.pending = Some(Pending {
            method,
            bytes,
            next,
            tries: 0,
        });
    }

    fn repeat(&mut self) {
        let now = Instant::now();
        if let Some(mut pending) = self.pending.take_if(|pending| pending.next <= now)
            && pending.tries < GIVE_UP_AFTER
        {
            self.send(&pending.bytes);
            pending.tries += 1;
            pending.next = now + RESEND_AFTER * 2;
            self.pending = Some(pending);
        }
        if self.register_at.is_some_and(|at| at <= now) {
            self.register(None);
        }
    }

    fn send(&self, bytes: &str) {
        // What the kernel does not take is repeated like what the network loses.
        let _ = self.socket.send_to(bytes.as_bytes(), self.config.server);
    }

    fn tell(&self, event: PhoneEvent) {
        let _ = self.events.send((Instant::now(), event));
    }

    fn contact(&self) -> String {
        let user = self
            .config
            .account
            .as_ref()
            .map_or("caller", |(user, _)| user.as_str());
        format!("sip:{user}@{}", self.config.local)
    }

    fn offer(&self) -> String {
        session_description(self.config.local, self.audio.port().unwrap_or(0))
    }

    fn tag(&self) -> String {
        format!("t{}", self.config.local.port())
    }

    /// A value that this phone never gave before.
    fn token(&mut self, prefix: &str) -> String {
        self.counter += 1;
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        format!(
            "{prefix}{now:x}{}{:x}",
            self.config.local.port(),
            self.counter
        )
    }
}

fn authorization_line(authorization: Option<AuthParams>) -> String {
    authorization.map_or_else(String::new, |params| {
        let value = params.encoded();
        format!(
            "Authorization: {}\r\n",
            String::from_utf8_lossy(value.as_bytes())
        )
    })
}
