//! Moving things between the parts, in the order of the runner, and checking each.

use std::time::Duration;

use ::media::control::{MediaCommand, MediaEvent, PortId};
use routing::{Event, LegId};
use telephony::{Input, Output, Telephony};

use super::World;
use crate::endpoint::{CALLER_CALL_ID_MARK, CALLER_NUMBER_MARK, CALLER_ORIGIN_MARK};
use crate::net::{Fate, Packet};
use crate::watch::{Invariant, Verdict, breach};

/// Legs that came in have their top byte set (see `LegId::incoming`).
fn is_caller(leg: LegId) -> bool {
    leg.0 >> 56 != 0
}

impl World {
    pub(super) fn deliver(&mut self, packet: Packet) -> Verdict {
        self.tally.datagrams += 1;
        let now = self.now;
        if let Some(place) = self.place_of(packet.to) {
            self.note_delivery(&packet);
            self.endpoint(place).receive(packet.payload, now);
            self.carry_endpoint(place);
            return match self.endpoint(place).complaint() {
                None => Ok(()),
                Some(what) => breach(Invariant::PeersUnderstand, what),
            };
        }
        self.note_arrival(&packet);
        let input = Input::Datagram {
            local: packet.to,
            remote: packet.from,
            payload: packet.payload,
        };
        self.exchange.handle_input(input, now);
        self.turn(false)?;
        if self.watch.offered() == self.reached.len() as u64 {
            return Ok(());
        }
        let what = "a caller's INVITE arrived and nobody was told, or twice";
        breach(Invariant::CallersAreAccountedFor, what)
    }

    /// What came in is carried through to its last consequence.
    pub(super) fn turn(&mut self, router_due: bool) -> Verdict {
        let now = self.now;
        if router_due {
            self.watch.foresee(true, now);
            self.router.handle_timeout(now);
            self.after_router()?;
        }
        loop {
            let mut moved = false;
            while let Some(event) = self.exchange.poll_event() {
                moved = true;
                self.tell_router(event)?;
            }
            for command in std::mem::take(&mut self.orders) {
                moved = true;
                self.order_of = command.leg();
                self.note_order(&command);
                self.exchange.handle_command(command, now);
                self.carry_outputs()?;
            }
            self.carry_outputs()?;
            if !moved {
                break;
            }
        }
        while self.exchange.poll_binding().is_some() {}
        self.check_media()
    }

    fn tell_router(&mut self, event: Event) -> Verdict {
        let now = self.now;
        self.say(|| format!("            event   {}", shown(&event)));
        for _ in 0..self.injector.tellings(&event) {
            self.watch.event(&event, now)?;
        }
        if !self.injector.reaches_router(&event) {
            return Ok(());
        }
        self.watch.foresee(false, now);
        self.router.handle_event(event, now);
        self.after_router()
    }

    /// Takes what the router has to say, and checks that it fits.
    pub(super) fn after_router(&mut self) -> Verdict {
        let now = self.now;
        while let Some(notice) = self.router.poll_notice() {
            for _ in 0..self.injector.copies(&notice) {
                self.watch.notice(&notice, now)?;
            }
            self.say(|| format!("            notice  {notice:?}"));
        }
        while let Some(command) = self.router.poll_command() {
            for command in self.injector.commands(command) {
                self.say(|| format!("            order   {command:?}"));
                self.watch.order(&command, now)?;
                self.orders.push(command);
            }
        }
        self.tally.checks += 1;
        let more_due = self.router_due().is_some_and(|at| at <= now);
        self.watch.settled(more_due, now)?;
        self.router
            .check_invariants()
            .or_else(|what| breach(Invariant::RouterFitsTogether, what))
    }

    fn carry_outputs(&mut self) -> Verdict {
        while let Some(output) = self.exchange.poll_output() {
            match output {
                Output::Datagram {
                    local,
                    remote,
                    payload,
                } => {
                    let Some(payload) = self.injector.datagram(payload) else {
                        continue;
                    };
                    let packet = Packet {
                        from: local,
                        to: remote,
                        payload,
                    };
                    self.check_privacy(&packet)?;
                    self.check_cancel(&packet)?;
                    self.post(packet);
                }
                Output::Media(command) => {
                    for command in self.injector.media(command) {
                        self.carry_media(command)?;
                    }
                }
                other => {
                    let what = format!("nobody here speaks anything but UDP: {other:?}");
                    return breach(Invariant::MediaMakesSense, what);
                }
            }
        }
        Ok(())
    }

    /// Hands a datagram to the network.
    pub(super) fn post(&mut self, packet: Packet) {
        let fate = self.net.send(packet.clone(), self.now);
        self.note_sending(&packet, fate);
        if self.trace.is_some() {
            let line = wire_line(&packet, fate);
            self.say(|| line);
        }
    }

    /// Sends what an endpoint has to say, by wire and by voice.
    pub(super) fn carry_endpoint(&mut self, place: usize) {
        let from = self.endpoint(place).address();
        for payload in self.endpoint(place).poll_out() {
            let to = super::address(super::EXCHANGE);
            self.post(Packet { from, to, payload });
        }
        for number in self.endpoint(place).poll_pressed() {
            self.engine.press(number, '#', self.now);
        }
        self.carry_voice(place);
    }

    /// Tells the engine whose voice arrives, after anything that may have changed it.
    pub(super) fn carry_voice(&mut self, place: usize) {
        let address = self.endpoint(place).address();
        let cut_off = self.net.is_cut_off(address.ip());
        let speaking = match cut_off {
            true => Default::default(),
            false => self.endpoint(place).speaking().collect(),
        };
        let before = std::mem::replace(&mut self.spoken[place], speaking);
        if before == self.spoken[place] {
            return;
        }
        for number in before.difference(&self.spoken[place]) {
            self.engine.voice(*number, false, self.now);
        }
        for number in self.spoken[place].difference(&before) {
            self.engine.voice(*number, true, self.now);
        }
    }

    fn carry_media(&mut self, command: MediaCommand) -> Verdict {
        let now = self.now;
        let leg = self.order_of;
        let speech = self.speech(&command);
        let sense = |what: String| breach(Invariant::MediaMakesSense, what);
        self.engine
            .order(leg, command.clone(), speech, now)
            .or_else(sense)?;
        match command {
            MediaCommand::Open { port, .. } => {
                self.ports.insert(leg, port);
                let number = self.engine.port(port).map_or(0, |port| port.number);
                // A number that somebody still sends to from an earlier call.
                if self.spoken.iter().any(|numbers| numbers.contains(&number)) {
                    self.engine.voice(number, true, now);
                }
                Ok(())
            }
            MediaCommand::Connect { from, to } => self.connected(from, to),
            MediaCommand::Record { port, .. } => {
                let number = self.engine.port(port).map_or(0, |port| port.number);
                self.gateway.hears_beep(number, now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn speech(&self, command: &MediaCommand) -> Duration {
        let MediaCommand::Record { port, .. } = command else {
            return Duration::ZERO;
        };
        let number = self.engine.port(*port).map(|port| port.number);
        let message = number.and_then(|number| self.gateway.message_at(number));
        message.unwrap_or_default()
    }

    /// One caller and one volunteer, by the matrix alone.
    fn connected(&mut self, from: PortId, to: PortId) -> Verdict {
        let (Some(source), Some(listener)) = (self.engine.port(from), self.engine.port(to)) else {
            return Ok(());
        };
        let crossed = |what: &str| breach(Invariant::OneToOne, what);
        if is_caller(source.leg) == is_caller(listener.leg) {
            return crossed("two callers, or two volunteers, hear each other");
        }
        if listener.hears.len() > 1 {
            return crossed("one port hears two");
        }
        let mut hearing = self.ports.values().filter(|port| {
            let port = self.engine.port(**port);
            port.is_some_and(|port| port.hears.contains(&from))
        });
        if hearing.nth(1).is_some() {
            return crossed("two ports hear one");
        }
        let phone = if is_caller(source.leg) {
            listener
        } else {
            source
        };
        let who = self.watch.volunteer_of(phone.leg);
        let twice = self.ports.iter().any(|(leg, port)| {
            let theirs = *leg != phone.leg && who.is_some() && self.watch.volunteer_of(*leg) == who;
            let joined = self
                .engine
                .port(*port)
                .is_some_and(|port| !port.hears.is_empty());
            theirs && joined
        });
        if twice {
            return crossed("one volunteer talks on two phones");
        }
        let number = listener.number;
        if is_caller(listener.leg) {
            self.gateway.hears_person(number, self.now);
        }
        Ok(())
    }

    /// Those who talk hear each other, and those who do not hear nobody.
    fn check_media(&mut self) -> Verdict {
        self.ports
            .retain(|_, port| self.engine.port(*port).is_some());
        let hears = |a: LegId, b: LegId| {
            let (a, b) = (self.ports.get(&a)?, self.ports.get(&b)?);
            Some(self.engine.port(*a)?.hears.contains(b))
        };
        let mut joined = 0;
        for (caller, volunteer, expected) in self.watch.pairs() {
            let ways = [hears(caller, volunteer), hears(volunteer, caller)];
            if ways.contains(&Some(!expected)) {
                let what = format!("legs {caller} and {volunteer}: heard {ways:?}");
                return breach(Invariant::MediaMakesSense, what);
            }
            joined += ways.iter().filter(|way| **way == Some(true)).count();
        }
        let ports = self
            .ports
            .values()
            .filter_map(|port| self.engine.port(*port));
        let live = |port: &PortId| self.engine.port(*port).is_some();
        let all: usize = ports
            .map(|port| port.hears.iter().filter(|it| live(it)).count())
            .sum();
        if all != joined {
            let what = format!("{all} connections for {joined} that are wanted");
            return breach(Invariant::MediaMakesSense, what);
        }
        Ok(())
    }

    pub(super) fn note_media(&mut self, event: &MediaEvent) {
        if let MediaEvent::OpenFailed { port } = event {
            if let Some(leg) = self.engine.port(*port).map(|port| port.leg) {
                self.note_failed(leg);
            }
            self.engine.drop_failed(*port);
        }
        self.say(|| format!("            media   {event:?}"));
    }

    /// Nothing of the caller is in what goes to a phone.
    fn check_privacy(&self, packet: &Packet) -> Verdict {
        if packet.to == self.gateway.address() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&packet.payload);
        let trunk = self.gateway.address().ip().to_string();
        let marks = [
            CALLER_NUMBER_MARK,
            CALLER_CALL_ID_MARK,
            CALLER_ORIGIN_MARK,
            trunk.as_str(),
        ];
        match marks.iter().find(|mark| text.contains(**mark)) {
            None => Ok(()),
            Some(mark) => {
                let line = text.lines().find(|line| line.contains(*mark));
                let header = line.and_then(|line| line.split(':').next());
                let what = format!("a phone sees the caller in {header:?}");
                breach(Invariant::CallersStayPrivate, what)
            }
        }
    }
}

fn shown(event: &Event) -> String {
    match event {
        Event::CallOffered { leg, trunk, .. } => format!("CallOffered {leg} over {trunk:?}"),
        other => format!("{other:?}"),
    }
}

/// First line without numbers, and ids.
fn wire_line(packet: &Packet, fate: Fate) -> String {
    let text = String::from_utf8_lossy(&packet.payload);
    let first = text.lines().next().unwrap_or_default();
    let mut words = first.split(' ');
    let word = match words.next() {
        Some("SIP/2.0") => words.next().unwrap_or_default(),
        method => method.unwrap_or_default(),
    };
    let line_of = |name: &str| {
        let found = text.lines().find(|line| line.starts_with(name));
        found
            .map_or("", |line| line[name.len()..].trim())
            .to_owned()
    };
    let mark = match fate {
        Fate::Arrives => "",
        Fate::Lost => "  (lost)",
        Fate::CutOff => "  (cut off)",
    };
    let (from, to) = (packet.from.ip(), packet.to.ip());
    let (cseq, call) = (line_of("CSeq:"), line_of("Call-ID:"));
    let call: String = call.chars().take(28).collect();
    format!("{from:>14} -> {to:<14} {word:<8} [{cseq}] {call}{mark}")
}
