//! Offer and answer: what any peer may write, and what must hold of what we write.

use std::sync::Arc;

use exchange::negotiation::{Agreed, Negotiation, NoMedia};
use media::codec::Codec;
use media::control::Direction as Flow;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use sip::sdp::{Direction, MediaDescription, SessionDescription};

const PORT: u16 = 20_000;

fn side(codecs: &[Codec], own: [u8; 4]) -> Negotiation {
    let ours = if own == [192, 0, 2, 1] {
        own
    } else {
        [192, 0, 2, 1]
    };
    Negotiation::new(Arc::from(codecs), ours.into(), [198, 51, 100, 1].into(), 42)
}

fn ours() -> Negotiation {
    side(
        &[Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu],
        [192, 0, 2, 1],
    )
}

fn parse(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes()).expect("a description")
}

fn sdp(lines: &str) -> SessionDescription {
    parse(&format!(
        "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n{lines}"
    ))
}

#[test]
fn extra_media_are_refused_in_their_places() {
    let mut side = ours();
    let offer = sdp(
        "m=video 5000 RTP/AVP 96\r\nm=audio 5002 RTP/SAVP 0\r\nm=audio 5004 RTP/AVP 0 8\r\n\
         m=image 5006 udptl t38\r\nm=audio 5008 RTP/AVP 8\r\n",
    );
    let agreed = side.receive_offer(&offer).unwrap();
    assert_eq!(agreed.format.codec, Codec::Pcmu);
    assert_eq!(agreed.format.remote.port(), 5004);
    let answer = side.answer(PORT);
    let lines: Vec<_> = answer
        .media
        .iter()
        .map(|media| (media.kind.as_str(), media.port, media.profile.as_str()))
        .collect();
    let expected = [
        ("video", 0, "RTP/AVP"),
        ("audio", 0, "RTP/SAVP"),
        ("audio", PORT, "RTP/AVP"),
        ("image", 0, "udptl"),
        ("audio", 0, "RTP/AVP"),
    ];
    assert_eq!(lines, expected);
    let ours = side.offer(PORT);
    assert_eq!(ours.media.len(), 5, "lines keep their places for good");
    assert_eq!(ours.media[2].port, PORT);
}

#[test]
fn an_answer_has_one_codec_and_the_events_of_its_clock() {
    let mut side = ours();
    let offer = sdp(
        "m=audio 5000 RTP/AVP 18 107 0 100 101 13\r\na=rtpmap:107 OPUS/48000/2\r\n\
         a=rtpmap:100 telephone-event/8000\r\na=rtpmap:101 telephone-event/48000\r\n",
    );
    let agreed = side.receive_offer(&offer).unwrap();
    assert_eq!(agreed.format.codec, Codec::Opus);
    let answer = side.answer(PORT);
    let audio = answer.audio().unwrap();
    assert_eq!(audio.formats, ["107", "101"], "the offer's numbers");
    assert_eq!(audio.fmtp(107), Some("useinbandfec=1"));
    assert_eq!(agreed.format.comfort_noise, None, "Opus has its own");
}

#[test]
fn why_there_is_no_media_is_told() {
    for (lines, reason) in [
        ("", NoMedia::NoAudio),
        ("m=video 5000 RTP/AVP 96\r\n", NoMedia::NoAudio),
        ("m=audio 0 RTP/AVP 0\r\n", NoMedia::NoAudio),
        ("m=audio 5000 RTP/SAVP 0\r\n", NoMedia::Profile),
        ("m=audio 5000 RTP/AVP 18 4\r\n", NoMedia::Codec),
        (
            "m=audio 5000 RTP/AVP 13 101\r\na=rtpmap:101 telephone-event/8000\r\n",
            NoMedia::Codec,
        ),
        (
            "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 224.2.1.1\r\n",
            NoMedia::Address,
        ),
        (
            "m=audio 5000 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n",
            NoMedia::Address,
        ),
        (
            "m=audio 5000 RTP/AVP 96\r\na=rtpmap:96 G722/16000\r\n",
            NoMedia::Codec,
        ),
    ] {
        assert_eq!(ours().receive_offer(&sdp(lines)), Err(reason), "{lines}");
    }
}

#[test]
fn sixth_version_addresses_work_among_themselves() {
    let local = "2001:db8::1".parse().unwrap();
    let signalling = "2001:db8::9".parse().unwrap();
    let mut side = Negotiation::new(Arc::from([Codec::Pcma]), local, signalling, 1);
    let offer = parse(
        "v=0\r\no=- 1 1 IN IP6 2001:db8::9\r\ns=-\r\nc=IN IP6 2001:db8::9\r\nt=0 0\r\n\
         m=audio 5000 RTP/AVP 8\r\n",
    );
    let agreed = side.receive_offer(&offer).unwrap();
    assert_eq!(agreed.format.remote, "[2001:db8::9]:5000".parse().unwrap());
    assert!(!agreed.format.latch);
    let answer = side.answer(PORT).to_string();
    assert!(answer.contains("c=IN IP6 2001:db8::1\r\n"));
}

#[test]
fn a_failed_offer_leaves_everything_as_it_was() {
    let mut side = ours();
    side.receive_offer(&sdp("m=audio 5000 RTP/AVP 8\r\n"))
        .unwrap();
    let before = side.answer(PORT);
    side.receive_offer(&sdp("m=video 1 RTP/AVP 96\r\nm=audio 5000 RTP/AVP 18\r\n"))
        .unwrap_err();
    assert_eq!(side.answer(PORT), before);
}

#[test]
fn an_answer_without_an_rtpmap_means_our_number() {
    let mut side = ours();
    side.offer(PORT);
    let agreed = side
        .receive_answer(&sdp("m=audio 5000 RTP/AVP 111 101\r\n"))
        .unwrap();
    assert_eq!(agreed.format.codec, Codec::Opus);
    assert_eq!(agreed.format.telephone_event, Some((101, 101)));
}

fn codec() -> impl Strategy<Value = Codec> {
    prop::sample::select(Codec::ALL.to_vec())
}

fn direction() -> impl Strategy<Value = Direction> {
    prop::sample::select(vec![
        Direction::SendRecv,
        Direction::SendOnly,
        Direction::RecvOnly,
        Direction::Inactive,
    ])
}

/// Any media line, sensible or not.
fn line() -> impl Strategy<Value = MediaDescription> {
    let kind = prop::sample::select(vec!["audio", "audio", "audio", "video", "image"]);
    let profile = prop::sample::select(vec!["RTP/AVP", "RTP/AVP", "rtp/avp", "RTP/SAVP", "udptl"]);
    let port = prop_oneof![Just(0u16), any::<u16>()];
    let maps = vec(
        (
            any::<u8>(),
            prop::sample::select(vec![
                "PCMU",
                "pcma",
                "G722",
                "opus",
                "CN",
                "telephone-event",
                "x",
            ]),
            prop::sample::select(vec![8_000u32, 16_000, 48_000, 0]),
            0u8..4,
        ),
        0..8,
    );
    let formats = vec(any::<u8>(), 0..10);
    let parts = (kind, profile, port, maps, formats, option::of(direction()));
    parts.prop_map(|(kind, profile, port, maps, formats, direction)| {
        let mut line = MediaDescription::new(kind, port, profile);
        for (payload_type, encoding, clock_rate_hz, channels) in maps {
            let map = sip::sdp::RtpMap {
                payload_type,
                encoding: encoding.to_owned(),
                clock_rate_hz,
                channels,
            };
            line = line.with_format(map, None);
        }
        line.formats.extend(formats.iter().map(u8::to_string));
        line.direction = direction;
        line
    })
}

fn description() -> impl Strategy<Value = SessionDescription> {
    let address = prop::sample::select(vec![
        [198, 51, 100, 1],
        [198, 51, 100, 2],
        [10, 0, 0, 1],
        [0, 0, 0, 0],
        [224, 0, 0, 1],
    ]);
    (address, vec(line(), 0..5), option::of(direction())).prop_map(|(address, media, direction)| {
        let mut sdp = SessionDescription::new(9, 1, address.into());
        sdp.media = media;
        sdp.direction = direction;
        sdp
    })
}

fn check_agreed(agreed: &Agreed) -> Result<(), TestCaseError> {
    let format = &agreed.format;
    prop_assert!(format.send_payload_type < 128 && format.receive_payload_type < 128);
    prop_assert!(!format.remote.ip().is_multicast() && !format.remote.ip().is_unspecified());
    prop_assert_ne!(format.remote.port(), 0);
    prop_assert_eq!(agreed.held, !format.direction.sends());
    Ok(())
}

proptest! {
    /// RFC 3264 section 6: as many lines as the offer, in the same order and of the same
    /// kinds; one of them ours with one codec that was offered; the direction mirrored.
    #[test]
    fn every_answer_fits_its_offer(offers in vec(description(), 1..4)) {
        let mut side = ours();
        let mut version = 0;
        let mut before: Option<SessionDescription> = None;
        for offer in offers {
            let Ok(agreed) = side.receive_offer(&offer) else { continue };
            check_agreed(&agreed)?;
            let answer = side.answer(PORT);
            prop_assert_eq!(answer.media.len(), offer.media.len());
            for (theirs, ours) in offer.media.iter().zip(&answer.media) {
                prop_assert_eq!(&theirs.kind, &ours.kind);
            }
            let accepted: Vec<usize> = (0..answer.media.len())
                .filter(|index| answer.media[*index].port != 0)
                .collect();
            prop_assert_eq!(accepted.len(), 1);
            let (theirs, ours) = (&offer.media[accepted[0]], &answer.media[accepted[0]]);
            prop_assert_ne!(theirs.port, 0);
            prop_assert!(ours.payload_types().all(|it| theirs.payload_types().any(|its| its == it)));
            let codecs = ours.rtpmaps.iter()
                .filter(|map| Codec::from_encoding_name(&map.encoding).is_some());
            prop_assert_eq!(codecs.count(), 1);
            let mut theirs = offer.direction_of(theirs);
            if offer.connection.as_ref().is_some_and(|it| it.is_unspecified()) {
                theirs = if theirs.sends() { Direction::SendOnly } else { Direction::Inactive };
            }
            prop_assert_eq!(ours.direction, Some(theirs.reversed()));
            prop_assert_eq!(agreed.format.direction.sends(), theirs.receives());
            prop_assert_eq!(agreed.format.direction.receives(), theirs.sends());

            let mut unversioned = answer.clone();
            unversioned.origin.version = 0;
            let expected = version + u64::from(before.as_ref() != Some(&unversioned));
            prop_assert_eq!(answer.origin.version, expected, "one more with each change");
            version = expected;
            before = Some(unversioned);
            let text = answer.to_string();
            prop_assert_eq!(SessionDescription::parse(text.as_bytes()).unwrap(), answer);
        }
    }

    /// Two of us understand each other whoever offers, in whatever order codecs are preferred.
    #[test]
    fn two_sides_agree(first in vec(codec(), 1..4), second in vec(codec(), 1..4), again in any::<bool>()) {
        let mut a = Negotiation::new(
            first.as_slice().into(), [192, 0, 2, 1].into(), [198, 51, 100, 1].into(), 1);
        let mut b = Negotiation::new(
            second.as_slice().into(), [198, 51, 100, 1].into(), [192, 0, 2, 1].into(), 2);
        let common = first.iter().find(|codec| second.contains(codec));
        let offer = a.offer(PORT);
        let Ok(at_b) = b.receive_offer(&offer) else {
            prop_assert_eq!(common, None);
            return Ok(());
        };
        prop_assert_eq!(Some(&at_b.format.codec), common, "the first of the offer");
        let at_a = a.receive_answer(&b.answer(PORT)).unwrap();
        agree(&at_a, &at_b)?;
        if again {
            // The other side offers now; numbers keep their meaning.
            let offer = b.offer(PORT);
            let at_a = a.receive_offer(&offer).unwrap();
            let at_b = b.receive_answer(&a.answer(PORT)).unwrap();
            agree(&at_a, &at_b)?;
            prop_assert_eq!(at_a.format.codec, at_b.format.codec);
        }
    }

    /// No answer makes us panic, or send where nobody can be.
    #[test]
    fn any_answer_is_taken_or_refused(answers in vec(description(), 1..4)) {
        let mut side = ours();
        for answer in answers {
            side.offer(PORT);
            if let Ok(agreed) = side.receive_answer(&answer) {
                check_agreed(&agreed)?;
            }
        }
    }
}

fn agree(a: &Agreed, b: &Agreed) -> Result<(), TestCaseError> {
    let (a, b) = (&a.format, &b.format);
    prop_assert_eq!(a.codec, b.codec);
    prop_assert_eq!(a.send_payload_type, b.receive_payload_type);
    prop_assert_eq!(a.receive_payload_type, b.send_payload_type);
    let mirrored = b.telephone_event.map(|(send, receive)| (receive, send));
    prop_assert_eq!(a.telephone_event, mirrored);
    prop_assert_eq!(a.comfort_noise, b.comfort_noise);
    prop_assert_eq!((a.direction, b.direction), (Flow::SendRecv, Flow::SendRecv));
    Ok(())
}
