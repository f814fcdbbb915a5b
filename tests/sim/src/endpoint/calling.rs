//! Calling the hotline over the carrier.

use std::time::{Duration, Instant};

use sip::message::Response;

use super::repeat::Pending;
use super::wire::{self, CALLER_CALL_ID_MARK, Dialog, Draft};
use super::{Act, Endpoint, State};

/// A carrier ends calls by itself, should it hear nothing of their end.
const ENOUGH: Duration = Duration::from_secs(1200);

/// What a caller has in mind.
#[derive(Clone, Debug)]
pub struct Call {
    /// Their number; `None` when withheld.
    pub number: Option<String>,
    /// The number that they dial.
    pub called: String,
    /// Whether the carrier's INVITE has no offer.
    pub offerless: bool,
    /// Whether the carrier leaves Content-Length out.
    pub without_length: bool,
    /// How long they wait for a person.
    pub patience: Duration,
    /// How long they speak with one.
    pub talk: Duration,
    /// How long their message is.
    pub message: Duration,
    /// Whether they press `#` at its end; else they fall silent.
    pub presses: bool,
    /// Whether they hang up at its end.
    pub hangs_up_after_message: bool,
    /// When their side vanishes without a word.
    pub vanishes_after: Option<Duration>,
    /// Whether they press hold while they talk.
    pub holds: bool,
}

impl Endpoint {
    /// A caller dials. Returns the Call-ID.
    pub fn call(&mut self, call: Call, now: Instant) -> String {
        let (tag, branch) = (self.token("t"), self.branch());
        let call_id = self.token(CALLER_CALL_ID_MARK);
        let address = self.address;
        let (from, more) = match &call.number {
            None => (
                "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned(),
                format!("P-Asserted-Identity: <sip:+346009912340000@{address}>\r\nPrivacy: id\r\n"),
            ),
            Some(number) => (format!("<sip:{number}@{address}>"), String::new()),
        };
        let dialog = Dialog {
            call_id: call_id.clone(),
            local: format!("{from};tag={tag}"),
            remote: format!("<sip:{}@{}>", call.called, self.server),
            target: format!("sip:{}@{}", call.called, self.server),
            sequence: 1,
        };
        let mut line = self.new_line(State::Calling, dialog, branch.clone());
        let (offerless, without_length) = (call.offerless, call.without_length);
        self.later(now + call.patience, &tag, Act::LosePatience);
        self.later(now + ENOUGH, &tag, Act::HangUp);
        if let Some(after) = call.vanishes_after {
            self.later(now + after, &tag, Act::Vanish);
        }
        line.call = Some(call);
        let body = match offerless {
            true => String::new(),
            false => self.describe(&line),
        };
        let more = format!("Contact: <{}>\r\n{more}", self.contact());
        let draft = Draft {
            method: "INVITE",
            sequence: 1,
            from: address,
            branch: &branch,
            more: &more,
            body: &body,
            without_length,
        };
        let bytes = wire::request(&line.dialog, &draft);
        self.lines.insert(tag.clone(), line);
        self.out.push(bytes.clone());
        let pending = Pending::new(branch, "INVITE", tag, 1, bytes, now);
        self.pending.push(pending);
        call_id
    }

    /// How long whoever is connected to this port of the exchange will speak after the beep.
    #[must_use]
    pub fn message_at(&self, number: u16) -> Option<Duration> {
        let line = self
            .lines
            .values()
            .find(|line| line.peer_port == Some(number))?;
        line.call.as_ref().map(|call| call.message)
    }

    /// The caller at this port of the exchange hears a person.
    pub fn hears_person(&mut self, number: u16, now: Instant) {
        if let Some((tag, call)) = self.engage(number) {
            self.later(now + call.talk, &tag, Act::HangUp);
            if call.holds {
                self.later(now + call.talk / 3, &tag, Act::Hold);
                self.later(now + call.talk / 2, &tag, Act::Resume);
            }
        }
    }

    /// The caller at this port of the exchange hears the beep.
    pub fn hears_beep(&mut self, number: u16, now: Instant) {
        if let Some((tag, call)) = self.engage(number) {
            let end = now + call.message;
            if call.presses {
                let by_info = call.message.subsec_millis().is_multiple_of(3);
                let act = if by_info { Act::Info } else { Act::Press };
                self.later(end, &tag, act);
            } else if call.hangs_up_after_message {
                self.later(end, &tag, Act::HangUp);
            }
        }
    }

    fn engage(&mut self, number: u16) -> Option<(String, Call)> {
        let (tag, line) = self
            .lines
            .iter_mut()
            .find(|(_, line)| line.peer_port == Some(number) && line.call.is_some())?;
        line.engaged = true;
        Some((tag.clone(), line.call.clone()?))
    }

    /// A response to an INVITE of ours: the first one, or a re-INVITE.
    pub(super) fn invite_answered(
        &mut self,
        branch: &str,
        status: u16,
        response: &Response,
        now: Instant,
    ) {
        let index = self
            .pending
            .iter()
            .position(|it| it.branch == branch && it.method == "INVITE");
        let Some(index) = index else {
            return self.repeat_ack(branch, status, response);
        };
        if status < 200 {
            return self.progress(index, now);
        }
        let pending = self.pending.swap_remove(index);
        let Some(line) = self.lines.get_mut(&pending.line) else {
            return;
        };
        let first = line.branch == branch;
        if status >= 300 {
            self.acknowledge_refusal(&pending, response);
            if first || status == 481 || status == 408 {
                self.over(&pending.line, now);
            }
            return;
        }
        if first {
            line.dialog.remote = wire::text(response.headers(), sip::header::HeaderName::To).into();
            line.state = State::Up;
        }
        if let Some(contact) = wire::contact_of(response.headers()) {
            line.dialog.target = contact;
        }
        if let Some((number, _)) = wire::media_number(response.body()) {
            line.peer_port = Some(number);
        }
        let offerless = first && line.call.as_ref().is_some_and(|call| call.offerless);
        let cancelled = line.cancelled;
        self.acknowledge(&pending, offerless);
        if cancelled {
            self.hang_up(&pending.line, now);
        }
    }

    fn progress(&mut self, index: usize, now: Instant) {
        let pending = &mut self.pending[index];
        let Some(line) = self.lines.get_mut(&pending.line) else {
            return;
        };
        if std::mem::replace(&mut line.proceeding, true) && line.state == State::Calling {
            return;
        }
        pending.proceed();
        let tag = pending.line.clone();
        if line.cancelled && line.state == State::Calling {
            self.send_cancel(&tag, now);
        }
    }

    /// The ACK of a 2xx, which is a request of its own.
    fn acknowledge(&mut self, pending: &Pending, with_answer: bool) {
        let branch = self.branch();
        let Some(line) = self.lines.get(&pending.line) else {
            return;
        };
        let body = match with_answer {
            true => self.describe(line),
            false => String::new(),
        };
        let draft = Draft {
            method: "ACK",
            sequence: pending.sequence,
            from: self.address,
            branch: &branch,
            more: "",
            body: &body,
            without_length: false,
        };
        let bytes = wire::request(&line.dialog, &draft);
        self.out.push(bytes.clone());
        if let Some(line) = self.lines.get_mut(&pending.line) {
            line.ack = Some((pending.sequence, bytes));
        }
    }

    /// The ACK of a refusal, which carries the branch of what was refused (RFC 3261 17.1.1.3).
    fn acknowledge_refusal(&mut self, pending: &Pending, response: &Response) {
        let Some(line) = self.lines.get_mut(&pending.line) else {
            return;
        };
        let to = wire::text(response.headers(), sip::header::HeaderName::To);
        let dialog = Dialog {
            remote: to.to_owned(),
            ..line.dialog.clone()
        };
        let draft = Draft {
            method: "ACK",
            sequence: pending.sequence,
            from: self.address,
            branch: &pending.branch,
            more: "",
            body: "",
            without_length: false,
        };
        let bytes = wire::request(&dialog, &draft);
        line.ack = Some((pending.sequence, bytes.clone()));
        self.out.push(bytes);
    }

    /// The exchange repeats a final response: our ACK was lost.
    fn repeat_ack(&mut self, branch: &str, status: u16, response: &Response) {
        if status < 200 {
            return;
        }
        let sequence = response.headers().cseq().map_or(0, |cseq| cseq.number);
        let from = wire::text(response.headers(), sip::header::HeaderName::From);
        let Some(line) = self.lines.get(wire::tag_of(from)) else {
            return;
        };
        let ours = line.branch == branch || sequence > 1;
        if let Some((of, ack)) = &line.ack
            && ours
            && *of == sequence
            && line.state != State::Vanished
        {
            let ack = ack.clone();
            self.out.push(ack);
        }
    }

    pub(super) fn cancel(&mut self, tag: &str, now: Instant) {
        let Some(line) = self.lines.get_mut(tag) else {
            return;
        };
        if !std::mem::replace(&mut line.cancelled, true) && line.proceeding {
            self.send_cancel(tag, now);
        }
    }

    fn send_cancel(&mut self, tag: &str, now: Instant) {
        let Some(line) = self.lines.get(tag) else {
            return;
        };
        let branch = line.branch.clone();
        let draft = Draft {
            method: "CANCEL",
            sequence: 1,
            from: self.address,
            branch: &branch,
            more: "",
            body: "",
            without_length: false,
        };
        let bytes = wire::request(&line.dialog, &draft);
        self.out.push(bytes.clone());
        for pending in &mut self.pending {
            if pending.branch == branch {
                pending.limit(now);
            }
        }
        let pending = Pending::new(branch, "CANCEL", tag.to_owned(), 1, bytes, now);
        self.pending.push(pending);
    }

    /// Nobody has come so far: they give up.
    pub(super) fn leave_unless_engaged(&mut self, tag: &str, now: Instant) {
        if self.lines.get(tag).is_some_and(|line| !line.engaged) {
            self.hang_up(tag, now);
        }
    }
}
