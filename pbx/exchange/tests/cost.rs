//! What a call costs beside its SIP. Run it alone and optimised:
//! `cargo test --release -p exchange --test cost -- --ignored --nocapture`.
//!
//! A user agent of its own goes through the same: what the exchange needs
//! beyond its time is the exchange's own.

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use exchange::Exchange;
use media::control::{MediaCommand, MediaEvent, PortId, PortStats};
use routing::{Command, Event, HangupReason, HubId, LegId, Prompt, PromptKind};
use sip::entropy::Entropy as _;
use sip::sdp::SessionDescription;
use sip::ua::{
    BindingId, OutgoingInvite, Reason, SessionId, Target, Transmit, TransportInput, UaEvent,
    UserAgent,
};
use support::peer::CARRIER_SDP;
use support::raw::{ack, header, invite};
use support::{EXCHANGE, Seeded, TRUNK, addr, binding, config, device, ms, phone, prompt, secs};
use telephony::{Input, Output, Telephony as _};

const CALLS: u64 = 2_000;
/// Budget of a call with a caller's and a phone's leg, SIP apart.
const MAX_CPU_PER_CALL: Duration = Duration::from_micros(20);
/// Phones that one call rings at once.
const PHONES: u64 = 100;
/// Budget of a phone that is dialled and cancelled, SIP apart.
const MAX_CPU_PER_LEG: Duration = Duration::from_micros(5);

/// Time spent within the exchange, and within the user agent beside it.
#[derive(Clone, Copy, Default)]
struct Watch {
    exchange: Duration,
    agent: Duration,
}

impl Watch {
    fn own(&self) -> Duration {
        self.exchange.saturating_sub(self.agent)
    }
}

fn timed<T>(sum: &mut Duration, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    *sum += started.elapsed();
    result
}

struct Bench {
    exchange: Exchange,
    agent: UserAgent,
    watch: Watch,
    now: Instant,
    ports: Vec<PortId>,
}

impl Bench {
    fn new(phones: u64) -> Self {
        let now = Instant::now();
        let settings = config(phones);
        // The exchange takes the first bytes for its session descriptions.
        let mut entropy = Seeded(1);
        entropy.fill(&mut [0; 8]);
        let mut agent = UserAgent::new(settings.ua.clone(), Box::new(entropy), now);
        let mut exchange = Exchange::new(settings, Box::new(Seeded(1)), now);
        let bindings: Vec<_> = (1..=phones).map(|n| binding(n, now)).collect();
        agent.restore_bindings(bindings.clone());
        exchange.restore_bindings(bindings, now);
        let mut bench = Self {
            exchange,
            agent,
            watch: Watch::default(),
            now,
            ports: Vec::new(),
        };
        bench.turn(Vec::new(), |_, _| ());
        bench
    }

    /// One turn of both: orders, then everything that there is to poll. What
    /// they send must be the same.
    fn turn(
        &mut self,
        orders: Vec<Command>,
        agent: impl FnOnce(&mut UserAgent, Instant),
    ) -> (Vec<Event>, Vec<UaEvent>, Vec<String>) {
        let now = self.now;
        let (exchange, watch) = (&mut self.exchange, &mut self.watch);
        let (events, outputs) = timed(&mut watch.exchange, || {
            for order in orders {
                exchange.handle_command(order, now);
            }
            let events: Vec<_> = std::iter::from_fn(|| exchange.poll_event()).collect();
            let outputs: Vec<_> = std::iter::from_fn(|| exchange.poll_output()).collect();
            (events, outputs)
        });
        let ua = &mut self.agent;
        let (told, transmits) = timed(&mut watch.agent, || {
            agent(ua, now);
            let told: Vec<_> = std::iter::from_fn(|| ua.poll_event()).collect();
            let transmits: Vec<_> = std::iter::from_fn(|| ua.poll_transmit()).collect();
            (told, transmits)
        });
        let sent = self.take(outputs);
        let expected: Vec<_> = transmits.iter().map(text).collect();
        assert_eq!(sent, expected, "both say the same");
        (events, told, sent)
    }

    fn take(&mut self, outputs: Vec<Output>) -> Vec<String> {
        let mut sent = Vec::new();
        for output in outputs {
            match output {
                Output::Datagram { payload, .. } => {
                    sent.push(String::from_utf8_lossy(&payload).into_owned());
                }
                Output::Media(MediaCommand::Close { port }) => self.ports.push(port),
                _ => {}
            }
        }
        sent
    }

    fn receive(&mut self, from: SocketAddr, text: &str) -> (Vec<Event>, Vec<UaEvent>, Vec<String>) {
        let payload = Bytes::copy_from_slice(text.as_bytes());
        let (local, remote, now) = (addr(EXCHANGE), from, self.now);
        let input = Input::Datagram {
            local,
            remote,
            payload: payload.clone(),
        };
        timed(&mut self.watch.exchange, || {
            self.exchange.handle_input(input, now)
        });
        let datagram = TransportInput::Datagram {
            local,
            remote,
            payload,
        };
        self.turn(Vec::new(), |agent, now| agent.handle_input(datagram, now))
    }

    /// The engine is done with all ports, and time passes.
    fn finish(&mut self) {
        for port in std::mem::take(&mut self.ports) {
            let stats = PortStats::default();
            let closed = Input::Media(MediaEvent::Closed { port, stats });
            let now = self.now;
            timed(&mut self.watch.exchange, || {
                self.exchange.handle_input(closed, now)
            });
        }
        self.now += ms(40);
        let now = self.now;
        timed(&mut self.watch.exchange, || {
            self.exchange.handle_timeout(now)
        });
        self.turn(Vec::new(), |agent, now| agent.handle_timeout(now));
    }
}

fn text(transmit: &Transmit) -> String {
    match transmit {
        Transmit::Datagram { payload, .. } => String::from_utf8_lossy(payload).into_owned(),
        other => panic!("only datagrams here: {other:?}"),
    }
}

fn body(message: &str) -> SessionDescription {
    let (_, body) = message.split_once("\r\n\r\n").expect("a message");
    SessionDescription::parse(body.as_bytes()).expect("a description")
}

fn dial(leg: LegId, n: u64) -> Command {
    Command::Dial {
        leg,
        device: device(n),
        hub: HubId::new("hub"),
        display: "Night Line".to_owned(),
    }
}

fn outgoing(n: u64, sent: &str) -> OutgoingInvite {
    let expires = header(sent, "Expires").parse().expect("seconds");
    OutgoingInvite {
        target: Target::Binding(BindingId(n)),
        from_display: "Night Line".to_owned(),
        from_user: "hub".to_owned(),
        offer: body(sent),
        expires: Some(secs(expires)),
    }
}

/// The phone's response to a request.
fn reply(request: &str, status: &str, n: u64, body: &str) -> String {
    let copied = ["Via", "From", "Call-ID", "CSeq"];
    let line = |name: &str| format!("{name}: {}\r\n", header(request, name));
    let lines: String = copied.into_iter().map(line).collect();
    let to = header(request, "To");
    let tag = if to.contains("tag=") { "" } else { ";tag=p" };
    let content_type = match body {
        "" => "",
        _ => "Content-Type: application/sdp\r\n",
    };
    let length = body.len();
    let at = phone(n);
    format!(
        "SIP/2.0 {status}\r\n{lines}To: {to}{tag}\r\nContact: <sip:line@{at}>\r\n\
         {content_type}Content-Length: {length}\r\n\r\n{body}"
    )
}

fn answer_of(n: u64) -> String {
    let ip = phone(n).ip();
    format!(
        "v=0\r\no=phone 5 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n{}",
        support::peer::PHONE_FORMATS
    )
}

fn reason(order: HangupReason) -> Reason {
    let (protocol, cause, text) = match order {
        HangupReason::AnsweredElsewhere => ("SIP", 200, "Call completed elsewhere"),
        _ => ("Q.850", 16, "Normal call clearing"),
    };
    Reason {
        protocol,
        cause,
        text,
    }
}

/// The legs of a call that is up.
struct Call {
    name: String,
    outside: LegId,
    inside: LegId,
    phone: SessionId,
    to: String,
    watch: Watch,
}

fn begin(bench: &mut Bench, number: u64) -> Call {
    bench.watch = Watch::default();
    let name = format!("cost{number}");
    let (events, told, _) = bench.receive(addr(TRUNK), &invite(&name, "", CARRIER_SDP));
    let [Event::CallOffered { leg: outside, .. }] = events[..] else {
        panic!("{events:?}");
    };
    let UaEvent::Incoming {
        session: caller, ..
    } = told[0]
    else {
        panic!("{told:?}");
    };
    bench.turn(vec![Command::Ring { leg: outside }], |agent, now| {
        agent.ring(caller, now);
    });

    let inside = LegId(number);
    let (request, session) = dial_all(bench, vec![(inside, 1)]).remove(0);
    bench.receive(phone(1), &reply(&request, "180 Ringing", 1, ""));
    bench.receive(phone(1), &reply(&request, "200 OK", 1, &answer_of(1)));

    let answered = answer(bench, outside, inside, caller);
    let (events, ..) = bench.receive(addr(TRUNK), &ack(&name, &answered, ""));
    assert_eq!(events, [Event::LegAnswered { leg: outside }]);
    Call {
        to: header(&answered, "To").to_owned(),
        name,
        outside,
        inside,
        phone: session,
        watch: bench.watch,
    }
}

/// Dials phones; their INVITEs and sessions. The exchange goes first, as the
/// other one needs its descriptions.
fn dial_all(bench: &mut Bench, legs: Vec<(LegId, u64)>) -> Vec<(String, SessionId)> {
    let now = bench.now;
    let orders: Vec<_> = legs.iter().map(|(leg, n)| dial(*leg, *n)).collect();
    let outputs: Vec<_> = timed(&mut bench.watch.exchange, || {
        for order in orders {
            bench.exchange.handle_command(order, now);
        }
        std::iter::from_fn(|| bench.exchange.poll_output()).collect()
    });
    let sent = bench.take(outputs);
    let invites: Vec<_> = legs
        .iter()
        .zip(&sent)
        .map(|((_, n), text)| outgoing(*n, text))
        .collect();
    let agent = &mut bench.agent;
    let (sessions, transmits) = timed(&mut bench.watch.agent, || {
        let sessions: Vec<_> = invites
            .into_iter()
            .map(|invite| agent.invite(invite, now))
            .collect();
        let transmits: Vec<_> = std::iter::from_fn(|| agent.poll_transmit()).collect();
        (sessions, transmits)
    });
    let expected: Vec<_> = transmits.iter().map(text).collect();
    assert_eq!(sent, expected, "both say the same");
    sent.into_iter().zip(sessions).collect()
}

/// Answers the caller, with all that the router orders then; our 200.
fn answer(bench: &mut Bench, outside: LegId, inside: LegId, caller: SessionId) -> String {
    let now = bench.now;
    let outputs: Vec<_> = timed(&mut bench.watch.exchange, || {
        let exchange = &mut bench.exchange;
        exchange.handle_command(Command::Answer { leg: outside }, now);
        let music: Prompt = prompt(PromptKind::HoldMusic);
        exchange.handle_command(
            Command::Play {
                leg: outside,
                prompt: music,
                repeat: true,
            },
            now,
        );
        let (a, b) = (outside, inside);
        exchange.handle_command(Command::Bridge { a, b }, now);
        std::iter::from_fn(|| exchange.poll_output()).collect()
    });
    let sent = bench.take(outputs).remove(0);
    let description = body(&sent);
    let agent = &mut bench.agent;
    let transmit = timed(&mut bench.watch.agent, || {
        agent.answer(caller, description, now);
        agent.poll_transmit()
    });
    assert_eq!(transmit.as_ref().map(text).as_ref(), Some(&sent));
    sent
}

fn end(bench: &mut Bench, call: &Call) -> Watch {
    bench.watch = call.watch;
    let bye = ack(&call.name, &format!("To: {}", call.to), "")
        .replace("ACK", "BYE")
        .replace("CSeq: 1", "CSeq: 2")
        .replace("bKack", "bKbye");
    let (events, ..) = bench.receive(addr(TRUNK), &bye);
    assert!(matches!(events[..], [Event::LegEnded { leg, .. }] if leg == call.outside));
    let (leg, why) = (call.inside, HangupReason::Normal);
    let (_, _, sent) = bench.turn(vec![Command::Hangup { leg, reason: why }], |agent, now| {
        agent.hangup(call.phone, Some(reason(why)), now);
    });
    let (events, ..) = bench.receive(phone(1), &reply(&sent[0], "200 OK", 1, ""));
    assert!(matches!(events[..], [Event::LegEnded { leg, .. }] if leg == call.inside));
    bench.finish();
    bench.watch
}

fn median(mut costs: Vec<Duration>) -> Duration {
    costs.sort();
    costs[costs.len() / 2]
}

#[test]
#[ignore = "measures, and needs an optimised build"]
fn a_call_stays_within_its_budget() {
    let mut bench = Bench::new(1);
    for number in CALLS + 1..CALLS + 100 {
        let warm = begin(&mut bench, number);
        end(&mut bench, &warm);
    }
    let calls: Vec<Call> = (1..=CALLS).map(|n| begin(&mut bench, n)).collect();
    let watches: Vec<Watch> = calls.iter().map(|call| end(&mut bench, call)).collect();
    let own = median(watches.iter().map(Watch::own).collect());
    let all = median(watches.iter().map(|watch| watch.exchange).collect());
    println!("{own:?} per call, {all:?} with SIP");
    assert_eq!(bench.exchange.counts().legs, 0);
    assert_eq!(bench.exchange.counts().ports, 0);
    assert!(own < MAX_CPU_PER_CALL, "{own:?}");
}

#[test]
#[ignore = "measures, and needs an optimised build"]
fn a_dialled_phone_stays_within_its_budget() {
    let mut bench = Bench::new(PHONES);
    let (mut dialled, mut cancelled) = (Vec::new(), Vec::new());
    for round in 0..50 {
        let leg = |n: u64| LegId(round * PHONES + n);
        bench.watch = Watch::default();
        let invites = dial_all(&mut bench, (1..=PHONES).map(|n| (leg(n), n)).collect());
        dialled.push(bench.watch);
        for ((request, _), n) in invites.iter().zip(1..) {
            bench.receive(phone(n), &reply(request, "180 Ringing", n, ""));
        }
        bench.watch = Watch::default();
        let why = HangupReason::AnsweredElsewhere;
        let order = |n| Command::Hangup {
            leg: leg(n),
            reason: why,
        };
        let orders = (1..=PHONES).map(order).collect();
        let (_, _, cancels) = bench.turn(orders, |agent, now| {
            for (_, session) in &invites {
                agent.hangup(*session, Some(reason(why)), now);
            }
        });
        for (((request, _), cancel), n) in invites.iter().zip(&cancels).zip(1..) {
            bench.receive(phone(n), &reply(cancel, "200 OK", n, ""));
            let gone = reply(request, "487 Request Terminated", n, "");
            bench.receive(phone(n), &gone);
        }
        bench.finish();
        cancelled.push(bench.watch);
        assert_eq!(bench.exchange.counts().legs, 0);
        bench.now += secs(40);
        bench.finish();
    }
    let legs = u32::try_from(PHONES).expect("few phones");
    let own = |of: &[Watch]| median(of.iter().map(Watch::own).collect()) / legs;
    let all = |of: &[Watch]| median(of.iter().map(|it| it.exchange).collect()) / legs;
    let (dial, cancel) = (own(&dialled), own(&cancelled));
    println!("{dial:?} per dialled phone, {cancel:?} per cancelled one");
    println!("{:?} and {:?} with SIP", all(&dialled), all(&cancelled));
    assert!(dial + cancel < MAX_CPU_PER_LEG, "{dial:?} and {cancel:?}");
}
