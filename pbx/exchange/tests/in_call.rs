//! What happens on a leg that is up: hold, keys, prompts, recordings.

mod support;

use std::time::Duration;

use media::codec::Codec;
use media::control::{ClipId, Direction, MediaEvent, RecordingStop};
use media::dtmf::Digit as Key;
use routing::{Command, Digit, Event, HubId, LegEnd, LegId, PromptKind, RecordingEnd, RecordingId};
use support::raw::header;
use support::{TRUNK, World, addr, ms, phone, prompt, secs};
use telephony::Telephony;

const A: LegId = LegId(11);

#[test]
fn hold_and_resume_reach_the_router_and_the_port() {
    for by_phone in [true, false] {
        let mut world = World::new(1);
        let caller = world.answered_call();
        world.picked_up(A, 1);
        let (leg, at) = if by_phone {
            (A, phone(1))
        } else {
            (caller, addr(TRUNK))
        };
        let port = world.port_at(at);
        let change = |world: &mut World, from: &str, to: &str| {
            let now = world.now;
            world.peers.get_mut(&at).unwrap().change(from, to, now);
            world.run(ms(100));
        };
        change(&mut world, "a=sendrecv", "a=sendonly");
        assert!(world.was(&Event::LegHeld { leg, held: true }));
        let format = world.engine.format(port);
        assert_eq!(format.direction, Direction::RecvOnly);
        assert_eq!(world.engine.port(port).media_timeout, Duration::ZERO);
        let answer = world.last_to(at, "SIP/2.0 200");
        assert!(answer.contains("a=recvonly"), "{answer}");

        change(&mut world, "a=sendonly", "a=inactive");
        assert_eq!(world.engine.format(port).direction, Direction::Inactive);
        change(&mut world, "a=inactive", "a=sendrecv");
        assert!(world.was(&Event::LegHeld { leg, held: false }));
        assert_eq!(world.engine.format(port).direction, Direction::SendRecv);
        assert_eq!(world.engine.port(port).media_timeout, secs(30));
        let holds = |event: &&Event| matches!(event, Event::LegHeld { .. });
        assert_eq!(world.events.iter().filter(holds).count(), 2);
    }
}

#[test]
fn an_unspecified_address_is_hold_too() {
    let mut world = World::new(1);
    world.picked_up(A, 1);
    let port = world.port_at(phone(1));
    let before = world.engine.format(port).remote;
    let now = world.now;
    world
        .phone(1)
        .change("c=IN IP4 203.0.113.1", "c=IN IP4 0.0.0.0", now);
    world.run(ms(100));
    assert!(world.was(&Event::LegHeld { leg: A, held: true }));
    let format = world.engine.format(port);
    assert!(!format.direction.sends());
    assert_eq!(format.remote, before, "nothing is sent to nowhere");
}

#[test]
fn a_refresh_changes_nothing_and_a_new_port_everything() {
    let mut world = World::new(1);
    world.picked_up(A, 1);
    let configured = world.engine.configured;
    let now = world.now;
    world.phone(1).change("s=phone-session", "s=again", now);
    world.run(ms(100));
    assert_eq!(world.engine.configured, configured, "a refresh");
    let version = |text: &str| {
        text.split("IN IP4")
            .next()
            .unwrap()
            .lines()
            .last()
            .map(str::to_owned)
    };
    let first = version(&world.last_to(phone(1), "SIP/2.0 200"));
    let now = world.now;
    world.phone(1).change(
        "m=audio 30000 RTP/AVP 9 8",
        "m=audio 30002 RTP/AVP 8 9",
        now,
    );
    world.run(ms(100));
    let port = world.port_at(phone(1));
    assert_eq!(world.engine.format(port).remote.port(), 30_002);
    assert_eq!(
        world.engine.format(port).codec,
        Codec::G722,
        "the codec in use stays"
    );
    assert_eq!(
        version(&world.last_to(phone(1), "SIP/2.0 200")),
        first,
        "ours is as it was"
    );
}

#[test]
fn a_useless_new_offer_is_refused_and_the_call_goes_on() {
    let mut world = World::new(1);
    world.picked_up(A, 1);
    let configured = world.engine.configured;
    let now = world.now;
    world.phone(1).change("RTP/AVP 9 8 101", "RTP/AVP 18", now);
    world.run(ms(100));
    world.first_to(phone(1), "SIP/2.0 488");
    assert_eq!(world.engine.configured, configured);
    assert_eq!(world.ends(A), []);
}

#[test]
fn an_offerless_reinvite_gets_what_we_can_offer() {
    let mut world = World::new(0);
    let leg = world.answered_call();
    world.in_dialog(addr(TRUNK), "INVITE", 40, ("", ""));
    let ok = world.last_to(addr(TRUNK), "SIP/2.0 200");
    assert_eq!(header(&ok, "CSeq"), "40 INVITE");
    for line in [
        "m=audio 20000 RTP/AVP 111 9 8 0 13 101 110",
        "a=rtpmap:8 PCMA/8000",
        "a=sendrecv",
    ] {
        assert!(ok.contains(line), "{line} in {ok}");
    }
    let sdp = "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
        m=audio 42000 RTP/AVP 0\r\na=sendonly\r\n";
    world.in_dialog(addr(TRUNK), "ACK", 40, ("application/sdp", sdp));
    let format = world.engine.format(world.trunk_port());
    assert_eq!((format.codec, format.remote.port()), (Codec::Pcmu, 42_000));
    assert!(world.was(&Event::LegHeld { leg, held: true }));
}

#[test]
fn keys_count_once_however_they_come() {
    let mut world = World::new(0);
    let leg = world.answered_call();
    let port = world.trunk_port();
    let digit = Key::new('#').unwrap();
    world.media(MediaEvent::Digit { port, digit });
    let relay = ("application/dtmf-relay", "Signal=#\r\nDuration=160\r\n");
    world.in_dialog(addr(TRUNK), "INFO", 50, relay);
    world.run(secs(1));
    world.in_dialog(addr(TRUNK), "INFO", 51, ("application/dtmf", "7"));
    world.in_dialog(addr(TRUNK), "INFO", 52, ("text/plain", "7"));
    let keys: Vec<_> = world
        .events
        .iter()
        .filter(|event| matches!(event, Event::DigitPressed { .. }))
        .cloned()
        .collect();
    let pressed = |key| Event::DigitPressed {
        leg,
        digit: Digit::new(key).unwrap(),
    };
    assert_eq!(keys, [pressed('#'), pressed('7')]);
}

#[test]
fn prompts_that_are_missing_strand_nobody() {
    let mut world = World::new(0);
    let leg = world.answered_call();
    let kind = PromptKind::VoicemailInvitation;
    let finished = Event::PlaybackFinished { leg, kind };
    let mut missing = prompt(kind);
    missing.hub = HubId::new("another");
    for repeat in [true, false] {
        assert!(!world.was(&finished), "music has no end");
        let prompt = missing.clone();
        world.order(Command::Play {
            leg,
            prompt,
            repeat,
        });
    }
    assert!(world.was(&finished));
}

#[test]
fn only_a_prompt_that_ran_out_is_finished() {
    let mut world = World::new(0);
    let leg = world.answered_call();
    let port = world.trunk_port();
    let prompt = prompt(PromptKind::Greeting);
    let repeat = false;
    world.order(Command::Play {
        leg,
        prompt: prompt.clone(),
        repeat,
    });
    world.order(Command::StopPlaying { leg });
    let clip = ClipId(1);
    let kind = PromptKind::Greeting;
    world.media(MediaEvent::PlayFinished { port, clip });
    let finished = Event::PlaybackFinished { leg, kind };
    assert!(!world.was(&finished), "it was stopped");
    world.order(Command::Play {
        leg,
        prompt,
        repeat,
    });
    let stale = ClipId(3);
    world.media(MediaEvent::PlayFinished { port, clip: stale });
    assert!(!world.was(&finished), "another one ran out");
    world.media(MediaEvent::PlayFinished { port, clip });
    assert!(world.was(&finished));
}

fn record(world: &mut World, leg: LegId) {
    world.order(Command::Record {
        leg,
        recording: RecordingId(9),
        hub: HubId::new("hub"),
        max_length: secs(120),
        max_silence: secs(6),
    });
}

fn finished(leg: LegId, end: RecordingEnd, length: Duration) -> Event {
    Event::RecordingFinished {
        leg,
        recording: RecordingId(9),
        end,
        length,
    }
}

#[test]
fn recordings_are_told_whoever_ends_them() {
    let mut world = World::new(0);
    let leg = world.answered_call();
    let port = world.trunk_port();
    record(&mut world, leg);
    world.order(Command::StopRecording { leg });
    let stopped = finished(leg, RecordingEnd::Stopped, secs(7));
    assert!(world.was(&stopped));
    record(&mut world, leg);
    let recording = world.engine.port(port).recording.unwrap();
    world.engine.ports.get_mut(&port).unwrap().recording = None;
    world.media(MediaEvent::RecordingEnded {
        port,
        recording,
        stop: RecordingStop::Silence,
        length: secs(3),
    });
    assert!(world.was(&finished(leg, RecordingEnd::Silence, secs(3))));
    world.events.clear();
    record(&mut world, leg);
    let now = world.now;
    world.trunk().hang_up(now);
    world.run(secs(1));
    assert!(world.was(&stopped), "the caller hung up in the middle");
    assert_eq!(world.ends(leg), [LegEnd::HungUp]);
    world.assert_empty();
}

#[test]
fn a_recording_that_cannot_begin_has_failed() {
    let mut world = World::new(0);
    let leg = world.call();
    record(&mut world, leg);
    assert!(world.was(&finished(leg, RecordingEnd::Failed, Duration::ZERO)));
}

#[test]
fn lost_media_is_told_unless_on_hold() {
    let mut world = World::new(1);
    world.picked_up(A, 1);
    let port = world.port_at(phone(1));
    world.media(MediaEvent::MediaLost { port });
    assert!(world.was(&Event::MediaLost { leg: A }));
    world.events.clear();
    let now = world.now;
    world.phone(1).change("a=sendrecv", "a=sendonly", now);
    world.run(ms(100));
    world.media(MediaEvent::MediaLost { port });
    assert!(!world.was(&Event::MediaLost { leg: A }));
}

#[test]
fn a_media_engine_that_hangs_cannot_make_us_grow() {
    let mut world = World::new(0);
    let leg = world.answered_call();
    let order = Command::Play {
        leg,
        prompt: prompt(PromptKind::HoldMusic),
        repeat: true,
    };
    // The runner does not poll.
    for _ in 0..exchange::MAX_QUEUED_OUTPUTS + 10 {
        world.exchange.handle_command(order.clone(), world.now);
    }
    let counts = world.exchange.counts();
    assert_eq!(
        counts.queued_outputs,
        exchange::MAX_QUEUED_OUTPUTS + 1,
        "and the Close"
    );
    assert_eq!(counts.dropped_outputs, 1);
    world.run(secs(1));
    assert_eq!(
        world.ends(leg),
        [LegEnd::MediaFailed],
        "the leg it failed is over"
    );
    assert!(world.engine.ports.is_empty());
}
