//! A telephone, or a carrier's gateway: a small sans-IO SIP endpoint of our own.
//!
//! It stands on the grammar alone, so that it shares no mistake of the user agent under test.
//! What its person does is drawn from a seed.

mod answering;
mod calling;
mod registering;
mod repeat;
mod talking;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::header::HeaderName;
use sip::message::{Framing, Message, Method, Request, Response};

pub use calling::Call;
pub use registering::Account;
use registering::Registration;
use repeat::{Final, Pending, Tag};
pub use wire::{CALLER_CALL_ID_MARK, CALLER_NUMBER_MARK, CALLER_ORIGIN_MARK};
use wire::{Dialog, Draft, Media};

use crate::rng::Rng;

/// A line that is over is kept this long, for repetitions.
const LINGER: Duration = Duration::from_secs(40);

/// How people treat a ringing phone, per mille each; the rest pick up.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Press decline (603).
    pub declines: u64,
    /// Are busy elsewhere (486).
    pub busy: u64,
    /// Their phone gives up (480).
    pub away: u64,
    /// Let it ring.
    pub ignores: u64,
    /// Their phone never responds.
    pub deaf: u64,
    /// Their phone answers from two branches.
    pub forks: u64,
    /// Pick up although they were told to stop.
    pub stubborn: u64,
    /// Their phone answers with a codec that we do not speak, or 488.
    pub foreign: u64,
    /// Press hold during a conversation.
    pub holds: u64,
    /// Longest time until they pick up, in seconds.
    pub slowness_s: u64,
}

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// We call; nothing has come back, or only provisional responses.
    Calling,
    /// Somebody calls us.
    Ringing,
    /// We have answered, the ACK is not here.
    Answered,
    /// Both sides know that the call is up.
    Up,
    /// We have refused, the ACK is not here.
    Refused,
    /// Our BYE is on its way.
    Leaving,
    /// Over, kept for repetitions.
    Over,
    /// Gone without a word; nothing is answered any more.
    Vanished,
}

struct Line {
    state: State,
    dialog: Dialog,
    /// The branch of the INVITE that began it.
    branch: String,
    invite: Option<Request>,
    /// The last response to the INVITE.
    last: Option<Bytes>,
    repeating: Option<Final>,
    ack: Option<(u32, Bytes)>,
    stubborn: bool,
    foreign: bool,
    forks: bool,
    rtp: u16,
    version: u32,
    /// Where we send our voice.
    peer_port: Option<u16>,
    holding: bool,
    /// For calls of ours: what the caller has in mind.
    call: Option<Call>,
    proceeding: bool,
    cancelled: bool,
    /// Whether the caller has heard a person, or the beep.
    engaged: bool,
}

impl Line {
    fn is_live(&self) -> bool {
        !matches!(self.state, State::Over | State::Vanished)
    }
}

/// Something that a person or a timer does later.
#[derive(Clone, Debug)]
enum Cue {
    Register,
    Line(Tag, Act),
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Ring,
    PickUp,
    Refuse(u16),
    Repeat,
    LosePatience,
    HangUp,
    Hold,
    Resume,
    Press,
    Info,
    Probe,
    Vanish,
    Forget,
}

/// A telephone or a gateway.
pub struct Endpoint {
    address: SocketAddr,
    server: SocketAddr,
    name: String,
    manner: Manner,
    rng: Rng,
    alive: bool,
    registration: Option<Registration>,
    lines: BTreeMap<Tag, Line>,
    pending: Vec<Pending>,
    agenda: BTreeMap<(Instant, u64), Cue>,
    counter: u64,
    out: Vec<Bytes>,
    pressed: Vec<u16>,
    complaint: Option<&'static str>,
    /// Phones picked up although they were told to stop.
    crossed: u64,
}

impl Endpoint {
    /// An endpoint that is switched on and, with an account, registers from `now` on.
    #[must_use]
    pub fn new(
        name: &str,
        addresses: (SocketAddr, SocketAddr),
        account: Option<Account>,
        manner: Manner,
        rng: Rng,
        now: Instant,
    ) -> Self {
        let (address, server) = addresses;
        let mut endpoint = Self {
            address,
            server,
            name: name.to_owned(),
            manner,
            rng,
            alive: true,
            registration: account.map(Registration::new),
            lines: BTreeMap::new(),
            pending: Vec::new(),
            agenda: BTreeMap::new(),
            counter: 0,
            out: Vec::new(),
            pressed: Vec::new(),
            complaint: None,
            crossed: 0,
        };
        endpoint.register_soon(now);
        endpoint
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is switched on.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// The power goes: nothing is said to anybody, all calls are forgotten.
    pub fn crash(&mut self) {
        self.alive = false;
        self.lines.clear();
        self.pending.clear();
        self.agenda.clear();
        self.out.clear();
    }

    /// The power comes back; it registers anew.
    pub fn reboot(&mut self, now: Instant) {
        self.alive = true;
        if let Some(registration) = &mut self.registration {
            registration.forget();
        }
        self.register_soon(now);
    }

    /// Takes a datagram.
    pub fn receive(&mut self, payload: Bytes, now: Instant) {
        if !self.alive {
            return;
        }
        match Message::parse(payload, Framing::Datagram) {
            Ok(Message::Request(request)) => self.receive_request(&request, now),
            Ok(Message::Response(response)) => self.receive_response(&response, now),
            Err(_) => self.complaint = Some("a message that nobody can read"),
        }
    }

    /// What is wrong with the last thing that it received.
    #[must_use]
    pub fn complaint(&self) -> Option<&'static str> {
        self.complaint
    }

    /// How often it was picked up after it had been told to stop.
    #[must_use]
    pub fn crossed(&self) -> u64 {
        self.crossed
    }

    /// The datagrams to send.
    pub fn poll_out(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.out)
    }

    /// Ports of the exchange at which `#` was just pressed.
    pub fn poll_pressed(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.pressed)
    }

    /// When something is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let requests = self.pending.iter().filter_map(Pending::next_timeout);
        let agenda = self.agenda.first_key_value().map(|((at, _), _)| *at);
        requests.chain(agenda).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > now {
                break;
            }
            match entry.remove() {
                Cue::Register => self.register(now),
                Cue::Line(tag, act) => self.act(&tag, act, now),
            }
        }
        let over = |pending: &Pending| pending.is_over(now);
        let given_up: Vec<Pending> = self.pending.extract_if(.., |it| over(it)).collect();
        for pending in given_up {
            self.unanswered(&pending, now);
        }
        for pending in &mut self.pending {
            self.out.extend(pending.repeat(now));
        }
    }

    /// The ports of the exchange that it sends its voice to.
    pub fn speaking(&self) -> impl Iterator<Item = u16> + '_ {
        let talks = |line: &&Line| {
            matches!(line.state, State::Answered | State::Up) && !line.holding && !line.cancelled
        };
        self.lines
            .values()
            .filter(talks)
            .filter_map(|line| line.peer_port)
    }

    /// Whether it rings for the call with this Call-ID.
    #[must_use]
    pub fn rings_for(&self, call_id: &str) -> bool {
        self.lines
            .values()
            .any(|line| line.state == State::Ringing && line.dialog.call_id == call_id)
    }

    /// Calls that are not over.
    #[must_use]
    pub fn live_lines(&self) -> usize {
        self.lines.values().filter(|line| line.is_live()).count()
    }

    /// What its calls that are not over are doing, for messages.
    #[must_use]
    pub fn live_states(&self) -> String {
        let live = self.lines.values().filter(|line| line.is_live());
        let states: Vec<String> = live
            .map(|line| format!("{:?} {}", line.state, line.dialog.call_id))
            .collect();
        states.join(", ")
    }

    fn receive_request(&mut self, request: &Request, now: Instant) {
        let to = wire::text(request.headers(), HeaderName::To).to_owned();
        let tag = wire::tag_of(&to);
        match request.method() {
            Method::Cancel => self.cancelled(request, now),
            Method::Ack => self.acknowledged(request, tag, now),
            _ if !tag.is_empty() => self.receive_in_dialog(request, tag, now),
            Method::Invite => self.invited(request, now),
            Method::Options => self.reply(request, 200, ""),
            _ => self.reply(request, 481, ""),
        }
    }

    fn receive_response(&mut self, response: &Response, now: Instant) {
        let branch = wire::branch_of(response.headers());
        let status = response.status().code();
        let method = wire::answered_method(response).to_owned();
        if method == "INVITE" {
            self.invite_answered(&branch, status, response, now);
            return;
        }
        let found = self
            .pending
            .iter()
            .position(|it| it.branch == branch && it.method == method);
        if let Some(index) = found
            && status >= 200
        {
            let pending = self.pending.swap_remove(index);
            match pending.method {
                "REGISTER" => self.register_answered(status, response, now),
                "BYE" => self.over(&pending.line, now),
                _ => {}
            }
        }
    }

    fn unanswered(&mut self, pending: &Pending, now: Instant) {
        match pending.method {
            "REGISTER" => self.register_failed(now),
            "BYE" | "INVITE" => self.over(&pending.line, now),
            _ => {}
        }
    }

    fn act(&mut self, tag: &str, act: Act, now: Instant) {
        let Some(state) = self.lines.get(tag).map(|line| line.state) else {
            return;
        };
        match (act, state) {
            (Act::Ring, State::Ringing) => self.ring(tag),
            (Act::PickUp, State::Ringing) => self.pick_up(tag, now),
            (Act::Refuse(status), State::Ringing) => self.refuse(tag, status, now),
            (Act::Repeat, State::Answered | State::Refused) => self.repeat_final(tag, now),
            (Act::LosePatience, State::Calling) => self.cancel(tag, now),
            (Act::LosePatience, State::Up) => self.leave_unless_engaged(tag, now),
            (Act::HangUp, State::Up) => self.hang_up(tag, now),
            (Act::Hold, State::Up) => self.hold(tag, true, now),
            (Act::Resume, State::Up) => self.hold(tag, false, now),
            (Act::Press, State::Up) => self.press(tag, now),
            (Act::Info, State::Up) => self.press_by_info(tag, now),
            (Act::Probe, State::Up) => self.probe(tag, now),
            (Act::Vanish, _) => self.vanish(tag),
            (Act::Forget, State::Over) => {
                self.lines.remove(tag);
            }
            _ => {}
        }
    }

    /// The line is over; repetitions are still answered for a while.
    fn over(&mut self, tag: &str, now: Instant) {
        let Some(line) = self.lines.get_mut(tag) else {
            return;
        };
        if !matches!(line.state, State::Over | State::Vanished) {
            line.state = State::Over;
            self.later(now + LINGER, tag, Act::Forget);
        }
    }

    fn later(&mut self, at: Instant, tag: &str, act: Act) {
        self.at(at, Cue::Line(tag.to_owned(), act));
    }

    fn at(&mut self, at: Instant, cue: Cue) {
        self.counter += 1;
        self.agenda.insert((at, self.counter), cue);
    }

    fn token(&mut self, what: &str) -> String {
        self.counter += 1;
        format!("{what}{}{}", self.name, self.counter)
    }

    fn branch(&mut self) -> String {
        self.token("z9hG4bK")
    }

    fn contact(&self) -> String {
        format!("sip:{}@{}", self.name, self.address)
    }

    /// An answer outside of any line.
    fn reply(&mut self, request: &Request, status: u16, body: &str) {
        let tag = self.token("x");
        let response = wire::response(request, status, &tag, &self.contact(), body);
        self.out.push(response);
    }

    fn describe(&self, line: &Line) -> String {
        let direction = match line.holding {
            true => "inactive",
            false => "sendrecv",
        };
        wire::description(&Media {
            address: SocketAddr::new(self.address.ip(), line.rtp),
            origin: match line.call {
                Some(_) => CALLER_ORIGIN_MARK,
                None => "phone",
            },
            version: line.version,
            direction,
            foreign: line.foreign,
        })
    }

    /// Sends a request within a line and repeats it until it is answered.
    fn send(&mut self, tag: &str, method: &'static str, more: &str, body: &str, now: Instant) {
        let branch = self.branch();
        let from = self.address;
        let Some(line) = self.lines.get_mut(tag) else {
            return;
        };
        line.dialog.sequence += 1;
        let sequence = line.dialog.sequence;
        let draft = Draft {
            method,
            sequence,
            from,
            branch: &branch,
            more,
            body,
            without_length: false,
        };
        let bytes = wire::request(&line.dialog, &draft);
        self.out.push(bytes.clone());
        let pending = Pending::new(branch, method, tag.to_owned(), sequence, bytes, now);
        self.pending.push(pending);
    }
}
