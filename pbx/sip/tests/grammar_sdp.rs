//! Session descriptions as telephones send them.

use sip::sdp::{
    Attribute, Connection, Direction, MAX_FORMATS, MAX_MEDIA, MAX_SDP_BYTES, MediaDescription,
    RtpMap, SdpError, SessionDescription,
};

const OFFER: &str = "v=0\r\n\
    o=ana 2890844526 2890844527 IN IP4 192.0.2.7\r\n\
    s=call\r\n\
    c=IN IP4 192.0.2.7\r\n\
    b=AS:80\r\n\
    t=0 0\r\n\
    a=sendonly\r\n\
    m=audio 49170 RTP/AVP 9 0 101\r\n\
    a=rtpmap:9 G722/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-16\r\n\
    a=ptime:20\r\n\
    a=rtcp:49173 IN IP4 192.0.2.8\r\n\
    a=rtcp-mux\r\n\
    a=ssrc:1 cname:x\r\n\
    m=video 0 RTP/AVP 99\r\n\
    c=IN IP6 2001:db8::5\r\n\
    a=inactive\r\n";

fn offer() -> SessionDescription {
    SessionDescription::parse(OFFER.as_bytes()).expect("offer")
}

#[test]
fn an_offer_is_read_with_what_the_exchange_acts_on() {
    let offer = offer();
    assert_eq!(offer.origin.version, 2_890_844_527);
    let audio = offer.audio().unwrap();
    assert_eq!(audio.port, 49170);
    assert_eq!(audio.payload_types().collect::<Vec<_>>(), [9, 0, 101]);
    assert!(audio.rtpmap(101).unwrap().is("TELEPHONE-EVENT", 8000));
    assert!(
        audio.rtpmap(0).unwrap().is("pcmu", 8000),
        "static assignment"
    );
    assert_eq!(audio.fmtp(101), Some("0-16"));
    assert_eq!(audio.ptime_ms, Some(20));
    assert_eq!(audio.rtcp, Some((49173, "192.0.2.8".parse().ok())));
    assert!(audio.rtcp_mux);
    assert_eq!(audio.attribute("ssrc"), Some("1 cname:x"));
    let ip = |media| offer.connection_of(media).and_then(Connection::ip);
    assert_eq!(ip(audio), "192.0.2.7".parse().ok());
    assert_eq!(ip(&offer.media[1]), "2001:db8::5".parse().ok());
    assert_eq!(offer.direction_of(audio), Direction::SendOnly);
    assert_eq!(offer.direction_of(&offer.media[1]), Direction::Inactive);
}

#[test]
fn what_was_read_is_written_the_same() {
    let offer = offer();
    let written = offer.to_string();
    assert_eq!(
        SessionDescription::parse(written.as_bytes()).unwrap(),
        offer
    );
    assert!(
        written
            .lines()
            .all(|line| OFFER.lines().any(|other| other == line))
    );
}

#[test]
fn an_own_answer_is_well_formed() {
    let map = |payload_type, encoding: &str, channels| RtpMap {
        payload_type,
        encoding: encoding.to_owned(),
        clock_rate_hz: if channels == 2 { 48_000 } else { 8_000 },
        channels,
    };
    let mut answer = SessionDescription::new(7, 1, "2001:db8::1".parse().unwrap());
    let audio = MediaDescription::audio(4000)
        .with_format(map(96, "opus", 2), Some("useinbandfec=1"))
        .with_format(map(8, "PCMA", 1), None);
    answer.media.push(audio);
    answer.media.push(offer().media[1].refusal());
    assert_eq!(
        answer.to_string(),
        "v=0\r\no=- 7 1 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 96 8\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:8 PCMA/8000\r\n\
         a=fmtp:96 useinbandfec=1\r\nm=video 0 RTP/AVP 99\r\n"
    );
}

#[test]
fn sloppy_descriptions_are_taken() {
    let sloppy = "v=0\no=- 99999999999999999999999 99999999999999999999999 IN IP4 pbx.example\n\
        c=IN IP4 0.0.0.0\nm=audio 5000/2 RTP/AVP 0 \njunk\na=ptime:20.5\na=rtpmap:x\na=fmtp:\n";
    let session = SessionDescription::parse(sloppy.as_bytes()).unwrap();
    let audio = session.audio().unwrap();
    assert_eq!(audio.ptime_ms, Some(20));
    assert!(session.connection_of(audio).unwrap().is_unspecified());
    assert_eq!(session.origin.version, u64::MAX);
    assert_eq!(session.name, "-");
}

#[test]
fn unusable_descriptions_are_refused() {
    let error = |text: &str| SessionDescription::parse(text.as_bytes()).unwrap_err();
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n";
    assert_eq!(error(""), SdpError::NotSdp);
    assert_eq!(error("hello"), SdpError::NotSdp);
    assert_eq!(error("v=1\r\n"), SdpError::NotSdp);
    assert_eq!(error("v=0\r\ns=-\r\n"), SdpError::Line('o'));
    assert_eq!(
        error(&format!("{head}m=audio 5000 RTP/AVP 0\r\n")),
        SdpError::Line('c')
    );
    assert_eq!(
        error(&format!("{head}c=IN IP4 /1\r\n")),
        SdpError::Line('c')
    );
    assert_eq!(
        error(&format!("{head}m=audio 70000 RTP/AVP 0\r\n")),
        SdpError::Line('m')
    );
}

#[test]
fn limits_hold() {
    let error = |text: &str| SessionDescription::parse(text.as_bytes()).unwrap_err();
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\n";
    let media = "m=audio 5000 RTP/AVP 0\r\n".repeat(MAX_MEDIA + 1);
    assert_eq!(error(&format!("{head}{media}")), SdpError::TooLarge);
    let formats = " 0".repeat(MAX_FORMATS + 1);
    assert_eq!(
        error(&format!("{head}m=audio 5000 RTP/AVP{formats}\r\n")),
        SdpError::TooLarge
    );
    let long = "x".repeat(MAX_SDP_BYTES);
    assert_eq!(error(&format!("{head}s={long}\r\n")), SdpError::TooLarge);
}

#[test]
fn no_value_can_add_a_line() {
    let mut session = SessionDescription::new(1, 1, "192.0.2.1".parse().unwrap());
    session.name = "x\r\nm=audio 1 RTP/AVP 0".to_owned();
    session.attributes.push(Attribute::new("a\nb", "c\r\nd"));
    let written = session.to_string();
    assert_eq!(written.matches("\r\n").count(), 6);
    assert!(
        SessionDescription::parse(written.as_bytes())
            .unwrap()
            .media
            .is_empty()
    );
}

#[test]
fn debug_shows_no_address() {
    let debug = format!("{:?}", offer());
    for hidden in ["192.0.2", "2001:db8", "ana", "49170"] {
        assert!(!debug.contains(hidden), "{hidden} in {debug}");
    }
}

#[test]
fn directions_turn_around() {
    assert_eq!(Direction::SendOnly.reversed(), Direction::RecvOnly);
    assert_eq!(Direction::SendRecv.reversed(), Direction::SendRecv);
    assert!(Direction::RecvOnly.receives() && !Direction::RecvOnly.sends());
}
