//! What a waiting caller hears.

use std::time::Instant;

use crate::call::{Answer, Call, Stage, Talk, Voicemail, Waiting};
use crate::command::{Command, HangupReason, PromptKind};
use crate::event::LegEnd;
use crate::id::{CallId, LegId};
use crate::leg::{Outbox, Party};
use crate::limits::{ANSWER_MAX_S, GREETING_MAX_S, later_s};
use crate::outcome::{FailReason, Outcome};
use crate::router::Router;

impl Call {
    /// Answers the caller's leg, unless that was done.
    pub(crate) fn answer(&mut self, out: &mut Outbox, now: Instant) {
        if self.answer == Answer::NotYet {
            let until = later_s(now, ANSWER_MAX_S);
            self.answer = Answer::Ordered { until };
            out.command(Command::Answer { leg: self.leg });
        }
    }

    /// Plays a prompt to the caller, in place of what they heard.
    pub(crate) fn play(&self, kind: PromptKind, out: &mut Outbox) {
        out.command(Command::Play {
            leg: self.leg,
            prompt: self.prompt(kind),
            repeat: kind == PromptKind::HoldMusic,
        });
    }

    pub(crate) fn play_music(&mut self, out: &mut Outbox) {
        self.play(PromptKind::HoldMusic, out);
        self.stage = Stage::Queued(Waiting::Music);
    }

    /// What an answered caller hears first: the greeting, unless they spoke with somebody before.
    fn greet(&mut self, out: &mut Outbox, now: Instant) {
        if self.history.answered_by.is_some() {
            self.play_music(out);
            return;
        }
        self.play(PromptKind::Greeting, out);
        let until = later_s(now, GREETING_MAX_S);
        self.stage = Stage::Queued(Waiting::Greeting { until });
    }
}

impl Router {
    /// Answers a caller who has heard ringback long enough.
    pub(crate) fn answer_caller(&mut self, id: CallId, now: Instant) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.answer(&mut self.out, now);
            call.stage = Stage::Queued(Waiting::Answering);
        }
    }

    /// The caller's leg that we answered is up.
    pub(crate) fn caller_up(&mut self, id: CallId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.answer = Answer::Up;
        match call.stage {
            Stage::Queued(Waiting::Answering) => call.greet(&mut self.out, now),
            Stage::Voicemail(Voicemail::Answering) => self.invite(id, now),
            // They were put on hold before they could hear anything.
            Stage::Bridged(Talk { held: true, .. }) => {
                call.play(PromptKind::HoldMusic, &mut self.out);
            }
            Stage::Queued(_) | Stage::Bridged(_) | Stage::Voicemail(_) => {}
        }
    }

    /// A prompt to the caller came to its end.
    pub(crate) fn playback_finished(&mut self, leg: LegId, kind: PromptKind, now: Instant) {
        let Some((id, Party::Caller)) = self.call_of(leg) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match (&call.stage, kind) {
            (Stage::Queued(Waiting::Greeting { .. }), PromptKind::Greeting) => {
                call.play_music(&mut self.out);
            }
            (Stage::Voicemail(Voicemail::Invitation { .. }), PromptKind::VoicemailInvitation) => {
                self.start_recording(id, now)
            }
            (Stage::Voicemail(Voicemail::Thanks { .. }), PromptKind::VoicemailThanks) => {
                self.release_caller(id, now);
            }
            // Told too late: the caller hears something else by now.
            (Stage::Queued(_) | Stage::Bridged(_) | Stage::Voicemail(_), _) => {}
        }
    }

    /// The caller hung up, or their side vanished.
    pub(crate) fn caller_gone(&mut self, id: CallId, end: LegEnd, now: Instant) {
        let outcome = match end {
            LegEnd::HungUp => Outcome::Abandoned,
            LegEnd::MediaFailed => Outcome::Failed(FailReason::MediaFailed),
            LegEnd::Busy
            | LegEnd::Declined
            | LegEnd::NoAnswer
            | LegEnd::Unreachable
            | LegEnd::SignallingLost
            | LegEnd::Ordered => Outcome::Failed(FailReason::SignallingLost),
        };
        self.conclude(id, outcome, HangupReason::Normal, now);
    }

    /// The exchange gives a caller's leg up.
    pub(crate) fn give_up(
        &mut self,
        id: CallId,
        fail: FailReason,
        reason: HangupReason,
        now: Instant,
    ) {
        if let Some(call) = self.calls.get(&id) {
            let leg = call.leg;
            self.hang_up(leg, reason);
            self.conclude(id, Outcome::Failed(fail), reason, now);
        }
    }

    /// Ends everything done for a caller whose leg is over or was told to end.
    fn conclude(&mut self, id: CallId, otherwise: Outcome, reason: HangupReason, now: Instant) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        match &call.stage {
            Stage::Queued(_) => self.end_call(id, otherwise, now),
            Stage::Bridged(_) => {
                self.release_volunteer(id, reason, now);
                self.end_call(id, otherwise, now);
            }
            Stage::Voicemail(_) => self.leave_voicemail(id, otherwise, now),
        }
    }
}
