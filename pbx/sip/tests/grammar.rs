//! The grammar as its users meet it: framing, headers, addresses, building.

use bytes::Bytes;
use sip::build::{RequestBuilder, ResponseBuilder, own_request};
use sip::error::{ParseError, ParseErrorKind, ValueError};
use sip::header::{HeaderName, MAX_HEADERS};
use sip::headers::{CSeq, CallId, MaxForwards, Reason};
use sip::message::{
    FramerError, Framing, MAX_BODY_BYTES, MAX_HEADER_BYTES, Message, Method, Request, StatusCode,
    StreamFramer, StreamItem,
};
use sip::name_addr::NameAddr;
use sip::text::Encode;
use sip::uri::{Host, Uri};
use sip::via::Via;

const INVITE: &str = "INVITE sip:+15550100@hotline.example SIP/2.0\r\n\
    Via: SIP/2.0/UDP pbx.example:5060;branch=z9hG4bK776;rport\r\n\
    Max-Forwards: 70\r\n\
    From: \"Ana\" <sip:ana@example.org>;tag=1928\r\n\
    To: <sip:+15550100@hotline.example>\r\n\
    Call-ID: a84b4c76e66710\r\n\
    CSeq: 314159 INVITE\r\n\
    Contact: <sip:ana@192.0.2.7:5070>\r\n\
    Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>\r\n";

fn datagram(text: impl AsRef<[u8]>) -> Result<Message, ParseError> {
    Message::parse(Bytes::copy_from_slice(text.as_ref()), Framing::Datagram)
}

fn request(text: impl AsRef<[u8]>) -> Request {
    match datagram(text) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn invite(more: &str) -> Request {
    request(format!("{INVITE}{more}"))
}

fn kind(text: impl AsRef<[u8]>) -> ParseErrorKind {
    datagram(text).expect_err("malformed").kind()
}

mod framing {
    use super::*;

    #[test]
    fn a_datagram_without_content_length_is_body_to_its_end() {
        assert_eq!(invite("\r\nv=0\r\n").body().as_ref(), b"v=0\r\n");
    }

    #[test]
    fn a_datagram_is_cut_at_content_length() {
        assert_eq!(invite("l: 3\r\n\r\nv=0\r\n").body().as_ref(), b"v=0");
        let error = kind(format!("{INVITE}l: 99\r\n\r\nv=0"));
        assert_eq!(error, ParseErrorKind::BodyTooShort);
    }

    #[test]
    fn line_ends_of_lf_alone_and_before_the_message_are_taken() {
        let text = format!("\r\n\r\n\n{INVITE}l: 3\r\n\r\nabc").replace("\r\n", "\n");
        let request = request(text);
        assert_eq!(request.headers().len(), 9);
        assert_eq!(request.body().as_ref(), b"abc");
    }

    #[test]
    fn bytes_that_are_not_utf8_cut_nothing() {
        let mut bytes = INVITE.as_bytes().to_vec();
        bytes.extend_from_slice(b"Subject: Jos\xe9\r\nUser-Agent: \xff\xfe\r\nX: y\r\n\r\nbody");
        let request = request(bytes);
        assert_eq!(request.headers().len(), 11);
        let subject = request.headers().get(HeaderName::Subject).unwrap();
        assert_eq!(subject.text().reveal(), "José");
        assert_eq!(request.body().as_ref(), b"body");
    }

    #[test]
    fn latin1_in_a_display_name_keeps_tag_and_uri() {
        let text = INVITE.replace("\"Ana\"", "\"Jos~\"");
        let mut bytes = text.into_bytes();
        let at = bytes.iter().position(|byte| *byte == b'~').unwrap();
        bytes[at] = 0xe9;
        bytes.extend_from_slice(b"\r\n");
        let from = request(bytes).headers().from().unwrap();
        assert_eq!(from.display_name().unwrap().reveal(), "José");
        assert_eq!(from.tag(), Some("1928"));
    }

    #[test]
    fn a_lone_carriage_return_starts_no_line() {
        let request = invite("Subject: a\rVia: evil\r\n\r\n");
        let subject = request.headers().get(HeaderName::Subject).unwrap();
        assert_eq!(subject.as_bytes(), b"a Via: evil");
        assert_eq!(request.headers().lines(HeaderName::Via).count(), 1);
    }

    #[test]
    fn limits_hold() {
        let many = "X: y\r\n".repeat(MAX_HEADERS);
        let error = datagram(format!("{INVITE}{many}\r\n")).unwrap_err();
        assert_eq!(error.kind(), ParseErrorKind::TooManyHeaders);
        assert_eq!(error.status(), StatusCode::MESSAGE_TOO_LARGE);
        let long = "x".repeat(MAX_HEADER_BYTES);
        assert_eq!(
            kind(format!("{INVITE}X: {long}\r\n\r\n")),
            ParseErrorKind::HeadersTooLarge
        );
    }

    #[test]
    fn a_malformed_request_is_answered_with_what_was_read() {
        let text = format!("{INVITE}l: -1\r\n\r\n");
        let error = datagram(text).unwrap_err();
        assert!(error.is_request());
        let answer = ResponseBuilder::for_error(&error, Some("srv"))
            .unwrap()
            .build();
        let answer = String::from_utf8(answer.to_vec()).unwrap();
        assert!(answer.starts_with("SIP/2.0 400 malformed Content-Length\r\n"));
        for line in [
            "Via: SIP/2.0/UDP pbx.example:5060;branch=z9hG4bK776;rport\r\n",
            "From: \"Ana\" <sip:ana@example.org>;tag=1928\r\n",
            "To: <sip:+15550100@hotline.example>;tag=srv\r\n",
            "Call-ID: a84b4c76e66710\r\n",
            "CSeq: 314159 INVITE\r\n",
        ] {
            assert!(answer.contains(line), "{line} in {answer}");
        }
    }

    #[test]
    fn no_answer_is_made_to_an_ack_or_a_response() {
        let ack = INVITE.replace("INVITE sip", "ACK sip") + "l: -1\r\n\r\n";
        assert!(ResponseBuilder::for_error(&datagram(ack).unwrap_err(), None).is_none());
        let response = "SIP/2.0 99 x\r\nVia: SIP/2.0/UDP a;branch=b\r\n\r\n";
        assert!(ResponseBuilder::for_error(&datagram(response).unwrap_err(), None).is_none());
    }
}

mod stream {
    use super::*;

    fn framer(bytes: &str) -> StreamFramer {
        let mut framer = StreamFramer::new();
        framer.feed(bytes.as_bytes());
        framer
    }

    fn next(framer: &mut StreamFramer) -> String {
        match framer.poll() {
            Ok(Some(StreamItem::Message(message))) => format!("{} bytes", message.body().len()),
            Ok(Some(item)) => format!("{item:?}"),
            Ok(None) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn messages_come_whole_however_they_arrive() {
        let two = format!("{INVITE}l: 4\r\n\r\nbody{INVITE}l: 0\r\n\r\n");
        let mut framer = StreamFramer::new();
        let mut bodies = Vec::new();
        for byte in two.as_bytes() {
            framer.feed(&[*byte]);
            while let Some(StreamItem::Message(message)) = framer.poll().unwrap() {
                bodies.push(message.body().len());
            }
        }
        assert_eq!(bodies, [4, 0]);
        assert_eq!(framer.pending_bytes(), 0);
    }

    #[test]
    fn keep_alives_are_told_apart() {
        assert_eq!(next(&mut framer("\r\n\r\n")), "Ping");
        assert_eq!(next(&mut framer("\r\n")), "Pong");
        assert_eq!(next(&mut framer("\r")), "nothing");
        let mut halves = framer("\r\n");
        assert_eq!(next(&mut halves), "Pong");
        halves.feed(b"\r\n");
        assert_eq!(next(&mut halves), "Ping");
        let mut before = framer(&format!("\r\n\r\n{INVITE}l: 0\r\n\r\n"));
        assert_eq!(next(&mut before), "Ping");
        assert_eq!(next(&mut before), "0 bytes");
    }

    #[test]
    fn a_malformed_message_does_not_end_the_stream() {
        let bad = INVITE.replace("sip:+15550100@hotline.example SIP", "<sip:x> SIP");
        let mut framer = framer(&format!("{bad}l: 2\r\n\r\nab{INVITE}l: 0\r\n\r\n"));
        assert!(next(&mut framer).starts_with("Malformed"));
        assert_eq!(next(&mut framer), "0 bytes");
    }

    #[test]
    fn an_unknown_end_ends_the_stream_and_can_be_answered() {
        let mut missing = framer(&format!("{INVITE}\r\n"));
        let Err(FramerError::Length(error)) = missing.poll() else {
            panic!("no error");
        };
        assert_eq!(error.kind(), ParseErrorKind::MissingContentLength);
        assert!(error.is_answerable());
        missing.feed(b"more");
        assert_eq!(missing.pending_bytes(), 0);

        let large = format!("{INVITE}l: {}\r\n\r\n", MAX_BODY_BYTES + 1);
        assert!(matches!(framer(&large).poll(), Err(FramerError::Length(_))));
        let endless = "x".repeat(MAX_HEADER_BYTES + 1);
        assert_eq!(
            framer(&endless).poll().unwrap_err(),
            FramerError::HeadersTooLarge
        );
    }
}

mod validation {
    use super::*;

    fn refused(from: &str, to: &str) -> (u16, String) {
        let request = request(format!("{INVITE}\r\n").replace(from, to));
        let rejection = request.validate().expect_err("invalid");
        (rejection.status.code(), rejection.reason)
    }

    #[test]
    fn a_typical_invite_is_valid() {
        invite("\r\n").validate().unwrap();
    }

    #[test]
    fn what_is_wrong_is_said() {
        let bad = |reason: &str| (400, reason.to_owned());
        assert_eq!(refused("To: <", "X-To: <"), bad("missing To"));
        assert_eq!(refused("314159", "2147483648"), bad("malformed CSeq"));
        assert_eq!(
            refused("314159 INVITE", "1 BYE"),
            bad("CSeq method differs")
        );
        assert_eq!(refused("s: 70", "s: 256"), bad("malformed Max-Forwards"));
        assert_eq!(refused("s: 70", "s: -1"), bad("malformed Max-Forwards"));
        assert_eq!(refused("Contact", "From"), bad("repeated From"));
        assert_eq!(refused("lr>, <", "lr>,, <"), bad("malformed Record-Route"));
        assert_eq!(refused(" sip:+1", " fax:+1").0, 416);
        let headers = refused("example SIP", "example?a=b SIP");
        assert_eq!(headers, bad("headers in the Request-URI"));
    }

    #[test]
    fn a_response_with_two_vias_is_not_ours() {
        let text = INVITE.replace(
            "INVITE sip:+15550100@hotline.example SIP/2.0",
            "SIP/2.0 200 OK",
        );
        let response = |text: String| match datagram(text) {
            Ok(Message::Response(response)) => response.validate(),
            other => panic!("{other:?}"),
        };
        assert_eq!(response(format!("{text}\r\n")), Ok(()));
        assert_eq!(
            response(format!("{text}v: SIP/2.0/UDP b;branch=c\r\n\r\n")),
            Err(ValueError::Repeated(HeaderName::Via))
        );
    }
}

mod uris {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn same(a: &str, b: &str) -> bool {
        let forth = uri(a).equivalent(&uri(b));
        assert_eq!(forth, uri(b).equivalent(&uri(a)), "{a} {b}");
        forth
    }

    #[test]
    fn the_examples_of_rfc_3261_section_19_1_4_hold() {
        for (a, b) in [
            (
                "sip:%61lice@atlanta.com;transport=TCP",
                "sip:alice@AtLanTa.CoM;Transport=tcp",
            ),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:carol@chicago.com;security=on",
                "sip:carol@chicago.com;newparam=5",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            (
                "SIP:ALICE@AtLanTa.CoM;Transport=udp",
                "sip:alice@AtLanTa.CoM;Transport=UDP",
            ),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            (
                "sip:carol@chicago.com",
                "sip:carol@chicago.com?Subject=next%20meeting",
            ),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            (
                "sip:carol@chicago.com;security=on",
                "sip:carol@chicago.com;security=off",
            ),
            ("sip:alice@a.com", "sips:alice@a.com"),
            ("sip:a%2Fb@c", "sip:a/b@c"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn tel_uris_ignore_visual_separators() {
        assert!(same("tel:+1-555-0100", "tel:+1(555)0100"));
        assert!(!same("tel:+15550100", "tel:15550100"));
        assert!(!same("tel:7042;phone-context=a.example", "tel:7042"));
        assert_eq!(uri("tel:+1-555").user().unwrap().reveal(), "+1-555");
    }

    #[test]
    fn ipv6_references_are_read_as_rfc_5118_says() {
        let plain = uri("sip:user@[2001:db8::10]");
        assert_eq!(
            plain.host(),
            Some(&Host::Ip("2001:db8::10".parse().unwrap()))
        );
        assert_eq!(plain.port(), None);
        assert_eq!(uri("sip:[2001:db8::10]:5070").port(), Some(5070));
        // Section 4.3: without brackets after the address, the last group is no port.
        assert_eq!(uri("sip:[2001:db8::10:5070]").port(), None);
        assert!("sip:user@2001:db8::10".parse::<Uri>().is_err());
        // Section 4.10: an IPv4-mapped address with three colons is an old error of a grammar.
        assert!(
            uri("sip:u@[::ffff:192.0.2.1]")
                .host()
                .unwrap()
                .ip()
                .is_some()
        );
        assert!("sip:u@[:::192.0.2.1]".parse::<Uri>().is_err());
    }

    #[test]
    fn users_are_escaped_when_built_and_cannot_move_the_host() {
        let host = Host::Ip("192.0.2.1".parse().unwrap());
        let built = Uri::sip(Some("a@evil.example\r\nVia: x"), &host, Some(5060));
        assert_eq!(
            built.reveal(),
            "sip:a%40evil.example%0D%0AVia%3A%20x@192.0.2.1:5060"
        );
        let again = uri(built.reveal());
        assert_eq!(again.host(), Some(&host));
        assert_eq!(again.user_decoded(), built.user_decoded());
    }

    #[test]
    fn parameters_are_replaced_in_place_of_others() {
        let uri = uri("sip:a;b@c:5060;%6Cr;transport=udp?x=y");
        assert!(uri.is_loose_router());
        let changed = uri.with_param("transport", "tls").with_param("ob", "");
        assert_eq!(changed.reveal(), "sip:a;b@c:5060;%6Cr;transport=tls;ob?x=y");
        assert_eq!(
            uri.without_headers().reveal(),
            "sip:a;b@c:5060;%6Cr;transport=udp"
        );
        assert_eq!(uri.without_params().reveal(), "sip:a;b@c:5060");
    }

    #[test]
    fn debug_shows_no_number() {
        let debug = format!(
            "{:?}",
            uri("sip:+15550100:secret@hotline.example;x=15550100")
        );
        assert_eq!(debug, "sip:…@hotline.example");
        assert_eq!(format!("{:?}", uri("tel:+15550100")), "tel:…@");
    }
}

mod lists {
    use super::*;

    #[test]
    fn elements_keep_their_order_across_lines() {
        let request = invite(
            "Route: <sip:a;lr>\r\nroute: \"x, y\" <sip:b?c=d,e>, <sip:f>\r\n\
             k: timer, 100rel\r\nSupported: path\r\n\r\n",
        );
        let headers = request.headers();
        let routes: Vec<_> = headers
            .routes()
            .map(|route| route.unwrap().uri().reveal().to_owned())
            .collect();
        assert_eq!(routes, ["sip:a;lr", "sip:b?c=d,e", "sip:f"]);
        assert!(headers.has_token(HeaderName::Supported, "100REL"));
        assert!(headers.has_token(HeaderName::Supported, "path"));
        assert!(!headers.has_token(HeaderName::Supported, "gruu"));
    }
}

mod building {
    use super::*;

    fn own() -> RequestBuilder {
        let target: Uri = "sip:bob@example.net?Subject=x".parse().expect("constant");
        let from: Uri = "sip:pbx@example.org".parse().expect("constant");
        let host = Host::Ip("192.0.2.9".parse().expect("constant"));
        let cseq = CSeq {
            number: 1,
            method: Method::Invite,
        };
        let from = NameAddr::new(from).with_tag("f1");
        let to = NameAddr::new(target.without_headers());
        RequestBuilder::new(&Method::Invite, &target)
            .header(
                HeaderName::Via,
                &Via::new("UDP", host, Some(5060), "z9hG4bKb1"),
            )
            .header(HeaderName::MaxForwards, &MaxForwards::DEFAULT)
            .header(HeaderName::From, &from)
            .header(HeaderName::To, &to)
            .header(
                HeaderName::CallId,
                &CallId::new("c1@pbx").expect("constant"),
            )
            .header(HeaderName::CSeq, &cseq)
    }

    #[test]
    fn a_request_is_written_in_one_piece() {
        let bytes = own().build_with_body("application/sdp", b"v=0\r\n");
        assert_eq!(
            std::str::from_utf8(&bytes).unwrap(),
            "INVITE sip:bob@example.net SIP/2.0\r\n\
             Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKb1;rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:pbx@example.org>;tag=f1\r\n\
             To: <sip:bob@example.net>\r\n\
             Call-ID: c1@pbx\r\n\
             CSeq: 1 INVITE\r\n\
             Content-Type: application/sdp\r\n\
             Content-Length: 5\r\n\r\nv=0\r\n"
        );
        own_request(bytes).unwrap().validate().unwrap();
    }

    #[test]
    fn no_value_can_add_a_header() {
        let bytes = own()
            .header(
                HeaderName::Subject,
                "x\r\nVia: SIP/2.0/UDP evil\r\n\r\nbody",
            )
            .header(
                HeaderName::Reason,
                &Reason {
                    text: Some("\r\nTo: evil".to_owned()),
                    ..Reason::completed_elsewhere()
                },
            )
            .build_with_body("text/plain\r\nTo: evil", b"");
        let request = own_request(bytes).unwrap();
        assert_eq!(request.headers().vias().count(), 1);
        assert_eq!(request.headers().lines(HeaderName::To).count(), 1);
        assert_eq!(request.headers().len(), 10);
    }

    #[test]
    fn a_response_copies_what_it_must_and_notes_the_source() {
        let mut request = invite("\r\n");
        request.set_source("198.51.100.4:6000".parse().unwrap());
        let ok = ResponseBuilder::for_request_tagged(&request, StatusCode::OK, Some("t1"))
            .header(HeaderName::Contact, "<sip:pbx.example>")
            .build();
        assert_eq!(
            std::str::from_utf8(&ok).unwrap(),
            "SIP/2.0 200 OK\r\n\
             Via: SIP/2.0/UDP pbx.example:5060;branch=z9hG4bK776;received=198.51.100.4;rport=6000\r\n\
             Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>\r\n\
             From: \"Ana\" <sip:ana@example.org>;tag=1928\r\n\
             To: <sip:+15550100@hotline.example>;tag=t1\r\n\
             Call-ID: a84b4c76e66710\r\n\
             CSeq: 314159 INVITE\r\n\
             Contact: <sip:pbx.example>\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let busy = ResponseBuilder::for_request(&request, StatusCode::BUSY_HERE).build();
        assert!(!String::from_utf8_lossy(&busy).contains("Record-Route"));
    }

    #[test]
    fn an_existing_tag_is_kept() {
        let text =
            format!("{INVITE}\r\n").replace("hotline.example>\r\n", "hotline.example>;tag=old\r\n");
        let request = request(text);
        let ok = ResponseBuilder::for_request_tagged(&request, StatusCode::OK, Some("new")).build();
        let ok = String::from_utf8_lossy(&ok).into_owned();
        assert!(
            ok.contains(";tag=old\r\n") && !ok.contains("tag=new"),
            "{ok}"
        );
    }

    #[test]
    fn reason_says_that_another_took_the_call() {
        assert_eq!(
            Reason::completed_elsewhere().encoded(),
            "SIP;cause=200;text=\"Call completed elsewhere\""
        );
    }
}

#[test]
fn debug_of_a_message_shows_nothing_of_its_people() {
    let secret = "Authorization: Digest username=\"ana\", response=\"5ecret\"\r\n";
    let request = invite(&format!("{secret}\r\nc=IN IP4 192.0.2.7\r\n"));
    let debug = format!(
        "{request:?} {:?} {:?}",
        request.headers(),
        request.headers().from()
    );
    for hidden in ["ana", "Ana", "5550100", "5ecret", "192.0.2.7"] {
        assert!(!debug.contains(hidden), "{hidden} in {debug}");
    }
    assert!(debug.contains("INVITE"));
}
