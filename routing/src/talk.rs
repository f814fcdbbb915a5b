//! A caller with a volunteer: first pickup, hold, loss, the end.

use std::time::Instant;

use crate::call::{Answer, Call, Stage, Talk, Waiting};
use crate::command::{Command, HangupReason, PromptKind};
use crate::event::LegEnd;
use crate::id::{CallId, LegId};
use crate::leg::{Outbox, Party};
use crate::limits::{RE_RING_AFTER_S, later, later_s};
use crate::notice::Notice;
use crate::outcome::{FailReason, Outcome};
use crate::router::Router;

impl Router {
    /// A phone was picked up. The first one has the caller, all others stop in the same turn.
    pub(crate) fn picked_up(&mut self, id: CallId, leg: LegId, now: Instant) {
        let Some(ringing) = self.ring_over(id, leg, now) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let volunteer = ringing.volunteer;
        let hub = call.hub.clone();
        call.answer(&mut self.out, now);
        call.history.talk_began(&volunteer, now);
        call.stage = Stage::Bridged(Talk {
            volunteer: volunteer.clone(),
            device: ringing.device,
            leg,
            held: false,
            connected: false,
        });
        call.connect(&mut self.out);
        if call.held {
            call.play_to_volunteer(&mut self.out);
        }
        self.set_talks(&volunteer, true, now);
        self.stop_all_ringing(id, HangupReason::AnsweredElsewhere, now);
        self.out.notice(Notice::CallAnswered {
            call: id,
            hub,
            volunteer,
        });
    }

    /// A volunteer's leg is over without our doing.
    pub(crate) fn volunteer_gone(&mut self, id: CallId, leg: LegId, end: LegEnd, now: Instant) {
        let talks = self
            .calls
            .get(&id)
            .and_then(Call::talk)
            .is_some_and(|talk| talk.leg == leg);
        if !talks {
            self.ring_failed(id, leg, end, now);
            return;
        }
        match end {
            LegEnd::SignallingLost | LegEnd::MediaFailed | LegEnd::Unreachable => {
                self.volunteer_lost(id, now);
            }
            LegEnd::HungUp
            | LegEnd::Busy
            | LegEnd::Declined
            | LegEnd::NoAnswer
            | LegEnd::Ordered => self.volunteer_hung_up(id, now),
        }
    }

    /// No audio came from a party for a long time. From one who pressed hold that is as it
    /// should be; one who was put on hold goes on sending, and is gone.
    pub(crate) fn media_lost(&mut self, leg: LegId, now: Instant) {
        let Some((id, party)) = self.call_of(leg) else {
            return;
        };
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let talk = call.talk();
        let holds = match party {
            Party::Caller => call.held,
            Party::Volunteer { .. } => talk.is_some_and(|talk| talk.held),
        };
        if holds {
            return;
        }
        if party == Party::Caller {
            self.give_up(id, FailReason::MediaLost, HangupReason::MediaLost, now);
        } else if talk.is_some_and(|talk| talk.leg == leg) {
            self.volunteer_lost(id, now);
        }
    }

    /// A party pressed hold, or took the other back.
    pub(crate) fn leg_held(&mut self, leg: LegId, held: bool) {
        let Some((id, party)) = self.call_of(leg) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let before = match (party, &mut call.stage) {
            (Party::Caller, _) => std::mem::replace(&mut call.held, held),
            (Party::Volunteer { .. }, Stage::Bridged(talk)) if talk.leg == leg => {
                std::mem::replace(&mut talk.held, held)
            }
            (Party::Volunteer { .. }, _) => return,
        };
        if before == held || call.talk().is_none() {
            return;
        }
        if held {
            call.disconnect(&mut self.out);
            match party {
                Party::Caller => call.play_to_volunteer(&mut self.out),
                Party::Volunteer { .. } if call.answer == Answer::Up => {
                    call.play(PromptKind::HoldMusic, &mut self.out);
                }
                // Until their leg is up they could not hear it.
                Party::Volunteer { .. } => {}
            }
        } else if !call.connect(&mut self.out) {
            // Still held by the other side: only the music of the one taken back ends.
            call.stop_music(party, &mut self.out);
        }
    }

    /// Ends the volunteer's part of a conversation and starts their time after it.
    pub(crate) fn release_volunteer(&mut self, id: CallId, reason: HangupReason, now: Instant) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let Some(talk) = call.talk() else {
            return;
        };
        let (leg, volunteer) = (talk.leg, talk.volunteer.clone());
        let wrap_up = call.settings.wrap_up;
        self.hang_up(leg, reason);
        self.set_talks(&volunteer, false, now);
        self.begin_wrap_up(&volunteer, wrap_up, now);
    }

    fn volunteer_hung_up(&mut self, id: CallId, now: Instant) {
        self.release_volunteer(id, HangupReason::Normal, now);
        if let Some(call) = self.calls.get(&id) {
            let caller = call.leg;
            self.hang_up(caller, HangupReason::Normal);
        }
        self.end_call(id, Outcome::Answered, now);
    }

    /// The line to the volunteer broke: the caller gets their old place back.
    fn volunteer_lost(&mut self, id: CallId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Stage::Bridged(talk) = &call.stage else {
            return;
        };
        let (leg, device, volunteer) = (talk.leg, talk.device, talk.volunteer.clone());
        if self.legs.get(leg).is_some() {
            call.disconnect(&mut self.out);
        }
        call.history.talk_over(now);
        call.queue_until = later(now, call.settings.queue_timeout);
        let again = later_s(now, RE_RING_AFTER_S);
        call.offer.back_off.insert(device, again);
        if call.answer == Answer::Up {
            call.play_music(&mut self.out);
        } else {
            call.stage = Stage::Queued(Waiting::Answering);
        }
        self.hang_up(leg, HangupReason::MediaLost);
        self.set_talks(&volunteer, false, now);
    }
}

impl Call {
    /// Lets the two hear each other, if nobody holds. Returns whether they do.
    fn connect(&mut self, out: &mut Outbox) -> bool {
        let Stage::Bridged(talk) = &mut self.stage else {
            return false;
        };
        if !talk.connected && !talk.held && !self.held {
            talk.connected = true;
            out.command(Command::Bridge {
                a: self.leg,
                b: talk.leg,
            });
        }
        talk.connected
    }

    fn disconnect(&mut self, out: &mut Outbox) {
        if let Stage::Bridged(talk) = &mut self.stage
            && talk.connected
        {
            talk.connected = false;
            out.command(Command::Unbridge {
                a: self.leg,
                b: talk.leg,
            });
        }
    }

    fn play_to_volunteer(&self, out: &mut Outbox) {
        if let Some(talk) = self.talk() {
            out.command(Command::Play {
                leg: talk.leg,
                prompt: self.prompt(PromptKind::HoldMusic),
                repeat: true,
            });
        }
    }

    /// Stops the music that the other side heard while `holder` held.
    fn stop_music(&self, holder: Party, out: &mut Outbox) {
        let leg = match (holder, self.talk()) {
            (Party::Caller, Some(talk)) => talk.leg,
            _ => self.leg,
        };
        out.command(Command::StopPlaying { leg });
    }
}
