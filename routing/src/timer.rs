//! Deadlines: which is next, and what happens when one passes.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::call::{Answer, Call, Stage, Voicemail, Waiting};
use crate::command::HangupReason;
use crate::id::{CallId, VolunteerId};
use crate::outcome::FailReason;
use crate::router::Router;

/// What a deadline is for; the shell may log it, and must not act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerReason {
    /// A caller has heard ringback long enough and is to be answered.
    AnswerCaller,
    /// A caller has waited long enough and is asked for a message.
    QueueTimeout,
    /// Nobody is left who could be rung for a caller.
    NobodyLeft,
    /// A phone may be rung again after it was busy, declined or out of reach.
    RingAgain,
    /// The next of more phones than may ring at once.
    NextWave,
    /// A prompt, recording or answer takes longer than it may.
    MediaStep,
    /// A volunteer's time after a call is over.
    WrapUpOver,
    /// A shift begins or ends.
    ShiftChange,
}

/// When something is due, and for whom.
pub(crate) type Deadline = (Instant, TimerReason, Whose);

/// Whose deadline it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    Call(CallId),
    Volunteer(VolunteerId),
}

/// The next deadline of every call, and the end of every wrap-up, earliest first.
#[derive(Default)]
pub(crate) struct Deadlines(BTreeSet<Deadline>);

impl Deadlines {
    pub(crate) fn insert(&mut self, deadline: Deadline) {
        self.0.insert(deadline);
    }

    pub(crate) fn remove(&mut self, deadline: &Deadline) {
        self.0.remove(deadline);
    }

    /// Puts one deadline of a call in place of another.
    pub(crate) fn replace_of_call(
        &mut self,
        call: CallId,
        before: Option<(Instant, TimerReason)>,
        next: Option<(Instant, TimerReason)>,
    ) {
        if let Some((at, reason)) = before {
            self.0.remove(&(at, reason, Whose::Call(call)));
        }
        if let Some((at, reason)) = next {
            self.0.insert((at, reason, Whose::Call(call)));
        }
    }

    pub(crate) fn all(&self) -> &BTreeSet<Deadline> {
        &self.0
    }

    /// Whose deadlines have passed.
    fn due(&self, now: Instant) -> Vec<Whose> {
        self.0
            .iter()
            .take_while(|(at, ..)| *at <= now)
            .map(|(_, _, whose)| whose.clone())
            .collect()
    }
}

impl Call {
    /// The call's next deadline.
    pub(crate) fn next_deadline(&self) -> Option<(Instant, TimerReason)> {
        let answer = match self.answer {
            Answer::Ordered { until } => Some((until, TimerReason::MediaStep)),
            Answer::NotYet | Answer::Up => None,
        };
        let stage = match &self.stage {
            Stage::Queued(waiting) => self.next_while_waiting(waiting),
            Stage::Bridged(_) | Stage::Voicemail(Voicemail::Answering) => None,
            Stage::Voicemail(
                Voicemail::Invitation { until }
                | Voicemail::Recording { until, .. }
                | Voicemail::Thanks { until }
                | Voicemail::Closing { until, .. },
            ) => Some((*until, TimerReason::MediaStep)),
        };
        answer.into_iter().chain(stage).min()
    }

    fn next_while_waiting(&self, waiting: &Waiting) -> Option<(Instant, TimerReason)> {
        let heard = match waiting {
            Waiting::Ringback { .. } => Some((self.answer_at, TimerReason::AnswerCaller)),
            Waiting::Greeting { until } => Some((*until, TimerReason::MediaStep)),
            Waiting::Answering | Waiting::Music => None,
        };
        let reason = |reason| move |at| (at, reason);
        let offer = &self.offer;
        heard
            .into_iter()
            .chain([(self.queue_until, TimerReason::QueueTimeout)])
            .chain(offer.nobody_until.map(reason(TimerReason::NobodyLeft)))
            .chain(offer.ring_again.map(reason(TimerReason::RingAgain)))
            .chain(offer.next_wave.map(reason(TimerReason::NextWave)))
            .min()
    }
}

impl Router {
    /// When [`handle_timeout`](Self::handle_timeout) is wanted next, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, TimerReason)> {
        let first = self.deadlines.0.first();
        let first = first.map(|(at, reason, _)| (*at, *reason));
        let shift = self.next_shift.map(|at| (at, TimerReason::ShiftChange));
        first.into_iter().chain(shift).min()
    }

    /// Does what is due by `now`; early calls do no harm and cost little.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|(at, _)| at > now) {
            return;
        }
        let due = self.deadlines.due(now);
        let calls: BTreeSet<CallId> = due
            .into_iter()
            .filter_map(|whose| match whose {
                Whose::Call(call) => Some(call),
                Whose::Volunteer(_) => None,
            })
            .collect();
        for id in calls {
            self.expire(id, now);
        }
        self.settle(now);
    }

    /// Ends the wrap-ups that are over, and has calls looked at for which something is due.
    pub(crate) fn note_due(&mut self, now: Instant) {
        for whose in self.deadlines.due(now) {
            match whose {
                Whose::Call(call) => self.calls.touch(call),
                Whose::Volunteer(volunteer) => self.end_wrap_up(&volunteer),
            }
        }
    }

    fn expire(&mut self, id: CallId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let due = |until: Instant| until <= now;
        if let Answer::Ordered { until } = call.answer
            && due(until)
        {
            self.give_up(id, FailReason::SignallingLost, HangupReason::Failed, now);
            return;
        }
        match &call.stage {
            Stage::Queued(_) if due(call.queue_until) => self.begin_voicemail(id, now),
            Stage::Queued(Waiting::Ringback { .. }) if due(call.answer_at) => {
                self.answer_caller(id, now);
            }
            Stage::Queued(Waiting::Greeting { until }) if due(*until) => {
                call.play_music(&mut self.out);
            }
            Stage::Queued(_) | Stage::Bridged(_) => {}
            Stage::Voicemail(step) => match step {
                Voicemail::Invitation { until } if due(*until) => self.skip_invitation(id, now),
                Voicemail::Recording { until, stopping } if due(*until) => {
                    if *stopping {
                        self.recording_failed(id, now);
                    } else {
                        self.stop_recording(id, now);
                    }
                }
                Voicemail::Thanks { until } if due(*until) => self.release_caller(id, now),
                Voicemail::Closing { until, .. } if due(*until) => self.recording_failed(id, now),
                _ => {}
            },
        }
    }
}
