//! The 49 messages of RFC 4475: what the RFC asks of each, and what the stack does.

mod exercise;

use std::path::PathBuf;

use bytes::Bytes;
use proptest::prelude::*;
use sip::build::ResponseBuilder;
use sip::header::{HeaderName, ParseValue};
use sip::headers::AuthParams;
use sip::message::{Framing, Message, Method, Request, StatusCode};

/// What the RFC asks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    /// Take it.
    Accept,
    /// Well-formed, to be refused above the grammar with this status.
    AcceptThenAnswer(u16),
    /// Refuse it with this status.
    Answer(u16),
    /// A response to be dropped.
    Drop,
}

use Expected::{Accept, AcceptThenAnswer, Answer, Drop};

/// File, RFC 4475 section, expectation. Where the RFC leaves a choice, ours stands beside it.
const MESSAGES: [(&str, &str, Expected); 49] = [
    ("wsinv", "3.1.1.1", Accept),
    // 405 or 501 above: the method is well-formed and unknown.
    ("intmeth", "3.1.1.2", AcceptThenAnswer(405)),
    ("esc01", "3.1.1.3", Accept),
    ("escnull", "3.1.1.4", Accept),
    ("esc02", "3.1.1.5", AcceptThenAnswer(405)),
    ("lwsdisp", "3.1.1.6", Accept),
    ("longreq", "3.1.1.7", Accept),
    ("dblreq", "3.1.1.8", Accept),
    ("semiuri", "3.1.1.9", Accept),
    ("transports", "3.1.1.10", Accept),
    ("mpart01", "3.1.1.11", Accept),
    ("unreason", "3.1.1.12", Accept),
    ("noreason", "3.1.1.13", Accept),
    ("badinv01", "3.1.2.1", Answer(400)),
    ("clerr", "3.1.2.2", Answer(400)),
    ("ncl", "3.1.2.3", Answer(400)),
    ("scalar02", "3.1.2.4", Answer(400)),
    ("scalarlg", "3.1.2.5", Drop),
    ("quotbal", "3.1.2.6", Answer(400)),
    ("ltgtruri", "3.1.2.7", Answer(400)),
    ("lwsruri", "3.1.2.8", Answer(400)),
    ("lwsstart", "3.1.2.9", Answer(400)),
    ("trws", "3.1.2.10", Answer(400)),
    ("escruri", "3.1.2.11", Answer(400)),
    // The RFC: do not refuse unless the date matters. It does not.
    ("baddate", "3.1.2.12", Accept),
    ("regbadct", "3.1.2.13", Answer(400)),
    // May be repaired or refused.
    ("badaspec", "3.1.2.14", Answer(400)),
    ("baddn", "3.1.2.15", Answer(400)),
    ("badvers", "3.1.2.16", Answer(505)),
    ("mismatch01", "3.1.2.17", Answer(400)),
    // 400 or 501.
    ("mismatch02", "3.1.2.18", Answer(400)),
    ("bigcode", "3.1.2.19", Drop),
    // 400, or matched as RFC 2543 did: `Via::unique_branch` is `None`.
    ("badbranch", "3.2.1", Accept),
    ("insuf", "3.3.1", Answer(400)),
    ("unkscm", "3.3.2", Answer(416)),
    ("novelsc", "3.3.3", Answer(416)),
    // A registrar answers 400, since To names no SIP address of record.
    ("unksm2", "3.3.4", AcceptThenAnswer(400)),
    ("bext01", "3.3.5", AcceptThenAnswer(420)),
    ("invut", "3.3.6", AcceptThenAnswer(415)),
    ("regaut01", "3.3.7", AcceptThenAnswer(401)),
    ("multi01", "3.3.8", Answer(400)),
    ("mcl01", "3.3.9", Answer(400)),
    ("bcast", "3.3.10", Drop),
    // 483 of a proxy; an endpoint may serve it.
    ("zeromf", "3.3.11", Accept),
    ("cparam01", "3.3.12", Accept),
    ("cparam02", "3.3.13", Accept),
    ("regescrt", "3.3.14", Accept),
    ("sdp01", "3.3.15", AcceptThenAnswer(406)),
    ("inv2543", "3.4.1", Accept),
];

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/rfc4475")
        .join(format!("{name}.dat"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn request(name: &str) -> Request {
    match Message::parse(Bytes::from(file(name)), Framing::Datagram) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

/// What the stack does with a message, up to what only the layers above can know.
fn outcome(bytes: Vec<u8>) -> Expected {
    match Message::parse(Bytes::from(bytes), Framing::Datagram) {
        Ok(Message::Request(request)) => match request.validate() {
            Ok(()) => above(&request),
            Err(rejection) => {
                let answer = ResponseBuilder::with_reason(
                    &request,
                    rejection.status,
                    &rejection.reason,
                    Some("a"),
                );
                answered(answer.build())
            }
        },
        Ok(Message::Response(response)) => match response.validate() {
            Ok(()) => Accept,
            Err(_) => Drop,
        },
        Err(error) => match ResponseBuilder::for_error(&error, Some("a")) {
            Some(answer) => answered(answer.build()),
            None => Drop,
        },
    }
}

/// The status of an answer as its receiver reads it.
fn answered(answer: Bytes) -> Expected {
    match Message::parse(answer, Framing::Stream) {
        Ok(Message::Response(response)) => {
            assert!(response.headers().contains(HeaderName::Via));
            assert!(response.headers().contains(HeaderName::CSeq));
            Answer(response.status().code())
        }
        other => panic!("no response: {other:?}"),
    }
}

/// What an audio user agent and registrar without extensions would say, by what the grammar tells
/// it.
fn above(request: &Request) -> Expected {
    let headers = request.headers();
    let status = if matches!(request.method(), Method::Other(_)) {
        StatusCode::METHOD_NOT_ALLOWED
    } else if headers.tokens(HeaderName::Require).next().is_some() {
        StatusCode::BAD_EXTENSION
    } else if *request.method() == Method::Register
        && !headers.to().expect("validated").uri().is_sip()
    {
        StatusCode::BAD_REQUEST
    } else if let Some(value) = headers.get(HeaderName::Authorization)
        && !AuthParams::parse(&value.text())
            .expect("validated")
            .is_digest()
    {
        StatusCode::UNAUTHORIZED
    } else if *request.method() == Method::Invite
        && !headers
            .content_type()
            .expect("validated")
            .expect("validated")
            .is("application/sdp")
    {
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    } else if *request.method() == Method::Invite
        && headers.contains(HeaderName::Accept)
        && !headers
            .all(HeaderName::Accept)
            .any(|it| it == "application/sdp")
    {
        StatusCode::NOT_ACCEPTABLE
    } else {
        return Accept;
    };
    AcceptThenAnswer(status.code())
}

#[test]
fn every_message_is_handled_as_the_rfc_says() {
    let mut wrong = Vec::new();
    let mut counts = [0; 4];
    println!("{:<12}{:<10}{:<24}stack", "message", "section", "RFC 4475");
    for (name, section, expected) in MESSAGES {
        let got = outcome(file(name));
        let (expected_text, got_text) = (format!("{expected:?}"), format!("{got:?}"));
        println!("{name:<12}{section:<10}{expected_text:<24}{got_text}");
        let kind = match got {
            Accept => 0,
            AcceptThenAnswer(_) => 1,
            Answer(_) => 2,
            Drop => 3,
        };
        counts[kind] += 1;
        if got != expected {
            wrong.push(name);
        }
    }
    let [accepted, above, answered, dropped] = counts;
    println!("accepted {accepted}, refused above {above}, answered {answered}, dropped {dropped}");
    assert_eq!(wrong, Vec::<&str>::new());
    assert_eq!(counts, [18, 7, 21, 3]);
}

#[test]
fn nothing_panics_however_the_messages_are_asked() {
    for (name, ..) in MESSAGES {
        let bytes = file(name);
        exercise::message(&bytes);
        exercise::stream(&bytes);
    }
}

#[test]
fn the_tortuous_invite_is_read_whole() {
    let wsinv = request("wsinv");
    let headers = wsinv.headers();
    assert_eq!(headers.to().unwrap().tag(), Some("1918181833n"));
    let from = headers.from().unwrap();
    assert_eq!(from.display_name().unwrap().reveal(), r#"J Rosenberg \""#);
    assert_eq!(from.tag(), Some("98asjd8"));
    assert_eq!(headers.cseq().unwrap().to_string(), "9 INVITE");
    assert_eq!(headers.max_forwards().unwrap().unwrap().0, 68);
    let branches: Vec<_> = headers
        .vias()
        .map(|via| via.unwrap().branch().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(branches, ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]);
    let contact = headers.contacts().next().unwrap().unwrap();
    assert_eq!(contact.q_thousandths(), 330);
    let folded = headers.get_other("newfangledheader").unwrap();
    let words: Vec<_> = folded.to_str().unwrap().split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "newfangled value continued newfangled value"
    );
    assert_eq!(headers.get(HeaderName::Subject).unwrap().as_bytes(), b"");
    assert_eq!(wsinv.body().len(), 150);
}

#[test]
fn escapes_and_odd_characters_keep_their_meaning() {
    let esc01 = request("esc01");
    assert_eq!(
        esc01.uri().user_decoded().unwrap().reveal(),
        "sips:user@example.com"
    );
    let contact = esc01.headers().contacts().next().unwrap().unwrap();
    assert!(contact.address().unwrap().uri().is_loose_router());
    let user: sip::uri::Uri = "sip:user@example.com".parse().unwrap();
    assert!(esc01.headers().to().unwrap().uri().equivalent(&user));

    let intmeth = request("intmeth");
    let to = intmeth.headers().to().unwrap();
    assert_eq!(
        to.display_name().unwrap().reveal(),
        "BEL:\u{7} NUL:\u{0} DEL:\u{7f}"
    );
    let from = intmeth.headers().from().unwrap();
    assert_eq!(from.params().get("fromParam''~+*_!.-%"), Some("работающий"));

    let semiuri = request("semiuri");
    assert_eq!(
        semiuri.uri().user().unwrap().reveal(),
        "user;par=u%40example.net"
    );
    assert!(semiuri.uri().params().iter().next().is_none());
    assert_eq!(request("esc02").headers().contacts().count(), 2);
}

#[test]
fn bodies_end_where_content_length_says() {
    assert_eq!(request("dblreq").body().len(), 0);
    let multipart = request("mpart01");
    assert_eq!(multipart.body().len(), 553);
    assert!(multipart.body().contains(&0));
    assert_eq!(request("inv2543").body().len(), 105);
}

#[test]
fn a_parameter_is_of_the_contact_or_of_its_uri() {
    let contact = |name| {
        let contact = request(name).headers().contacts().next().unwrap().unwrap();
        contact.address().unwrap().clone()
    };
    assert!(contact("cparam01").params().contains("unknownparam"));
    assert!(contact("cparam02").uri().param("unknownparam").is_some());
    let escaped = contact("regescrt");
    let (name, value) = escaped.uri().headers().next().unwrap();
    assert_eq!((&*name, &*value), ("Route", "<sip:sip.example.com>"));
}

/// One change to a message.
#[derive(Debug, Clone)]
enum Mutation {
    Flip(usize, u8),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let grammar = proptest::sample::select(vec![
        "\r\n",
        "\r\n ",
        "\n",
        ";",
        ",",
        "\"",
        "\\",
        "<",
        ">",
        "@",
        ":",
        "?",
        "%",
        "%00",
        "[",
        "]",
        "=",
        "&",
        "*",
        "sip:",
        "SIP/2.0",
        "99999999999999999999",
        "-1",
        "\u{0}",
        "ü",
        " ",
        "\t",
        "Via: ",
        "l: ",
        "\r\n\r\n",
        "\r",
    ]);
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Flip(at, byte)),
        (any::<usize>(), 1..40usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        (any::<usize>(), grammar)
            .prop_map(|(at, text)| Mutation::Insert(at, text.as_bytes().to_vec())),
        (any::<usize>(), 1..60usize).prop_map(|(at, count)| Mutation::Repeat(at, count)),
    ]
}

fn apply(bytes: &mut Vec<u8>, mutation: Mutation) {
    if bytes.is_empty() {
        return;
    }
    match mutation {
        Mutation::Flip(at, byte) => {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        Mutation::Remove(at, count) => {
            let at = at % bytes.len();
            let end = (at + count).min(bytes.len());
            bytes.drain(at..end);
        }
        Mutation::Insert(at, text) => {
            let at = at % bytes.len();
            bytes.splice(at..at, text);
        }
        Mutation::Repeat(at, count) => {
            let at = at % bytes.len();
            let end = (at + count).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

/// Failures are fixed and kept as tests of their own, not as seeds.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(count)
    }
}

proptest! {
    #![proptest_config(cases(12_000))]

    #[test]
    fn mutated_messages_never_panic(
        index in 0..MESSAGES.len(),
        mutations in proptest::collection::vec(mutation(), 1..6),
    ) {
        let mut bytes = file(MESSAGES[index].0);
        for mutation in mutations {
            apply(&mut bytes, mutation);
        }
        exercise::message(&bytes);
    }
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn mutated_streams_frame_the_same_in_pieces(
        first in 0..MESSAGES.len(),
        second in 0..MESSAGES.len(),
        mutations in proptest::collection::vec(mutation(), 0..4),
    ) {
        let mut bytes = file(MESSAGES[first].0);
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend(file(MESSAGES[second].0));
        for mutation in mutations {
            apply(&mut bytes, mutation);
        }
        exercise::stream(&bytes);
    }

    #[test]
    fn mutated_session_descriptions_never_panic(
        index in 0..MESSAGES.len(),
        mutations in proptest::collection::vec(mutation(), 0..6),
    ) {
        let bytes = file(MESSAGES[index].0);
        let start = bytes.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or(0);
        let mut body = bytes[(start + 4).min(bytes.len())..].to_vec();
        for mutation in mutations {
            apply(&mut body, mutation);
        }
        exercise::sdp(&body);
    }
}
