//! A caller who leaves a message.

use routing::*;

use crate::desk::*;

const CALL: RecordingId = RecordingId(100);

/// A caller who hears the invitation.
fn invited() -> (Desk, LegId) {
    let mut desk = Desk::without_phones(config());
    let (caller, _) = desk.call();
    let commands = desk.answered(caller);
    assert_eq!(
        played(&commands),
        [(caller, PromptKind::VoicemailInvitation, false)]
    );
    (desk, caller)
}

/// A caller who is being recorded.
fn recorded() -> (Desk, LegId) {
    let (mut desk, caller) = invited();
    desk.played(caller, PromptKind::VoicemailInvitation);
    assert_eq!(desk.stage(), CallStage::Recording);
    (desk, caller)
}

#[test]
fn a_greeting_that_ends_too_late_is_not_taken_for_the_invitation() {
    let (mut desk, caller) = invited();
    assert_eq!(desk.played(caller, PromptKind::Greeting), []);
    assert_eq!(desk.stage(), CallStage::Invitation);
}

fn finished(desk: &mut Desk, leg: LegId, end: RecordingEnd, ms: u64) -> Vec<Command> {
    desk.event(Event::RecordingFinished {
        leg,
        recording: CALL,
        end,
        length: std::time::Duration::from_millis(ms),
    })
}

fn discarded(desk: &Desk) -> bool {
    let (call, recording) = (CallId(100), CALL);
    desk.notices
        .contains(&Notice::VoicemailDiscarded { call, recording })
}

#[test]
fn invitation_beep_message_thanks() {
    let (mut desk, caller) = invited();
    desk.wait(5);
    assert_eq!(
        desk.played(caller, PromptKind::VoicemailInvitation),
        [Command::Record {
            leg: caller,
            recording: CALL,
            hub: hub("night"),
            max_length: secs(120),
            max_silence: secs(8),
        }]
    );
    let commands = finished(&mut desk, caller, RecordingEnd::Silence, 20_000);
    assert_eq!(
        played(&commands),
        [(caller, PromptKind::VoicemailThanks, false)]
    );
    assert_eq!(
        hangups(&desk.played(caller, PromptKind::VoicemailThanks)),
        [(caller, HangupReason::Normal)]
    );
    let record = desk.record();
    assert_eq!(record.outcome, Outcome::Voicemail);
    assert_eq!(record.voicemail, Some((CALL, secs(20))));
    assert_eq!(record.wait, secs(0));
    assert_eq!(record.until_ring, None);
}

#[test]
fn the_hash_key_skips_the_invitation_and_ends_the_message() {
    let (mut desk, caller) = invited();
    assert_eq!(desk.key(caller, '5'), []);
    let commands = desk.key(caller, '#');
    assert_eq!(commands[0], Command::StopPlaying { leg: caller });
    assert!(matches!(commands[1], Command::Record { .. }));
    assert_eq!(
        desk.key(caller, '#'),
        [Command::StopRecording { leg: caller }]
    );
    assert_eq!(desk.key(caller, '#'), []);
}

#[test]
fn hanging_up_during_the_message_keeps_it_whichever_news_comes_first() {
    let (mut desk, caller) = recorded();
    desk.hung_up(caller);
    assert_eq!(desk.stage(), CallStage::Closing);
    finished(&mut desk, caller, RecordingEnd::Stopped, 1_000);
    assert_eq!(desk.record().outcome, Outcome::Voicemail);
    assert!(desk.router.is_idle());

    let (mut desk, caller) = recorded();
    finished(&mut desk, caller, RecordingEnd::Stopped, 1_000);
    desk.hung_up(caller);
    assert_eq!(desk.record().outcome, Outcome::Voicemail);
    assert!(desk.router.is_idle());
}

#[test]
fn too_short_a_message_is_none() {
    let (mut desk, caller) = recorded();
    desk.hung_up(caller);
    finished(&mut desk, caller, RecordingEnd::Stopped, 999);
    assert_eq!(desk.record().outcome, Outcome::Abandoned);
    assert_eq!(desk.record().voicemail, None);
    assert!(discarded(&desk));

    let (mut desk, caller) = recorded();
    let commands = finished(&mut desk, caller, RecordingEnd::Stopped, 999);
    assert_eq!(hangups(&commands), [(caller, HangupReason::Normal)]);
    assert_eq!(desk.record().outcome, Outcome::Abandoned);
    assert!(discarded(&desk));
}

#[test]
fn hanging_up_during_the_invitation_is_abandoning() {
    let (mut desk, caller) = invited();
    desk.hung_up(caller);
    assert_eq!(desk.record().outcome, Outcome::Abandoned);
}

#[test]
fn a_message_that_could_not_be_written_is_a_failure_but_what_there_is_stays() {
    let (mut desk, caller) = recorded();
    let commands = finished(&mut desk, caller, RecordingEnd::Failed, 3_000);
    assert_eq!(hangups(&commands), [(caller, HangupReason::Failed)]);
    let record = desk.record();
    assert_eq!(record.outcome, Outcome::Failed(FailReason::RecordingFailed));
    assert_eq!(record.voicemail, Some((CALL, secs(3))));
}

#[test]
fn no_step_strands_a_caller() {
    let (mut desk, caller) = invited();
    assert_eq!(desk.wait_ms(59_999), []);
    let commands = desk.wait_ms(1);
    assert!(matches!(commands[1], Command::Record { .. }));
    assert_eq!(desk.wait_ms(129_999), []);
    assert_eq!(desk.wait_ms(1), [Command::StopRecording { leg: caller }]);
    assert_eq!(hangups(&desk.wait(5)), [(caller, HangupReason::Failed)]);
    let failed = Outcome::Failed(FailReason::RecordingFailed);
    assert_eq!(desk.record().outcome, failed);

    let (mut desk, caller) = recorded();
    finished(&mut desk, caller, RecordingEnd::MaxLength, 120_000);
    assert_eq!(desk.wait_ms(29_999), []);
    assert_eq!(hangups(&desk.wait_ms(1)), [(caller, HangupReason::Normal)]);
    assert_eq!(desk.record().outcome, Outcome::Voicemail);

    let (mut desk, caller) = recorded();
    desk.hung_up(caller);
    desk.wait(5);
    assert_eq!(desk.record().outcome, failed);
    assert!(desk.router.is_idle());
}

#[test]
fn losing_the_callers_media_keeps_the_message() {
    let (mut desk, caller) = recorded();
    let commands = desk.event(Event::MediaLost { leg: caller });
    assert_eq!(hangups(&commands), [(caller, HangupReason::MediaLost)]);
    finished(&mut desk, caller, RecordingEnd::Stopped, 30_000);
    assert_eq!(desk.record().outcome, Outcome::Voicemail);
}

#[test]
fn nobody_is_rung_for_who_leaves_a_message() {
    let (mut desk, _) = recorded();
    assert_eq!(desk.up(ANA, "ana"), []);
}

#[test]
fn a_message_after_a_conversation_belongs_to_an_answered_call() {
    let mut desk = Desk::open(config_with(hub_with(&["ana"], &[])));
    let (caller, ana) = desk.talk();
    desk.down(ANA);
    desk.ended(ana, LegEnd::SignallingLost);
    let commands = desk.wait(15);
    assert_eq!(
        played(&commands),
        [(caller, PromptKind::VoicemailInvitation, false)]
    );
    desk.played(caller, PromptKind::VoicemailInvitation);
    finished(&mut desk, caller, RecordingEnd::Silence, 9_000);
    desk.hung_up(caller);
    let record = desk.record();
    assert_eq!(record.outcome, Outcome::Answered);
    assert_eq!(record.voicemail, Some((CALL, secs(9))));
}
