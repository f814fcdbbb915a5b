//! Starting, stopping, and what is said when something is wrong.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use e2e::baresip::{Baresip, Setup};
use e2e::hotline::{Hotline, NUMBER};
use e2e::net::Net;
use e2e::server::{Server, sentence};
use e2e::sipp::Plan;

#[test]
fn live_calls_finish_before_the_box_stops() {
    let net = Net::new();
    let mut server = Server::start(&Hotline::new(net, &["ana"]));
    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", 600));
    server.wait_phones(1);
    assert_eq!(server.http("/health/live").unwrap().0, 200);
    let mut caller = Baresip::start(net, Setup::caller(net, "+34911987654", 440));
    caller.dial(net, NUMBER);
    phone.wait("CALL_INCOMING", 1);
    phone.answer();
    caller.wait_hears(600, 0.5);

    server.terminate();
    wait_draining(&server);
    assert_eq!(server.http("/health/live").unwrap().0, 200);
    let heard = caller.heard().seconds_of(600);
    caller.wait_hears(600, heard + 1.0);
    assert!(server.is_running());
    caller.hang_up();
    let status = server.wait_exit();
    assert!(status.success(), "{status}");
    phone.wait("CALL_CLOSED", 1);
}

#[test]
fn no_new_call_is_taken_while_a_live_one_finishes() {
    let net = Net::new();
    let mut server = Server::start(&Hotline::new(net, &["ana"]));
    let first = Plan::caller("caller", net, "+34911987654")
        .set("play", "")
        .set("hold_ms", "6000");
    let mut first = first.start(net);
    first.wait_received("SIP/2.0 200");
    server.terminate();
    wait_draining(&server);
    let refused = second_call(net);
    println!("{}", refused.lines().next().unwrap_or_default());
    assert!(refused.starts_with("SIP/2.0 503 "), "{refused}");
    first.succeeds();
    assert!(server.wait_exit().success());
}

fn wait_draining(server: &Server) {
    e2e::eventually("the box not to be ready", Duration::from_secs(5), || {
        (server.http("/health/ready")?.0 == 503).then_some(())
    });
}

/// A call from the carrier's address, but another port; the final response.
fn second_call(net: Net) -> String {
    let socket = UdpSocket::bind((net.trunk(), 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let local = socket.local_addr().unwrap();
    let (server, ip) = (net.sip(), net.trunk());
    let invite = format!(
        "INVITE sip:{NUMBER}@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-late\r\n\
         Max-Forwards: 70\r\nFrom: <sip:+34911222333@{ip}>;tag=late\r\nTo: <sip:{NUMBER}@{server}>\r\n\
         Call-ID: late@{ip}\r\nCSeq: 1 INVITE\r\nContact: <sip:carrier@{local}>\r\n\
         Content-Length: 0\r\n\r\n"
    );
    e2e::eventually("a final response", Duration::from_secs(5), || {
        socket.send_to(invite.as_bytes(), server).unwrap();
        let mut packet = [0; 2_000];
        let length = socket.recv(&mut packet).ok()?;
        let text = String::from_utf8_lossy(&packet[..length]).into_owned();
        (!text.starts_with("SIP/2.0 1")).then_some(text)
    })
}

#[test]
fn a_mistake_in_the_hotline_file_is_told_with_its_line() {
    let net = Net::new();
    let server = Server::prepared(&Hotline::new(net, &["v01"]));
    let file = server.folder().join("hotline.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (line, _) = text
        .lines()
        .enumerate()
        .find(|(_, line)| line.starts_with("wrap_up"))
        .unwrap();
    std::fs::write(&file, text.replace("wrap_up", "wrap_upp")).unwrap();
    let said = sentence(&server.cli(&["apply", file.to_str().unwrap()]));
    let place = format!("hotline.toml:{}:", line + 1);
    assert!(
        said.contains(&place) && said.contains("`wrap_up`"),
        "{said}"
    );

    let missing = server.folder().join("missing.toml");
    let said = sentence(&server.cli(&["apply", missing.to_str().unwrap()]));
    assert!(
        said.contains("missing.toml") && said.contains("cannot be read"),
        "{said}"
    );

    std::fs::write(&file, text.replace("greeting.wav", "gone.wav")).unwrap();
    let said = sentence(&server.cli(&["apply", file.to_str().unwrap()]));
    assert!(said.contains("gone.wav"), "{said}");
}

#[test]
fn an_occupied_port_is_told_by_its_address() {
    let net = Net::new();
    let server = Server::prepared(&Hotline::new(net, &["ana"]));
    let udp = UdpSocket::bind(net.sip()).unwrap();
    let said = sentence(&server.cli(&["serve"]));
    assert!(
        said.contains(&net.sip().to_string()) && said.contains("UDP"),
        "{said}"
    );
    drop(udp);
    let tcp = TcpListener::bind(net.sip()).unwrap();
    let said = sentence(&server.cli(&["serve"]));
    assert!(
        said.contains(&net.sip().to_string()) && said.contains("TCP"),
        "{said}"
    );
    drop(tcp);
    let metrics = TcpListener::bind(net.metrics()).unwrap();
    let said = sentence(&server.cli(&["serve"]));
    assert!(
        said.contains(&net.metrics().to_string()) && said.contains("metrics"),
        "{said}"
    );
    drop(metrics);
}

#[test]
fn metrics_are_for_this_machine_only() {
    let net = Net::new();
    let server = Server::prepared(&Hotline::new(net, &["ana"]));
    let file = server.folder().join("hotline.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let address = format!("metrics = \"{}\"", net.metrics());
    std::fs::write(&file, text.replace(&address, "metrics = \"0.0.0.0:19464\"")).unwrap();
    let applied = server.cli(&["apply", file.to_str().unwrap()]);
    let said = if applied.status.success() {
        server.cli(&["serve"])
    } else {
        applied
    };
    let said = sentence(&said);
    assert!(said.contains("loopback"), "{said}");
}

#[test]
fn a_broken_database_and_a_second_server_are_told() {
    let net = Net::new();
    let mut server = Server::start(&Hotline::new(net, &["ana"]));
    let said = sentence(&server.cli(&["serve"]));
    assert!(said.contains("in use"), "{said}");
    server.kill();
    let database = std::fs::read_dir(server.data())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "db" || e == "sqlite"))
        .collect::<Vec<_>>();
    assert_eq!(database.len(), 1, "{database:?}");
    for leftover in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{leftover}", database[0].display()));
    }
    std::fs::write(&database[0], "this is no database at all".repeat(500)).unwrap();
    let said = sentence(&server.cli(&["serve"]));
    assert!(said.contains("damaged or not a database"), "{said}");
}

/// Kilobytes that a file may have; a limit on files stands for a disk without room.
const FILE_LIMIT_KB: u32 = 256;

#[test]
fn a_full_disk_is_told_and_calls_go_on() {
    let net = Net::new();
    let mut server = Server::prepared(&Hotline::new(net, &["ana"]));
    let file = server.folder().join("hotline.toml");
    let apply = ["apply", file.to_str().unwrap()];
    server.limit_files(4);
    let said = sentence(&server.cli_on(&server.folder().join("fresh"), &apply));
    assert!(said.contains("full or refuses writes"), "{said}");

    server.limit_files(FILE_LIMIT_KB);
    server.run();
    assert_eq!(server.status()["database_ok"], true);
    let calls = Plan::caller("caller", net, "+34911987654");
    let calls = calls
        .set("play", "")
        .set("hold_ms", "1")
        .calls(200)
        .start(net);
    server.wait_status("the disk to be full", Duration::from_secs(60), |status| {
        (status["database_ok"] == false).then_some(())
    });
    drop(calls);
    let (status, why) = server.http("/health/ready").unwrap();
    println!("{}", why.trim());
    assert_eq!(status, 503);
    assert!(why.contains("database"), "{why}");

    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", 600));
    server.wait_phones(1);
    let mut caller = Baresip::start(net, Setup::caller(net, "+34911987654", 440));
    caller.dial(net, NUMBER);
    phone.wait("CALL_INCOMING", 1);
    phone.answer();
    caller.wait_hears(600, 1.0);
}
