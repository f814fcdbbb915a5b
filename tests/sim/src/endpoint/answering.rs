//! Being called: ringing, picking up, refusing, being told to stop.

use std::time::{Duration, Instant};

use sip::header::HeaderName;
use sip::message::Request;

use super::repeat::{Final, T2};
use super::wire::{self, Dialog};
use super::{Act, Endpoint, Line, State};

/// A phone that is not told to stop, because it is cut off, stops by itself.
const RINGS_AT_MOST: Duration = Duration::from_secs(180);

impl Endpoint {
    pub(super) fn invited(&mut self, request: &Request, now: Instant) {
        let branch = wire::branch_of(request.headers());
        let known = self.lines.values().find(|line| line.branch == branch);
        if let Some(line) = known {
            // A repetition.
            let last = line.last.clone();
            self.out.extend(last);
            return;
        }
        let busy = self.is_busy();
        let tag = self.token("t");
        let line = self.called_line(request, &tag);
        self.lines.insert(tag.clone(), line);
        if busy {
            return self.refuse(&tag, 486, now);
        }
        self.draw_mood(&tag, now);
    }

    /// A line that was refused needs nobody's ear any more.
    fn is_busy(&self) -> bool {
        let busy = |line: &super::Line| line.is_live() && line.state != State::Refused;
        self.lines.values().any(busy)
    }

    fn called_line(&mut self, request: &Request, tag: &str) -> Line {
        let headers = request.headers();
        let own = wire::text(headers, HeaderName::To);
        let dialog = Dialog {
            call_id: wire::text(headers, HeaderName::CallId).to_owned(),
            local: format!("{own};tag={tag}"),
            remote: wire::text(headers, HeaderName::From).to_owned(),
            target: wire::contact_of(headers).unwrap_or_default(),
            sequence: 0,
        };
        let mut line = self.new_line(State::Ringing, dialog, wire::branch_of(headers));
        line.peer_port = wire::media_number(request.body()).map(|(number, _)| number);
        line.invite = Some(request.clone());
        line.stubborn = self.rng.chance(self.manner.stubborn);
        line
    }

    pub(super) fn new_line(&mut self, state: State, dialog: Dialog, branch: String) -> Line {
        self.counter += 1;
        let offset = u16::try_from(self.counter % 10_000).unwrap_or(0);
        Line {
            state,
            dialog,
            branch,
            invite: None,
            last: None,
            repeating: None,
            ack: None,
            stubborn: false,
            foreign: false,
            forks: false,
            rtp: 30_000 + 2 * offset,
            version: 1,
            peer_port: None,
            holding: false,
            call: None,
            proceeding: false,
            cancelled: false,
            engaged: false,
        }
    }

    /// What the person will do about it.
    fn draw_mood(&mut self, tag: &str, now: Instant) {
        let manner = self.manner;
        let picks_up = self.rng.millis(300, manner.slowness_s * 1000);
        let rings = self.rng.millis(5, 200);
        let draw = self.rng.below(1000);
        let mut bar = 0;
        let mut within = |share: u64| {
            bar += share;
            draw < bar
        };
        if within(manner.deaf) {
            return self.vanish(tag);
        }
        if within(manner.busy) {
            return self.later(now + rings, tag, Act::Refuse(486));
        }
        self.later(now + rings, tag, Act::Ring);
        self.later(now + RINGS_AT_MOST, tag, Act::Refuse(480));
        if within(manner.declines) {
            self.later(now + picks_up, tag, Act::Refuse(603));
        } else if within(manner.away) {
            self.later(now + picks_up, tag, Act::Refuse(480));
        } else if within(manner.ignores) {
            // It rings until it is told to stop, or thinks that it is enough.
        } else if within(manner.foreign) {
            if draw.is_multiple_of(2) {
                return self.later(now + picks_up, tag, Act::Refuse(488));
            }
            self.lines
                .get_mut(tag)
                .into_iter()
                .for_each(|line| line.foreign = true);
            self.later(now + picks_up, tag, Act::PickUp);
        } else {
            let forks = within(manner.forks);
            self.lines
                .get_mut(tag)
                .into_iter()
                .for_each(|line| line.forks = forks);
            self.later(now + picks_up, tag, Act::PickUp);
        }
    }

    pub(super) fn ring(&mut self, tag: &str) {
        self.respond(tag, 180, "");
    }

    /// A response to a line's INVITE.
    fn respond(&mut self, tag: &str, status: u16, body: &str) {
        let contact = self.contact();
        let Some(line) = self.lines.get_mut(tag) else {
            return;
        };
        if let Some(invite) = &line.invite {
            let bytes = wire::response(invite, status, tag, &contact, body);
            line.last = Some(bytes.clone());
            self.out.push(bytes);
        }
    }

    pub(super) fn pick_up(&mut self, tag: &str, now: Instant) {
        self.answer(tag, now);
        let forks = self.lines.get_mut(tag).filter(|line| line.forks);
        let Some(invite) = forks.and_then(|line| line.invite.clone()) else {
            return;
        };
        // A second branch answers, too, with a tag of its own.
        let other = self.token("t");
        let mut line = self.called_line(&invite, &other);
        line.branch = self.token("fork");
        self.lines.insert(other.clone(), line);
        self.answer(&other, now);
    }

    fn answer(&mut self, tag: &str, now: Instant) {
        let Some(line) = self.lines.get(tag) else {
            return;
        };
        let description = self.describe(line);
        self.respond(tag, 200, &description);
        self.conclude(tag, State::Answered, now);
    }

    pub(super) fn refuse(&mut self, tag: &str, status: u16, now: Instant) {
        self.respond(tag, status, "");
        self.conclude(tag, State::Refused, now);
    }

    fn conclude(&mut self, tag: &str, state: State, now: Instant) {
        if let Some(line) = self.lines.get_mut(tag) {
            line.state = state;
            let last = line.last.clone().unwrap_or_default();
            line.repeating = Some(Final::new(last, now));
            self.later(now + super::repeat::T1, tag, Act::Repeat);
        }
    }

    /// The final response again, until its ACK comes or nobody believes in it any more.
    pub(super) fn repeat_final(&mut self, tag: &str, now: Instant) {
        let Some(line) = self.lines.get_mut(tag) else {
            return;
        };
        let Some(repeating) = &mut line.repeating else {
            return;
        };
        if now < repeating.until {
            self.out.push(repeating.bytes.clone());
            repeating.interval = (repeating.interval * 2).min(T2);
            let next = now + repeating.interval;
            return self.later(next, tag, Act::Repeat);
        }
        line.repeating = None;
        match line.state {
            State::Answered => self.hang_up(tag, now),
            _ => self.over(tag, now),
        }
    }

    pub(super) fn cancelled(&mut self, request: &Request, now: Instant) {
        let branch = wire::branch_of(request.headers());
        let found = self.lines.iter().find(|(_, line)| line.branch == branch);
        let Some((tag, line)) = found.map(|(tag, line)| (tag.clone(), line)) else {
            return self.reply(request, 481, "");
        };
        let (ringing, stubborn) = (line.state == State::Ringing, line.stubborn);
        let response = wire::response(request, 200, &tag, &self.contact(), "");
        self.out.push(response);
        match (ringing, stubborn) {
            (true, true) => {
                self.crossed += 1;
                self.pick_up(&tag, now);
            }
            (true, false) => self.refuse(&tag, 487, now),
            (false, _) => {}
        }
    }

    pub(super) fn acknowledged(&mut self, request: &Request, tag: &str, now: Instant) {
        let Some(line) = self.lines.get_mut(tag) else {
            return;
        };
        match line.state {
            State::Answered => {
                line.state = State::Up;
                line.repeating = None;
                if let Some((number, _)) = wire::media_number(request.body()) {
                    line.peer_port = Some(number);
                }
                self.plan_conversation(tag, now);
            }
            State::Refused => {
                line.repeating = None;
                self.over(tag, now);
            }
            _ => {}
        }
    }
}
