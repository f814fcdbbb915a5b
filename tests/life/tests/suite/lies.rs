//! Clients that lie, repeat, hurry, dawdle or flood. Each gets a clear answer, or the door.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use life::{Answer, Client};
use protocol::{API_ROOT, Code, Id, PROOF_HEADER, ROSTER_ROLE_VOLUNTEER, Role};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};

use crate::place::Place;

const PORT: u16 = 8443;
/// More than one address may ask at once without a login.
const OPEN_REQUESTS: u32 = 300;
/// Connections that one address may hold at once.
const CONNECTIONS_PER_ADDRESS: usize = 250;
/// A handshake may take 10 s, the front of a request 30 s.
const HANDSHAKE_ENDS_WITHIN: Duration = Duration::from_secs(20);
const FRONT_ENDS_WITHIN: Duration = Duration::from_secs(45);
const MINUTE_MS: i64 = 60_000;

#[test]
fn whoever_lies_is_refused_with_a_sentence() {
    let place = Place::start("info");
    let (mut admin, hub) = place.first_admin("Ada");
    let mut ben = place.member(
        &mut admin,
        hub,
        Role::Volunteer,
        ROSTER_ROLE_VOLUNTEER,
        "Ben",
    );
    malformed_bodies(&mut admin, hub);
    proofs_of_something_else(&mut admin, &mut ben);
    clocks_that_are_wrong(&mut admin);
    nothing_there(&mut admin);
    let log = place.server.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(!log.contains("a request failed"), "{log}");
    admin.me().unwrap();
}

#[test]
fn whoever_dawdles_or_floods_is_shown_the_door_and_others_are_served() {
    let place = Place::start("info");
    let (mut admin, _) = place.first_admin("Ada");
    let server = SocketAddr::new(place.net.server(), PORT);
    let told = place.told();
    let silent = std::thread::spawn(move || {
        let stream = connect(server, None);
        ends_within(&mut &stream, HANDSHAKE_ENDS_WITHIN)
    });
    let drop_by_drop = std::thread::spawn(move || slow_front(server, &told.ca_pem));
    flooded(&place, server, &mut admin);
    let (silent, drop_by_drop) = (silent.join().unwrap(), drop_by_drop.join().unwrap());
    println!("a silent connection ended after {silent:?}, a slow request after {drop_by_drop:?}");
    too_many_logins(&mut admin);
}

/// What no handler must ever see.
fn malformed_bodies(admin: &mut Client, hub: Id) {
    let deep = "[".repeat(100_000);
    let in_field = format!(r#"{{"tokens":{}"#, "[".repeat(100_000));
    let search = format!("/hubs/{hub}/search");
    let bodies: [&[u8]; 13] = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\"tokens\"",
        b"\xff\xfe",
        b"{\"tokens\":[]}",
        b"{\"tokens\":[{\"field\":1e999,\"token\":\"00\"}]}",
        b"{\"tokens\":[{\"field\":99999999999999999999999999,\"token\":\"00\"}]}",
        b"{\"tokens\":[{\"field\":-1,\"token\":\"0123456789abcdef0123456789abcdef\"}]}",
        b"{\"tokens\":[],\"tokens\":[]}",
        deep.as_bytes(),
        in_field.as_bytes(),
    ];
    for body in bodies {
        let answer = admin.ask("POST", &search, body).unwrap();
        refused(&answer, 400, Code::Malformed);
    }
    for query in [
        "?after=-1",
        "?after=4294967296",
        "?after=1e9",
        "?unknown=1",
        "?after=1&after=2",
    ] {
        let path = format!("/hubs/{hub}/roster{query}");
        refused(&admin.ask("GET", &path, b"").unwrap(), 400, Code::Malformed);
    }
    let long = vec![b' '; 300 * 1024];
    refused(
        &admin.ask("POST", &search, &long).unwrap(),
        413,
        Code::TooLarge,
    );
    let unasked = admin.ask("GET", "/me", b"{}").unwrap();
    refused(&unasked, 400, Code::Malformed);
}

/// A proof is for one request of one device, once.
fn proofs_of_something_else(admin: &mut Client, ben: &mut Client) {
    let target = format!("{API_ROOT}/me/sessions");
    let token = admin.line.tokens.clone().unwrap().access;
    let send = |line: &life::Line,
                token: &protocol::Blob,
                proof: &str,
                method: &str,
                target: &str,
                body: &[u8]| {
        let bearer = format!("Bearer {}", token.to_text());
        let headers = [("authorization", bearer.as_str()), (PROOF_HEADER, proof)];
        line.wire.send(method, target, &headers, body).unwrap()
    };
    let proof = admin.line.prove("GET", &target, b"", &token).unwrap();
    assert_eq!(
        send(&admin.line, &token, &proof, "GET", &target, b"").status,
        200
    );
    let replayed = send(&admin.line, &token, &proof, "GET", &target, b"");
    refused(&replayed, 401, Code::BadProof);

    let others = [
        ("DELETE", target.clone(), &b""[..]),
        ("GET", format!("{target}?x=1"), b""),
        ("GET", format!("{API_ROOT}/me"), b""),
    ];
    for (method, other, body) in others {
        let proof = admin.line.prove("GET", &target, b"", &token).unwrap();
        let answer = send(&admin.line, &token, &proof, method, &other, body);
        refused(&answer, 401, Code::BadProof);
    }
    // Another body than the one that was signed; and one where none is read.
    let profile = format!("{API_ROOT}/me/profile");
    let (signed, other) = (br#"{"profile":"AQ"}"#, br#"{"profile":"Ag"}"#);
    let proof = admin.line.prove("PUT", &profile, signed, &token).unwrap();
    let answer = send(&admin.line, &token, &proof, "PUT", &profile, other);
    refused(&answer, 401, Code::BadProof);
    let proof = admin.line.prove("GET", &target, b"", &token).unwrap();
    let answer = send(&admin.line, &token, &proof, "GET", &target, b" ");
    refused(&answer, 400, Code::Malformed);
    // A stolen token, with the thief's own key; and the thief's proof for the stolen token.
    let own = ben.line.tokens.clone().unwrap().access;
    for signed in [&token, &own] {
        let proof = ben.line.prove("GET", &target, b"", signed).unwrap();
        let answer = send(&ben.line, &token, &proof, "GET", &target, b"");
        refused(&answer, 401, Code::BadProof);
    }
    for proof in ["", "AA", "!", &"A".repeat(20_000)] {
        let answer = send(&admin.line, &token, proof, "GET", &target, b"");
        refused(&answer, 401, Code::BadProof);
    }
    let refresh = admin.line.tokens.clone().unwrap().refresh;
    let proof = admin.line.prove("GET", &target, b"", &refresh).unwrap();
    let answer = send(&admin.line, &refresh, &proof, "GET", &target, b"");
    assert_eq!(
        answer.problem().unwrap().status,
        401,
        "a refresh token is no access token"
    );
    let bare = admin.line.wire.send("GET", &target, &[], b"").unwrap();
    refused(&bare, 401, Code::LoginNeeded);
}

fn clocks_that_are_wrong(admin: &mut Client) {
    for (skew_ms, status) in [
        (-5 * MINUTE_MS, 401),
        (5 * MINUTE_MS, 401),
        (i64::MAX, 401),
        (-MINUTE_MS / 2, 200),
        (MINUTE_MS / 2, 200),
    ] {
        admin.line.clock_skew_ms = skew_ms;
        let answer = admin.ask("GET", "/me", b"").unwrap();
        assert_eq!(answer.status, status, "a clock that is off by {skew_ms} ms");
        if status == 401 {
            refused(&answer, 401, Code::BadProof);
        }
    }
    admin.line.clock_skew_ms = 0;
}

fn nothing_there(admin: &mut Client) {
    refused(
        &admin.ask("GET", "/nothing", b"").unwrap(),
        404,
        Code::NotFound,
    );
    refused(
        &admin.ask("PATCH", "/me", b"").unwrap(),
        405,
        Code::NoSuchMethod,
    );
    let nowhere = format!("/hubs/{}/records", "0".repeat(32));
    refused(
        &admin.ask("GET", &nowhere, b"").unwrap(),
        403,
        Code::NotAllowed,
    );
    for hub in ["x", "..", "%00", "0123456789ABCDEF0123456789ABCDEF"] {
        let answer = admin
            .ask("GET", &format!("/hubs/{hub}/records"), b"")
            .unwrap();
        assert!(
            (400..500).contains(&answer.problem().unwrap().status),
            "{hub}"
        );
    }
}

/// One address holds all the connections that it may, and more; another is served meanwhile.
fn flooded(place: &Place, server: SocketAddr, admin: &mut Client) {
    let flooder = place.net.phone(7);
    let mut held: Vec<TcpStream> = (0..CONNECTIONS_PER_ADDRESS)
        .map(|_| connect(server, Some(flooder)))
        .collect();
    let more: Vec<TcpStream> = (0..20).map(|_| connect(server, Some(flooder))).collect();
    for stream in more {
        let ended = ends_within(&mut &stream, Duration::from_secs(5));
        assert!(ended < Duration::from_secs(5), "one connection too many");
    }
    let started = Instant::now();
    admin.me().unwrap();
    println!("others were served within {:?}", started.elapsed());
    held.clear();
}

/// Nobody tries logins as fast as they can.
fn too_many_logins(admin: &mut Client) {
    let device = admin.device_id();
    let asked = protocol::ChallengeRequest { device };
    let limited = (0..OPEN_REQUESTS).find_map(|_| {
        let answer = admin.line.wire.open("/login/challenge", &asked).unwrap();
        (answer.status == 429).then_some(answer)
    });
    let problem = limited.expect("no limit").problem().unwrap();
    assert_eq!(problem.code, Code::TooMany);
    assert!(problem.retry_after_s.is_some_and(|wait| wait > 0));
}

/// A request whose front comes drop by drop; how long it lasted.
fn slow_front(server: SocketAddr, ca_pem: &str) -> Duration {
    let mut roots = RootCertStore::empty();
    let authority = rustls::pki_types::CertificateDer::from_pem_slice(ca_pem.as_bytes());
    roots.add(authority.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::from(server.ip());
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = connect(server, None);
    socket
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let mut stream = StreamOwned::new(client, socket);
    let started = Instant::now();
    stream
        .write_all(b"GET /api/v1/me HTTP/1.1\r\nhost: x\r\n")
        .unwrap();
    loop {
        assert!(
            started.elapsed() < FRONT_ENDS_WITHIN,
            "it may dawdle for ever"
        );
        let sent = stream
            .write_all(b"x-more: x\r\n")
            .and_then(|()| stream.flush());
        let ended = match stream.read(&mut [0; 1024]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        if sent.is_err() || ended {
            return started.elapsed();
        }
    }
}

/// A connection from this address of our own, or from any.
fn connect(server: SocketAddr, from: Option<IpAddr>) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    }
    socket.connect(&server.into()).unwrap();
    socket.into()
}

/// How long it took the server to end a connection on which nothing is said.
fn ends_within(stream: &mut &TcpStream, limit: Duration) -> Duration {
    stream.set_read_timeout(Some(limit)).unwrap();
    let started = Instant::now();
    // A server that ends it without having read may reset it.
    let ended = stream.read(&mut [0; 16]);
    match ended {
        Ok(0) => started.elapsed(),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => started.elapsed(),
        other => panic!("it did not end within {limit:?}: {other:?}"),
    }
}

/// An answer with this status and code, and a sentence.
fn refused(answer: &Answer, status: u16, code: Code) {
    let problem = answer.problem().unwrap();
    assert_eq!(
        (problem.status, problem.code),
        (status, code),
        "{}",
        problem.detail
    );
}
