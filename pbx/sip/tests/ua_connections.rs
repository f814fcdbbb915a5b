//! Stream connections: calls over them, and what becomes of idle, broken and hostile ones.

mod ua_support;

use std::time::Duration;

use sip::header::HeaderName;
use sip::ua::{
    ConnectionId, Flow, OUTGOING_CONNECTION_BIT, SessionEnd, Transmit, TransportInput, UaEvent,
};
use ua_support::*;

#[test]
fn over_tcp_everything_runs_on_the_phones_connection() {
    let mut bench = Bench::new();
    let (id, remote) = (ConnectionId(3), "203.0.113.7:40000");
    let binding = register_tcp(&mut bench, id, remote, "ana@192.168.1.5;transport=tcp");
    let (_, invite) = bench.call(binding);
    assert_eq!(invite.connection, Some(id));
    assert!(invite.header(HeaderName::Via).starts_with("SIP/2.0/TCP"));
    assert!(invite.header(HeaderName::Contact).contains("transport=tcp"));
    assert!(bench.advance(SECOND * 10).is_empty(), "no repetition");
    bench.receive_stream(id, "\r\n\r\n");
    assert!(
        matches!(&bench.transmits()[..], [Transmit::Stream { payload, .. }]
        if payload.as_ref() == b"\r\n")
    );
    let ok = reply_text(
        &invite,
        "200 OK",
        "p",
        "sip:ana@192.168.1.5",
        &sdp_text(7000),
    );
    let (head, tail) = ok.split_at(100);
    bench.receive_stream(id, head);
    assert!(bench.events().is_empty());
    bench.receive_stream(id, tail);
    assert_eq!(bench.sent_one().connection, Some(id));
    assert!(matches!(bench.event(), UaEvent::Answered { .. }));
    bench.close(id);
    assert!(matches!(bench.event(), UaEvent::BindingRemoved { .. }));
    assert_eq!(bench.ua.counts().sessions, 1, "an answered call survives");
    assert_eq!(bench.ua.counts().connections, 0);
}

#[test]
fn a_connection_that_breaks_ends_the_calls_that_ring_on_it() {
    let mut bench = Bench::new();
    let id = ConnectionId(3);
    let binding = register_tcp(&mut bench, id, "203.0.113.7:40000", "ana@10.0.0.9");
    bench.call(binding);
    bench.close(id);
    let events = bench.events();
    assert!(matches!(events[0], UaEvent::BindingRemoved { .. }));
    assert!(matches!(
        events[1],
        UaEvent::Ended {
            end: SessionEnd::SignallingLost,
            ..
        }
    ));
    assert_eq!(events.len(), 2);
    bench.assert_clean();
}

#[test]
fn after_a_restart_only_phones_that_can_be_dialled_are_kept() {
    let mut first = Bench::new();
    let direct = "203.0.113.7:5062";
    register_tcp(
        &mut first,
        ConnectionId(1),
        direct,
        "ana@203.0.113.7:5062;transport=tcp",
    );
    register_tcp(
        &mut first,
        ConnectionId(2),
        "203.0.113.9:40000",
        "ben@192.168.1.5",
    );
    first.register("ana", "203.0.113.20:5060");
    let saved: Vec<_> = first.ua.bindings().cloned().collect();
    assert_eq!(saved.len(), 3);

    let mut second = Bench::new();
    second.ua.restore_bindings(saved.clone());
    assert!(matches!(second.event(), UaEvent::BindingRemoved { id, .. } if id == saved[1].id));
    assert_eq!(second.ua.counts().bindings, 2);
    let invite = outgoing(saved[0].id);
    second.ua.invite(invite, second.now);
    let transmits = second.transmits();
    let [
        Transmit::Connect { connection, remote },
        Transmit::Stream { connection: on, .. },
    ] = &transmits[..]
    else {
        panic!("{transmits:?}");
    };
    assert_eq!(*remote, addr(direct));
    assert_eq!(connection, on);
    assert_ne!(connection.0 & OUTGOING_CONNECTION_BIT, 0);
    second.ua.handle_input(
        TransportInput::Closed {
            connection: *connection,
        },
        second.now,
    );
    assert_eq!(ended(&mut second), SessionEnd::SignallingLost);
    let (_, invite) = second.call(saved[2].id);
    assert_eq!(invite.to, addr("203.0.113.20:5060"));
}

#[test]
fn idle_connections_are_closed_and_those_of_phones_are_kept() {
    let mut bench = Bench::new();
    bench.open(ConnectionId(1), "203.0.113.50:1000");
    register_tcp(
        &mut bench,
        ConnectionId(2),
        "203.0.113.7:40000",
        "ana@10.0.0.9",
    );
    bench.advance(Duration::from_secs(300));
    assert_eq!(bench.ua.counts().connections, 1);
    assert_eq!(bench.ua.counts().bindings, 1);
    bench.advance(Duration::from_secs(600));
    assert_eq!(bench.ua.counts().connections, 0, "the binding has expired");
}

#[test]
fn garbage_on_a_stream_closes_it() {
    let mut bench = Bench::new();
    bench.open(ConnectionId(1), "203.0.113.50:1000");
    bench.receive_stream(ConnectionId(1), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let transmits = bench.transmits();
    assert!(
        matches!(transmits.last(), Some(Transmit::Close { .. })),
        "{transmits:?}"
    );
    assert_eq!(bench.ua.counts().connections, 0);
}

#[test]
fn a_stranger_cannot_make_us_hold_a_message_that_never_ends() {
    let mut bench = Bench::new();
    bench.open(ConnectionId(1), "203.0.113.50:1000");
    bench.receive_stream(ConnectionId(1), "OPTIONS sip:x SIP/2.0\r\n");
    for n in 0..20 {
        let line = format!("X-Padding: {}\r\n", "x".repeat(1000));
        bench.receive_stream(ConnectionId(1), &line);
        assert_eq!(bench.ua.counts().connections, usize::from(n < 16));
    }
}

#[test]
fn a_stranger_that_trickles_is_as_idle_as_a_silent_one() {
    let mut bench = Bench::new();
    bench.open(ConnectionId(1), "203.0.113.50:1000");
    for _ in 0..18 {
        bench.receive_stream(ConnectionId(1), "X");
        bench.advance(SECOND * 10);
    }
    assert_eq!(bench.ua.counts().connections, 0);
}

fn register_tcp(
    bench: &mut Bench,
    id: ConnectionId,
    remote: &str,
    contact: &str,
) -> sip::ua::BindingId {
    let user = contact.split('@').next().expect("a user").to_owned();
    bench.open(id, remote);
    let more = format!("Contact: <sip:{contact}>\r\nExpires: 600\r\n");
    let tcp = |text: String| text.replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    bench.receive_stream(id, &tcp(register_text(&user, remote, 1, &more)));
    let challenge = bench.sent_one();
    assert_eq!(challenge.connection, Some(id));
    let authorization = answer(
        &challenge,
        &user,
        &user,
        "REGISTER",
        "sip:hotline.example",
        1,
    );
    let text = register_text(&user, remote, 2, &format!("{more}{authorization}"));
    bench.receive_stream(id, &tcp(text));
    assert_eq!(bench.sent_one().status(), 200);
    match bench.event() {
        UaEvent::BindingUpserted(binding) => {
            assert!(matches!(binding.flow, Flow::Tcp { connection, .. } if connection == id));
            binding.id
        }
        other => panic!("{other:?}"),
    }
}
