//! A caller who leaves a message.

use std::time::{Duration, Instant};

use crate::call::{Answer, Stage, Voicemail};
use crate::command::{Command, HangupReason, PromptKind};
use crate::event::RecordingEnd;
use crate::id::{CallId, LegId, RecordingId};
use crate::leg::Party;
use crate::limits::{
    INVITATION_MAX_S, MIN_MESSAGE_MS, RECORDING_CLOSE_S, RECORDING_SLACK_S, THANKS_MAX_S, later,
    later_s,
};
use crate::notice::Notice;
use crate::outcome::{FailReason, Outcome};
use crate::party::Digit;
use crate::router::Router;

/// Skips the invitation, and ends the message.
const NEXT_KEY: char = '#';

impl Router {
    /// Stops ringing for a caller, and asks for a message.
    pub(crate) fn begin_voicemail(&mut self, id: CallId, now: Instant) {
        self.stop_all_ringing(id, HangupReason::NoLongerNeeded, now);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.history.wait_over(now);
        call.answer(&mut self.out, now);
        call.stage = Stage::Voicemail(Voicemail::Answering);
        if call.answer == Answer::Up {
            self.invite(id, now);
        }
    }

    pub(crate) fn invite(&mut self, id: CallId, now: Instant) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.play(PromptKind::VoicemailInvitation, &mut self.out);
            let until = later_s(now, INVITATION_MAX_S);
            call.stage = Stage::Voicemail(Voicemail::Invitation { until });
        }
    }

    pub(crate) fn start_recording(&mut self, id: CallId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let max_length = call.settings.voicemail_max;
        let until = later_s(later(now, max_length), RECORDING_SLACK_S);
        let stopping = false;
        call.stage = Stage::Voicemail(Voicemail::Recording { until, stopping });
        self.out.command(Command::Record {
            leg: call.leg,
            recording: call.recording(),
            hub: call.hub.clone(),
            max_length,
            max_silence: call.settings.voicemail_silence,
        });
        self.out.notice(Notice::VoicemailStarted {
            call: id,
            recording: call.recording(),
            hub: call.hub.clone(),
        });
    }

    /// A caller who knows the way presses `#`.
    pub(crate) fn digit_pressed(&mut self, leg: LegId, digit: Digit, now: Instant) {
        if digit.reveal() != NEXT_KEY {
            return;
        }
        let Some((id, Party::Caller)) = self.call_of(leg) else {
            return;
        };
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        match call.stage {
            Stage::Voicemail(Voicemail::Invitation { .. }) => self.skip_invitation(id, now),
            Stage::Voicemail(Voicemail::Recording {
                stopping: false, ..
            }) => self.stop_recording(id, now),
            Stage::Queued(_) | Stage::Bridged(_) | Stage::Voicemail(_) => {}
        }
    }

    pub(crate) fn skip_invitation(&mut self, id: CallId, now: Instant) {
        if let Some(call) = self.calls.get(&id) {
            self.out.command(Command::StopPlaying { leg: call.leg });
            self.start_recording(id, now);
        }
    }

    /// Ends the message; its length follows.
    pub(crate) fn stop_recording(&mut self, id: CallId, now: Instant) {
        if let Some(call) = self.calls.get_mut(&id) {
            let until = later_s(now, RECORDING_CLOSE_S);
            let stopping = true;
            call.stage = Stage::Voicemail(Voicemail::Recording { until, stopping });
            self.out.command(Command::StopRecording { leg: call.leg });
        }
    }

    pub(crate) fn recording_finished(
        &mut self,
        recording: RecordingId,
        end: RecordingEnd,
        length: Duration,
        now: Instant,
    ) {
        let id = CallId(recording.0);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let gone = match call.stage {
            Stage::Voicemail(Voicemail::Recording { .. }) => None,
            Stage::Voicemail(Voicemail::Closing { otherwise, .. }) => Some(otherwise),
            Stage::Queued(_) | Stage::Bridged(_) | Stage::Voicemail(_) => return,
        };
        let kept = length >= Duration::from_millis(MIN_MESSAGE_MS);
        if kept {
            call.history.voicemail = Some((recording, length));
        } else {
            let call = id;
            self.out
                .notice(Notice::VoicemailDiscarded { call, recording });
        }
        let failed = end == RecordingEnd::Failed;
        match (gone, kept) {
            _ if failed => self.recording_failed(id, now),
            (None, true) => self.thank(id, now),
            (None, false) => {
                self.hang_up_caller(id, HangupReason::Normal);
                self.end_call(id, Outcome::Abandoned, now);
            }
            (Some(_), true) => self.end_call(id, Outcome::Voicemail, now),
            (Some(otherwise), false) => self.end_call(id, otherwise, now),
        }
    }

    /// A message that could not be written whole is no message, though what there is stays.
    pub(crate) fn recording_failed(&mut self, id: CallId, now: Instant) {
        self.hang_up_caller(id, HangupReason::Failed);
        self.end_call(id, Outcome::Failed(FailReason::RecordingFailed), now);
    }

    fn thank(&mut self, id: CallId, now: Instant) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.play(PromptKind::VoicemailThanks, &mut self.out);
            let until = later_s(now, THANKS_MAX_S);
            call.stage = Stage::Voicemail(Voicemail::Thanks { until });
        }
    }

    /// The message is there and the caller was thanked.
    pub(crate) fn release_caller(&mut self, id: CallId, now: Instant) {
        self.hang_up_caller(id, HangupReason::Normal);
        self.end_call(id, Outcome::Voicemail, now);
    }

    /// The caller's leg is over, or was told to end, in the middle of voicemail.
    pub(crate) fn leave_voicemail(&mut self, id: CallId, otherwise: Outcome, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match call.stage {
            Stage::Voicemail(Voicemail::Recording { .. }) => {
                let until = later_s(now, RECORDING_CLOSE_S);
                call.stage = Stage::Voicemail(Voicemail::Closing { until, otherwise });
            }
            Stage::Voicemail(Voicemail::Thanks { .. }) => {
                self.end_call(id, Outcome::Voicemail, now);
            }
            Stage::Voicemail(Voicemail::Closing { .. }) => {}
            Stage::Queued(_) | Stage::Bridged(_) | Stage::Voicemail(_) => {
                self.end_call(id, otherwise, now);
            }
        }
    }

    fn hang_up_caller(&mut self, id: CallId, reason: HangupReason) {
        if let Some(call) = self.calls.get(&id) {
            let leg = call.leg;
            self.hang_up(leg, reason);
        }
    }
}
