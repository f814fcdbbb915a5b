//! Single legs: how they begin and end.

mod support;

use media::codec::Codec;
use media::control::ClipId;
use routing::{Command, Event, HangupReason, LegEnd, LegId, PromptKind, RejectReason};
use sip::ua::SessionEnd;
use support::raw::{ack, authorization, header, invite};
use support::{TRUNK, World, addr, config, device, ms, phone, prompt, secs};

const A: LegId = LegId(11);
const B: LegId = LegId(12);

#[test]
fn an_answered_caller_and_a_phone_hear_each_other() {
    let mut world = World::new(1);
    let caller = world.answered_call();
    let clip = prompt(PromptKind::HoldMusic);
    world.order(Command::Play {
        leg: caller,
        prompt: clip,
        repeat: true,
    });
    world.picked_up(A, 1);
    let (outside, inside) = (world.trunk_port(), world.port_at(phone(1)));
    assert_eq!(world.engine.port(outside).clip, Some((ClipId(2), true)));
    world.order(Command::Bridge { a: caller, b: A });
    assert_eq!(world.engine.port(outside).clip, None, "music stops");
    assert!(world.engine.port(outside).hears.contains(&inside));
    assert!(world.engine.port(inside).hears.contains(&outside));

    let format = world.engine.format(outside);
    assert_eq!(format.codec, Codec::Pcma, "the first of the carrier's list");
    assert_eq!(format.remote, addr("198.51.100.1:41238"));
    assert_eq!(format.remote_rtcp, addr("198.51.100.1:41239"));
    assert_eq!(format.telephone_event, Some((101, 101)));
    assert_eq!(format.comfort_noise, Some(13));
    assert!(!format.latch);
    let format = world.engine.format(inside);
    assert_eq!(format.codec, Codec::G722, "the first of ours in the answer");
    assert_eq!(
        (format.send_payload_type, format.receive_payload_type),
        (9, 9)
    );

    world.order(Command::Unbridge { a: caller, b: A });
    assert!(world.engine.port(outside).hears.is_empty());
    assert!(world.engine.port(inside).hears.is_empty());
    world.hang_up(caller, HangupReason::Normal);
    world.hang_up(A, HangupReason::Normal);
    assert!(world.engine.ports.is_empty(), "ports close at once");
    world.assert_empty();
    assert_eq!(world.trunk().ends, [SessionEnd::RemoteBye]);
    assert_eq!(world.phone(1).ends, [SessionEnd::RemoteBye]);
}

#[test]
fn the_caller_is_up_with_its_ack_and_not_before() {
    let mut world = World::new(0);
    let leg = world.call();
    world.order(Command::Answer { leg });
    assert!(world.engine.format(world.trunk_port()).direction.sends());
    world.run(ms(15));
    assert!(!world.was(&Event::LegAnswered { leg }));
    world.run(ms(10));
    assert!(world.was(&Event::LegAnswered { leg }));
}

#[test]
fn an_offerless_caller_gets_our_offer() {
    let mut world = World::new(0);
    world.say(addr(TRUNK), invite("offerless", "", ""));
    let leg = world.offered_since(0).unwrap();
    world.order(Command::Answer { leg });
    world.order(Command::Play {
        leg,
        prompt: prompt(PromptKind::Greeting),
        repeat: false,
    });
    let ok = world.first_to(addr(TRUNK), "SIP/2.0 200");
    assert!(
        ok.contains("a=rtpmap:111 opus/48000/2"),
        "all that we speak"
    );
    let port = world.trunk_port();
    assert_eq!(world.engine.port(port).clip, None, "nobody hears it yet");
    world.run(ms(20));
    let sdp = "v=0\r\no=- 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n\
        m=audio 5000 RTP/AVP 96 97\r\na=rtpmap:96 opus/48000/2\r\n\
        a=rtpmap:97 telephone-event/48000\r\n";
    world.say(addr(TRUNK), ack("offerless", &ok, sdp));
    assert!(world.was(&Event::LegAnswered { leg }));
    let format = world.engine.format(port);
    assert_eq!(format.codec, Codec::Opus);
    assert_eq!(
        (format.send_payload_type, format.receive_payload_type),
        (96, 111)
    );
    assert_eq!(
        format.telephone_event,
        Some((97, 110)),
        "at the codec's clock"
    );
    assert_eq!(format.comfort_noise, None);
    assert!(format.latch, "the media comes from elsewhere");
    assert_eq!(world.engine.port(port).clip, Some((ClipId(1), false)));
}

#[test]
fn an_offerless_caller_whose_ack_has_no_answer_is_ended() {
    let mut world = World::new(0);
    world.say(addr(TRUNK), invite("mute", "", ""));
    let leg = world.offered_since(0).unwrap();
    world.order(Command::Answer { leg });
    world.run(ms(20));
    let ok = world.first_to(addr(TRUNK), "SIP/2.0 200");
    world.say(addr(TRUNK), ack("mute", &ok, ""));
    world.run(secs(40));
    assert!(!world.was(&Event::LegAnswered { leg }));
    assert_eq!(world.ends(leg), [LegEnd::MediaFailed]);
    assert!(world.engine.ports.is_empty());
}

#[test]
fn a_caller_without_a_common_codec_is_recorded_and_refused() {
    for (from, to) in [
        ("RTP/AVP 8 0 101 13", "RTP/AVP 18 101"),
        ("RTP/AVP 8", "RTP/SAVP 8"),
        ("RTP/AVP 8", "RTP/AVPF 8"),
        ("m=audio 41238", "m=audio 0"),
        ("IN IP4 198.51.100.1\r\nt=", "IN IP4 239.1.1.1\r\nt="),
    ] {
        let mut world = World::new(0);
        let trunk = world.trunk();
        assert!(trunk.sdp.contains(from));
        trunk.sdp = trunk.sdp.replace(from, to);
        let leg = world.call();
        world.order(Command::Ring { leg });
        world.order(Command::Answer { leg });
        world.run(secs(1));
        assert_eq!(world.trunk().ends, [SessionEnd::Refused(488)], "{to}");
        assert_eq!(world.ends(leg), [LegEnd::MediaFailed]);
        world.assert_empty();
    }
}

#[test]
fn refused_callers_get_the_status_of_the_reason() {
    for (reason, status) in [
        (RejectReason::Banned, 603),
        (RejectReason::RateLimited, 486),
        (RejectReason::UnknownNumber, 404),
        (RejectReason::Unavailable, 503),
    ] {
        let mut world = World::new(0);
        let leg = world.call();
        world.order(Command::Reject { leg, reason });
        world.run(secs(1));
        assert_eq!(world.trunk().ends, [SessionEnd::Refused(status)]);
        let retry = matches!(status, 486 | 503);
        let text = world.first_to(addr(TRUNK), &format!("SIP/2.0 {status}"));
        assert_eq!(text.contains("Retry-After: "), retry, "{status}");
    }
}

#[test]
fn withheld_and_test_calls_have_no_number() {
    let mut world = World::new(0);
    world.say(addr(TRUNK), invite("hidden", "Privacy: id\r\n", ""));
    world.call();
    let callers: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::CallOffered {
                caller,
                called,
                trunk,
                ..
            } => Some((
                caller.as_ref().map(|it| it.reveal().to_owned()),
                called.reveal().to_owned(),
                trunk.as_ref().map(|it| it.as_str().to_owned()),
            )),
            _ => None,
        })
        .collect();
    let carrier = Some("carrier".to_owned());
    let number = Some(support::peer::CALLER_NUMBER.to_owned());
    let hotline = support::HOTLINE.to_owned();
    let expected = [
        (None, hotline.clone(), carrier.clone()),
        (number, hotline, carrier),
    ];
    assert_eq!(callers, expected);
}

#[test]
fn a_volunteer_can_call_the_hotline_as_a_test() {
    let mut world = World::new(1);
    let from = phone(1);
    // Not from the carrier's address: the phone has to say who it is.
    let request = |cseq: u32, more: &str| {
        invite(&format!("test{cseq}"), more, "")
            .replace(TRUNK, &from.to_string())
            .replace("+15550100@", "volunteer1@")
            .replace("CSeq: 1", &format!("CSeq: {cseq}"))
    };
    world.say(from, request(1, ""));
    let challenge = world.first_to(from, "SIP/2.0 401");
    let credentials = authorization(&challenge, "volunteer1", "secret");
    world.say(from, request(2, &credentials));
    let offered = world.events.iter().any(|event| {
        matches!(
            event,
            Event::CallOffered {
                trunk: None,
                caller: None,
                ..
            }
        )
    });
    assert!(offered);
}

#[test]
fn ports_that_cannot_be_opened_end_their_legs() {
    let mut world = World::new(1);
    let caller = world.call();
    world.engine.fail_opens = true;
    world.order(Command::Answer { leg: caller });
    world.dial(A, 1);
    world.run(secs(40));
    assert_eq!(world.ends(caller), [LegEnd::MediaFailed]);
    assert_eq!(world.ends(A), [LegEnd::MediaFailed]);
    assert!(!world.was(&Event::LegAnswered { leg: caller }));
    assert_eq!(
        world.phone(1).ends,
        [SessionEnd::RemoteCancel],
        "it does not ring on"
    );
    world.assert_empty();
}

#[test]
fn without_a_free_port_nobody_is_rung_or_answered() {
    let mut settings = config(2);
    settings.rtp_ports = 20_000..=20_001;
    let mut world = World::with(settings, 2);
    world.dial(A, 1);
    world.dial(B, 2);
    assert_eq!(world.ends(B), [LegEnd::MediaFailed]);
    let caller = world.call();
    world.order(Command::Answer { leg: caller });
    world.run(secs(1));
    assert_eq!(world.trunk().ends, [SessionEnd::Refused(503)]);
    assert_eq!(world.ends(caller), [LegEnd::MediaFailed]);
    world.hang_up(A, HangupReason::NoLongerNeeded);
    world.run(secs(1));
    world.dial(LegId(13), 2);
    assert_eq!(world.ends(LegId(13)), [], "the number is free again");
}

#[test]
fn an_answer_without_a_common_codec_ends_the_leg() {
    let mut world = World::new(1);
    let phone = world.phone(1);
    phone.sdp = phone.sdp.replace("RTP/AVP 9 8 101", "RTP/AVP 18");
    world.dial(A, 1);
    world.run(ms(50));
    let now = world.now;
    world.phone(1).pick_up(now);
    world.run(secs(1));
    assert!(!world.was(&Event::LegAnswered { leg: A }));
    assert_eq!(world.ends(A), [LegEnd::MediaFailed]);
    assert_eq!(world.phone(1).ends, [SessionEnd::RemoteBye]);
    world.assert_empty();
}

#[test]
fn what_a_phone_says_is_what_the_router_hears() {
    for (status, end) in [
        (486, LegEnd::Busy),
        (480, LegEnd::NoAnswer),
        (404, LegEnd::Unreachable),
    ] {
        let mut world = World::new(1);
        world.dial(A, 1);
        world.run(ms(50));
        let now = world.now;
        world.phone(1).refuse(status, now);
        world.run(secs(1));
        assert_eq!(world.ends(A), [end]);
    }
    let mut world = World::new(1);
    world.phone(1).dead = true;
    world.dial(A, 1);
    world.run(secs(40));
    assert_eq!(world.ends(A), [LegEnd::Unreachable], "it never responded");
    world.assert_empty();
}

#[test]
fn a_phone_that_dies_in_a_call_is_given_up() {
    let mut world = World::new(1);
    world.picked_up(A, 1);
    world.phone(1).dead = true;
    world.hang_up(A, HangupReason::MediaLost);
    assert!(world.engine.ports.is_empty(), "its port closes at once");
    world.run(secs(40));
    assert_eq!(world.ends(A), [LegEnd::Ordered]);
    world.assert_empty();
}

#[test]
fn losing_phones_learn_that_somebody_else_picked_up() {
    let mut world = World::new(2);
    world.dial(A, 1);
    world.dial(B, 2);
    world.run(ms(100));
    world.hang_up(A, HangupReason::AnsweredElsewhere);
    world.hang_up(B, HangupReason::NoLongerNeeded);
    world.run(ms(100));
    let cancel = world.first_to(phone(1), "CANCEL ");
    let reason = "SIP;cause=200;text=\"Call completed elsewhere\"";
    assert_eq!(
        header(&cancel, "Reason").replace(' ', ""),
        reason.replace(' ', "")
    );
    let cancel = world.first_to(phone(2), "CANCEL ");
    assert!(
        header(&cancel, "Reason").contains("16"),
        "a call that was missed"
    );
}

#[test]
fn devices_come_and_go_with_their_contacts() {
    let mut world = World::new(2);
    world.pump();
    for n in [1, 2] {
        let up = |event: &&Event| matches!(event, Event::DeviceUp { device: it, .. } if *it == device(n));
        assert_eq!(world.events.iter().filter(up).count(), 1);
    }
    let one_account = config(1);
    let now = world.now;
    world.exchange.configure(one_account, now);
    world.pump();
    let down = Event::DeviceDown { device: device(2) };
    assert!(world.was(&down), "its account is gone");
    world.dial(A, 2);
    assert_eq!(world.ends(A), [LegEnd::Unreachable]);
    let removed = std::iter::from_fn(|| world.exchange.poll_binding()).collect::<Vec<_>>();
    assert!(
        matches!(removed.as_slice(), [exchange::BindingChange::Removed { id, .. }] if id.0 == 2)
    );
}

#[test]
fn new_settings_leave_live_calls_alone() {
    let mut world = World::new(1);
    let caller = world.answered_call();
    world.picked_up(A, 1);
    world.order(Command::Bridge { a: caller, b: A });
    let before = world.engine.configured;
    let mut settings = config(1);
    settings.codecs = vec![Codec::Pcmu];
    settings.rtp_ports = 40_000..=40_099;
    settings.clips.clear();
    let now = world.now;
    world.exchange.configure(settings, now);
    world.run(secs(1));
    assert_eq!(world.engine.configured, before);
    assert_eq!(world.engine.ports.len(), 2);
    world.hang_up(A, HangupReason::Normal);
    world.run(secs(1));
    world.dial(B, 1);
    world.run(ms(20));
    let invite = world.last_to(phone(1), "INVITE ");
    assert!(
        invite.contains("m=audio 40000 RTP/AVP 0 13 101\r\n"),
        "{invite}"
    );
}

#[test]
fn shutting_down_ends_everything() {
    let mut world = World::new(1);
    let caller = world.answered_call();
    world.dial(A, 1);
    world.run(ms(50));
    let now = world.now;
    world.exchange.shutdown(now);
    world.run(secs(1));
    assert_eq!(world.ends(caller), [LegEnd::Ordered]);
    assert_eq!(world.ends(A), [LegEnd::Ordered]);
    assert_eq!(world.phone(1).ends, [SessionEnd::RemoteCancel]);
    world.assert_empty();
}
