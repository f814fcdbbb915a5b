//! Whatever arrives, nothing panics, everything stays bounded, and all state goes away again.

mod ua_support;

use std::time::Duration;

use bytes::Bytes;
use sip::ua::{ConnectionId, SessionId, Transmit, TransportInput, UaEvent};
use ua_support::*;

/// Ten seeds make 200,000.
const MESSAGES_PER_SEED: usize = 20_000;
const PIECES: [&str; 26] = [
    "\r\n",
    ";",
    ",",
    ":",
    "<",
    ">",
    "\"",
    "\0",
    "@",
    " ",
    "tag=",
    "z9hG4bK",
    "sip:",
    "*",
    "0",
    "4294967296",
    "-1",
    "SIP/2.0",
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "UPDATE",
    "\u{fc}",
    "=",
    "%",
];

struct Fuzz {
    bench: Bench,
    rng: Rng,
    /// Messages that have been seen on the wire, ours and the peers'.
    corpus: Vec<String>,
    sessions: Vec<SessionId>,
    connection: u64,
}

impl Fuzz {
    fn new(seed: u64) -> Self {
        let mut bench = Bench::new();
        bench.register("ana", PHONE);
        let mut corpus = vec![
            invite_text("a", "c1", 1, Some(5000)),
            invite_text("b", "c2", 1, None),
            invite_text("a", "c1", 1, None).replace("INVITE", "CANCEL"),
            register_text(
                "ana",
                PHONE,
                1,
                "Contact: <sip:ana@1.2.3.4>\r\nExpires: 60\r\n",
            ),
        ];
        for method in [
            "ACK", "BYE", "INFO", "UPDATE", "INVITE", "OPTIONS", "REFER", "PRACK",
        ] {
            corpus.push(in_dialog_text(method, "d", "c1", 2, "x", &sdp_text(5002)));
            corpus.push(in_dialog_text(method, "e", "c1", 3, "x", ""));
        }
        Self {
            bench,
            rng: Rng(seed),
            corpus,
            sessions: Vec::new(),
            connection: 0,
        }
    }

    fn pick(&mut self) -> String {
        let n = self.rng.below(self.corpus.len());
        self.corpus[n].clone()
    }

    /// A message of the corpus with what two messages share exchanged, or broken.
    fn message(&mut self) -> Bytes {
        let mut text = self.pick();
        if self.rng.chance(60) {
            // Lines of another message in place of our own keep it plausible.
            let other = self.pick();
            let lines: Vec<&str> = other.split("\r\n").collect();
            let mut own: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
            for _ in 0..=self.rng.below(3) {
                let (to, from) = (self.rng.below(own.len()), self.rng.below(lines.len()));
                own[to] = lines[from].to_owned();
            }
            text = own.join("\r\n");
        }
        let mut bytes = text.into_bytes();
        if self.rng.chance(40) {
            for _ in 0..=self.rng.below(4) {
                let at = self.rng.below(bytes.len());
                match self.rng.below(4) {
                    0 => bytes[at] = self.rng.next() as u8,
                    1 => {
                        bytes.remove(at);
                    }
                    2 => bytes.truncate(at.max(1)),
                    _ => {
                        let piece = PIECES[self.rng.below(PIECES.len())];
                        bytes.splice(at..at, piece.bytes());
                    }
                }
                if bytes.is_empty() {
                    bytes.push(b'x');
                }
            }
        }
        Bytes::from(bytes)
    }

    /// What the peer would say to something that we sent.
    fn learn(&mut self, sent: Bytes) {
        let text = String::from_utf8_lossy(&sent).into_owned();
        self.remember(text.clone());
        let Ok(message) =
            sip::message::Message::parse(sent.clone(), sip::message::Framing::Datagram)
        else {
            return;
        };
        if message.headers().to().is_err() {
            return;
        }
        let sent = Sent {
            to: addr(OURS),
            connection: None,
            message,
            bytes: sent,
        };
        match &sent.message {
            sip::message::Message::Request(_) => {
                let statuses = [
                    "100 Trying",
                    "180 Ringing",
                    "200 OK",
                    "401 No",
                    "486 Busy",
                    "491 Wait",
                ];
                let status = statuses[self.rng.below(statuses.len())];
                let body = if self.rng.chance(70) {
                    sdp_text(7000)
                } else {
                    String::new()
                };
                self.remember(reply_text(
                    &sent,
                    status,
                    "p",
                    "sip:ana@203.0.113.7:5062",
                    &body,
                ));
            }
            sip::message::Message::Response(_) => {
                let tag = sent.to_tag();
                let method = ["ACK", "BYE", "INVITE", "UPDATE", "INFO"][self.rng.below(5)];
                let body = if self.rng.chance(50) {
                    sdp_text(7000)
                } else {
                    String::new()
                };
                let cseq = 1 + self.rng.below(5) as u32;
                let branch = format!("f{}", self.rng.below(1000));
                let call_id = sent.header(sip::header::HeaderName::CallId);
                self.remember(in_dialog_text(method, &branch, &call_id, cseq, &tag, &body));
            }
        }
    }

    fn remember(&mut self, text: String) {
        if self.corpus.len() < 400 {
            self.corpus.push(text);
        } else {
            let n = 20 + self.rng.below(380);
            self.corpus[n] = text;
        }
    }

    fn step(&mut self) {
        let payload = self.message();
        let now = self.bench.now;
        if self.rng.chance(10) {
            self.step_stream(payload);
        } else {
            let from = [TRUNK, PHONE, "203.0.113.99:5060"][self.rng.below(3)];
            let input = TransportInput::Datagram {
                local: addr(OURS),
                remote: addr(from),
                payload,
            };
            self.bench.ua.handle_input(input, now);
        }
        if self.rng.chance(5) {
            self.embedder();
        }
        if self.rng.chance(3) {
            let wait = Duration::from_millis(self.rng.below(3000) as u64);
            self.bench.now += wait;
            self.bench.ua.handle_timeout(self.bench.now);
        }
        self.drain();
    }

    fn step_stream(&mut self, payload: Bytes) {
        if self.rng.chance(10) || self.connection == 0 {
            self.connection += 1;
            self.bench.open(ConnectionId(self.connection), TRUNK);
        }
        let connection = ConnectionId(self.connection);
        let now = self.bench.now;
        let input = TransportInput::Received {
            connection,
            payload,
        };
        self.bench.ua.handle_input(input, now);
        if self.rng.chance(5) {
            self.bench.close(connection);
        }
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.bench.ua.poll_transmit() {
            if let Transmit::Datagram { payload, .. } | Transmit::Stream { payload, .. } = transmit
            {
                self.learn(payload);
            }
        }
        while let Some(event) = self.bench.ua.poll_event() {
            match event {
                UaEvent::Incoming { session, .. } => self.sessions.push(session),
                UaEvent::Ended { session, .. } => self.sessions.retain(|it| *it != session),
                _ => {}
            }
        }
    }

    /// The embedder does anything at any time, also what makes no sense.
    fn embedder(&mut self) {
        let now = self.bench.now;
        let binding = self.bench.ua.bindings().next().map(|binding| binding.id);
        let n = self.rng.below(self.sessions.len());
        let session = self
            .sessions
            .get(n)
            .copied()
            .unwrap_or(SessionId(9_999_999));
        let ua = &mut self.bench.ua;
        match self.rng.below(9) {
            0 => ua.ring(session, now),
            1 | 2 => ua.answer(session, sdp(4000), now),
            3 => ua.reject(session, 486, None, None, now),
            4 => ua.hangup(session, None, now),
            5 => ua.accept_reoffer(session, sdp(4002), now),
            6 => ua.reinvite(session, sdp(4004), now),
            7 => ua.probe(session, now),
            _ => {
                if let Some(binding) = binding {
                    let invite = outgoing(binding);
                    self.sessions.push(ua.invite(invite, now));
                }
            }
        }
    }
}

fn run(seeds: std::ops::Range<u64>) {
    let mut open = 0;
    for seed in seeds {
        let mut fuzz = Fuzz::new(seed);
        for _ in 0..MESSAGES_PER_SEED {
            fuzz.step();
        }
        open += fuzz.bench.ua.counts().sessions;
        for session in std::mem::take(&mut fuzz.sessions) {
            let now = fuzz.bench.now;
            fuzz.bench.ua.hangup(session, None, now);
        }
        for connection in 1..=fuzz.connection {
            fuzz.bench.close(ConnectionId(connection));
        }
        fuzz.bench.advance(Duration::from_secs(4000));
        let counts = fuzz.bench.ua.counts();
        assert_eq!(counts, Default::default(), "seed {seed}");
        assert_eq!(fuzz.bench.ua.poll_timeout(), None, "seed {seed}");
    }
    assert!(open > 0, "the messages were good enough to open sessions");
}

// Two halves, so that they run side by side.

#[test]
fn random_messages_neither_panic_nor_leave_anything_behind() {
    run(0..5);
}

#[test]
fn more_random_messages_neither_panic_nor_leave_anything_behind() {
    run(5..10);
}
