//! Within a call: holding, keys, hanging up, and what the other side asks.

use std::time::Instant;

use sip::header::HeaderName;
use sip::message::{Method, Request};

use super::wire;
use super::{Act, Endpoint, State};

impl Endpoint {
    /// What the person at a phone does in a conversation.
    pub(super) fn plan_conversation(&mut self, tag: &str, now: Instant) {
        let length = self.rng.secs(5, 240);
        self.later(now + length, tag, Act::HangUp);
        if self.rng.chance(self.manner.holds) {
            self.later(now + length / 4, tag, Act::Hold);
            self.later(now + length / 2, tag, Act::Resume);
        }
        if self.rng.chance(100) {
            self.later(now + length / 3, tag, Act::Probe);
        }
    }

    pub(super) fn hang_up(&mut self, tag: &str, now: Instant) {
        let Some(line) = self.lines.get_mut(tag) else {
            return;
        };
        line.state = State::Leaving;
        line.repeating = None;
        self.pending
            .retain(|it| it.line != tag || it.method != "INVITE");
        self.send(tag, "BYE", "", "", now);
    }

    pub(super) fn hold(&mut self, tag: &str, holding: bool, now: Instant) {
        let busy = self
            .pending
            .iter()
            .any(|it| it.line == tag && it.method == "INVITE");
        if busy {
            return self.later(
                now + super::LINGER / 8,
                tag,
                if holding { Act::Hold } else { Act::Resume },
            );
        }
        let Some(line) = self.lines.get_mut(tag) else {
            return;
        };
        line.holding = holding;
        line.version += 1;
        let Some(line) = self.lines.get(tag) else {
            return;
        };
        let description = self.describe(line);
        let contact = format!("Contact: <{}>\r\n", self.contact());
        self.send(tag, "INVITE", &contact, &description, now);
    }

    pub(super) fn probe(&mut self, tag: &str, now: Instant) {
        self.send(tag, "OPTIONS", "", "", now);
    }

    pub(super) fn press(&mut self, tag: &str, _now: Instant) {
        let port = self.lines.get(tag).and_then(|line| line.peer_port);
        self.pressed.extend(port);
    }

    pub(super) fn press_by_info(&mut self, tag: &str, now: Instant) {
        self.send(tag, "INFO", "", "Signal=#\r\nDuration=160\r\n", now);
    }

    /// Who holds is not missed: nothing is expected of them (see docs/SIMULATION.md).
    pub(super) fn vanish(&mut self, tag: &str) {
        if let Some(line) = self.lines.get_mut(tag).filter(|line| !line.holding) {
            line.state = State::Vanished;
            self.pending.retain(|pending| pending.line != tag);
        }
    }

    pub(super) fn receive_in_dialog(&mut self, request: &Request, tag: &str, now: Instant) {
        let Some(line) = self.lines.get_mut(tag) else {
            return self.reply(request, 481, "");
        };
        let call_id = wire::text(request.headers(), HeaderName::CallId);
        if line.dialog.call_id != call_id {
            self.complaint = Some("a request with the tag of another call");
            return;
        }
        match (request.method(), line.state) {
            (_, State::Vanished) => {}
            (Method::Bye, _) => {
                line.repeating = None;
                self.reply(request, 200, "");
                self.pending.retain(|pending| pending.line != tag);
                self.over(tag, now);
            }
            (_, State::Over | State::Leaving) => self.reply(request, 481, ""),
            (Method::Invite, _) => {
                let Some(line) = self.lines.get(tag) else {
                    return;
                };
                let description = self.describe(line);
                self.reply(request, 200, &description);
            }
            _ => self.reply(request, 200, ""),
        }
    }
}
