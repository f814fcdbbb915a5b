//! What flows beside the voice, and instead of it: reports, comfort noise, nothing at all.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use e2e::baresip::{Baresip, Setup};
use e2e::hotline::{Hotline, MUSIC_HZ};
use e2e::net::Net;
use e2e::server::Server;
use e2e::sipp::{Plan, Sipp};
use e2e::voice::{SSRC, Voice};

const CALLER: &str = "+34911987654";
const CALLER_HZ: u32 = 440;
const VOLUNTEER_HZ: u32 = 600;
const OTHER_HZ: u32 = 900;
/// After which a party that sends nothing is gone, seconds.
const TIMEOUT_S: u64 = 6;
/// What the box and its peers may take for the rest.
const SLACK_S: u64 = 3;

/// A call that nobody has picked up yet.
fn call(net: Net, voice: &Voice) -> Sipp {
    Plan::caller("caller", net, CALLER)
        .set("audio_port", &voice.port())
        .set("more_formats", " 13")
        .set("play", "")
        .set("hold_ms", "60000")
        .start(net)
}

/// A sender report (RFC 3550 section 6.4.1) with the first of its report blocks.
#[derive(Debug)]
struct Report {
    at: Instant,
    ntp_s: f64,
    timestamp: u32,
    packets: u32,
    octets: u32,
    about: u32,
    lost: u32,
    highest: u32,
    jitter: u32,
}

impl Report {
    fn receive(socket: &UdpSocket) -> Self {
        let mut packet = [0; 1_500];
        let length = socket.recv(&mut packet).unwrap();
        let at = Instant::now();
        let word = |n: usize| u32::from_be_bytes(packet[n * 4..][..4].try_into().unwrap());
        assert!(length >= 52, "{length} bytes of RTCP");
        assert_eq!(word(0) >> 16, 0x81c8, "no sender report with one block");
        // RFC 3550 section 6.1: the name comes along in every compound packet.
        assert_eq!(packet[53], 202, "no source description follows");
        Self {
            at,
            ntp_s: f64::from(word(2)) + f64::from(word(3)) / f64::from(u32::MAX),
            timestamp: word(4),
            packets: word(5),
            octets: word(6),
            about: word(7),
            lost: word(8),
            highest: word(9),
            jitter: word(10),
        }
    }
}

#[test]
fn both_sides_get_true_reports_about_every_five_seconds() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]));
    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", VOLUNTEER_HZ));
    server.wait_phones(1);
    let (voice, socket) = Voice::start_with_reports(net.trunk(), CALLER_HZ);
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut caller = call(net, &voice);
    phone.wait("CALL_INCOMING", 1);
    phone.answer();
    let reports: Vec<Report> = (0..3).map(|_| Report::receive(&socket)).collect();
    for pair in reports.windows(2) {
        let [a, b] = pair else { unreachable!() };
        let passed = (b.at - a.at).as_secs_f64();
        let (packets, octets) = (b.packets - a.packets, b.octets - a.octets);
        let ticks = b.timestamp.wrapping_sub(a.timestamp);
        println!("after {passed:.2} s: {packets} packets, {octets} bytes; {b:?}");
        assert!((2.4..7.7).contains(&passed), "{passed}");
        assert!(
            (f64::from(packets) / passed - 50.0).abs() < 2.0,
            "{packets} packets"
        );
        assert_eq!(octets, packets * 160, "PCMU has 160 bytes in a packet");
        assert!(
            (b.ntp_s - a.ntp_s - passed).abs() < 0.1,
            "the clock is wrong"
        );
        assert!(
            (f64::from(ticks) / passed - 8_000.0).abs() < 200.0,
            "{ticks} ticks"
        );
        assert_eq!((b.about, b.lost), (SSRC, 0));
        assert!((f64::from(b.highest - a.highest) / passed - 50.0).abs() < 2.0);
        assert!(
            b.jitter < 160,
            "{} ticks of jitter on this machine",
            b.jitter
        );
    }
    let stats = phone.wait("CALL_RTCP", 2)["rtcp_stats"].clone();
    println!("baresip: {stats}");
    let number = |direction: &str, name: &str| stats[direction][name].as_u64().unwrap();
    assert_eq!(
        (number("rx", "lost"), number("tx", "lost")),
        (0, 0),
        "{stats}"
    );
    assert!(number("rx", "sent") > 200, "{stats}");
    // Told only to who has sent reports that the box has understood; microseconds.
    let round_trip = stats["rtt"].as_u64().unwrap();
    assert!((1..100_000).contains(&round_trip), "{stats}");
    phone.hang_up();
    caller.succeeds();
}

#[test]
fn a_caller_who_sends_comfort_noise_is_still_there() {
    /// What the caller's room sounds like, dB below the loudest.
    const NOISE: u8 = 50;
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]).media_timeout(TIMEOUT_S));
    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", VOLUNTEER_HZ));
    server.wait_phones(1);
    let voice = Voice::start(net.trunk(), CALLER_HZ);
    let mut caller = call(net, &voice);
    phone.wait("CALL_INCOMING", 1);
    phone.answer();
    phone.wait_hears(CALLER_HZ, 1.0);

    voice.speak(false);
    voice.describe_noise(NOISE);
    std::thread::sleep(Duration::from_secs(1));
    let before = phone.heard().seconds();
    for _ in 0..TIMEOUT_S {
        std::thread::sleep(Duration::from_millis(1_500));
        voice.describe_noise(NOISE);
    }
    assert_eq!(
        phone.count("CALL_CLOSED"),
        0,
        "ended though the caller is there"
    );
    let pause = phone.heard().after(before);
    let levels = pause.levels();
    let (quietest, loudest) = levels.iter().fold((f64::MAX, 0.0_f64), |(low, high), &l| {
        (low.min(l), high.max(l))
    });
    println!(
        "{:.1} s of pause, levels {quietest:.0} to {loudest:.0}: {pause}",
        pause.seconds()
    );
    // -50 dB of 32768 are 104.
    assert!(loudest < 200.0, "loud noise: {pause}");
    assert!(quietest > 30.0, "as if the line were dead: {pause}");
    assert!(
        pause.seconds_of(CALLER_HZ) < 0.1,
        "the tone goes on: {pause}"
    );

    voice.speak(true);
    let heard = phone.heard().seconds_of(CALLER_HZ);
    phone.wait_hears(CALLER_HZ, heard + 1.0);
    voice.speak(false);
    voice.describe_noise(NOISE);
    let described = Instant::now();
    phone.wait("CALL_CLOSED", 1);
    println!(
        "ended {:.1} s after the last packet",
        described.elapsed().as_secs_f64()
    );
    assert!(described.elapsed() > Duration::from_secs(TIMEOUT_S) - Duration::from_millis(100));
    assert!(described.elapsed() < Duration::from_secs(TIMEOUT_S + SLACK_S));
    caller.succeeds();
}

#[test]
fn who_has_a_volunteer_whose_phone_died_gets_another_one() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana", "ben"]).media_timeout(TIMEOUT_S));
    let mut dies = Baresip::start(net, Setup::phone(net.phone(0), "ana", VOLUNTEER_HZ));
    let mut other = Baresip::start(net, Setup::phone(net.phone(1), "ben", OTHER_HZ));
    server.wait_phones(2);
    let voice = Voice::start(net.trunk(), CALLER_HZ);
    let mut caller = call(net, &voice);
    dies.wait("CALL_INCOMING", 1);
    dies.answer();
    voice.wait_hears(VOLUNTEER_HZ, 1.0);
    dies.kill();
    let died = Instant::now();
    voice.wait_hears(MUSIC_HZ, 0.3);
    println!(
        "music {:.1} s after the phone died",
        died.elapsed().as_secs_f64()
    );
    assert!(died.elapsed() < Duration::from_secs(TIMEOUT_S + SLACK_S));
    other.wait("CALL_INCOMING", 2);
    other.answer();
    voice.wait_hears(OTHER_HZ, 1.0);
    other.hang_up();
    caller.succeeds();
    server.wait_idle();
    assert_media_lost(&server);
    let calls = server.say(&["calls"]);
    assert!(calls.contains("ana, ben"), "{calls}");
}

#[test]
fn a_caller_whose_telephone_died_leaves_the_volunteer_to_others() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]).media_timeout(TIMEOUT_S));
    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", VOLUNTEER_HZ));
    server.wait_phones(1);
    let voice = Voice::start(net.trunk(), CALLER_HZ);
    let mut caller = call(net, &voice);
    phone.wait("CALL_INCOMING", 1);
    phone.answer();
    phone.wait_hears(CALLER_HZ, 1.0);
    caller.kill();
    drop(voice);
    let died = Instant::now();
    phone.wait("CALL_CLOSED", 1);
    println!(
        "released {:.1} s after the caller died",
        died.elapsed().as_secs_f64()
    );
    assert!(died.elapsed() < Duration::from_secs(TIMEOUT_S + SLACK_S));
    server.wait_idle();
    assert_media_lost(&server);
    let calls = server.say(&["calls"]);
    assert!(calls.contains("answered (media lost)"), "{calls}");

    // The volunteer is there for the next one.
    let voice = Voice::start(net.second_trunk(), CALLER_HZ);
    let mut next = Plan::caller("caller", net, CALLER)
        .at(voice.ip())
        .set("audio_port", &voice.port())
        .set("play", "")
        .start(net);
    phone.wait("CALL_INCOMING", 2);
    phone.answer();
    voice.wait_hears(VOLUNTEER_HZ, 1.0);
    phone.hang_up();
    next.succeeds();
}

/// The log says why the leg ended.
fn assert_media_lost(server: &Server) {
    let log = server.log();
    let why = log.lines().filter(|line| line.contains("no media"));
    assert_eq!(why.count(), 1, "{log}");
    assert!(log.contains("reason=MediaLost"), "{log}");
}
