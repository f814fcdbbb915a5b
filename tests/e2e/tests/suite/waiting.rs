//! Callers who wait.

use std::time::{Duration, Instant};

use e2e::baresip::{Baresip, Setup};
use e2e::hotline::{BEEP_HZ, GREETING_HZ, Hotline, INVITATION_HZ, MUSIC_HZ, NUMBER, THANKS_HZ};
use e2e::net::Net;
use e2e::server::Server;
use e2e::sipp::{Plan, Sipp};
use e2e::voice::Voice;

const CALLER: &str = "+34911987654";
const CALLER_HZ: u32 = 440;

#[test]
fn who_waits_hears_the_greeting_and_the_music_until_somebody_is_free() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]).with("queue_timeout", 60));
    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", 600));
    server.wait_phones(1);
    let mut first = Baresip::start(net, Setup::caller(net, CALLER, CALLER_HZ));
    first.dial(net, NUMBER);
    phone.wait("CALL_INCOMING", 1);
    phone.answer();
    first.wait("CALL_ESTABLISHED", 1);

    // The only volunteer is busy: the next caller is answered at once.
    let voice = Voice::start(net.second_trunk(), 480);
    let second = net_caller(net, &voice);
    let greeting = voice.wait_hears(GREETING_HZ, 0.7);
    let music = voice.wait_hears(MUSIC_HZ, 6.0);
    println!("the waiting caller heard {}", voice.heard());
    assert!(greeting < 1.5 && music >= 6.0);
    assert_eq!(phone.count("CALL_INCOMING"), 1, "a busy volunteer was rung");

    // Whoever becomes free is rung at once.
    first.hang_up();
    let freed = Instant::now();
    phone.wait("CALL_INCOMING", 2);
    println!("rung {:?} after the last call ended", freed.elapsed());
    assert!(freed.elapsed() < Duration::from_secs(2));
    phone.answer();
    voice.wait_hears(600, 1.0);
    phone.wait_hears(480, 1.0);
    phone.hang_up();
    let mut second = second;
    second.succeeds();
    server.wait_idle();
}

#[test]
fn a_volunteer_has_time_to_breathe_between_two_callers() {
    const WRAP_UP_S: u32 = 5;
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]).with("wrap_up", WRAP_UP_S));
    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", 600));
    server.wait_phones(1);
    let mut first = Baresip::start(net, Setup::caller(net, CALLER, CALLER_HZ));
    first.dial(net, NUMBER);
    phone.wait("CALL_INCOMING", 1);
    phone.answer();
    first.wait("CALL_ESTABLISHED", 1);
    phone.hang_up();
    let over = Instant::now();
    first.wait("CALL_CLOSED", 1);

    let voice = Voice::start(net.second_trunk(), 480);
    let _second = net_caller(net, &voice);
    phone.wait("CALL_INCOMING", 2);
    let rest = over.elapsed().as_secs_f64();
    println!("rung again {rest:.1} s after the last call");
    assert!((rest - f64::from(WRAP_UP_S)).abs() < 1.0, "{rest} s");
    phone.answer();
    voice.wait_hears(600, 1.0);
}

#[test]
fn the_music_that_comes_with_the_box_is_heard() {
    let net = Net::new();
    let hotline = Hotline::new(net, &["ana"]).built_in_recordings();
    let server = Server::start(&hotline.with("answer_after", 1));
    Sipp::register(net, net.phone(0), "ana");
    server.wait_phones(1);
    let rings = Plan::new("phone_rings", net.phone(0))
        .set("user", "ana")
        .start(net);
    let voice = Voice::start(net.trunk(), 0);
    let _caller = net_caller(net, &voice);
    rings.wait_received("INVITE");
    e2e::eventually("12 s of sound", Duration::from_secs(30), || {
        (voice.heard().seconds_of_sound() > 12.0).then_some(())
    });
    let heard = voice.heard();
    println!(
        "{:.1} s of sound in {:.1} s",
        heard.seconds_of_sound(),
        heard.seconds()
    );
    assert!(heard.seconds_of_sound() > 0.6 * heard.seconds());
}

#[test]
fn a_caller_who_gives_up_stops_every_phone() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana", "ben"]));
    let phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", 600));
    Sipp::register(net, net.phone(1), "ben");
    server.wait_phones(2);
    let mut rings = Plan::new("phone_rings", net.phone(1))
        .set("user", "ben")
        .start(net);
    let mut caller = Plan::caller("caller_gives_up", net, CALLER)
        .set("wait_ms", "700")
        .start(net);
    caller.succeeds();
    rings.succeeds();
    phone.wait("CALL_CLOSED", 1);
    let at = |m: e2e::sipp::Traced| m.at_s;
    let gave_up = caller.wait_message("CANCEL", |m| m.sent && m.text.starts_with("CANCEL"));
    let stopped = at(rings.wait_received("CANCEL")) - at(gave_up);
    println!(
        "the phone stopped {:.1} ms after the caller gave up",
        stopped * 1e3
    );
    server.wait_idle();
    let calls = server.say(&["calls"]);
    assert!(calls.contains("abandoned"), "{calls}");
}

#[test]
fn who_has_waited_long_enough_is_asked_for_a_message() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]).with("answer_after", 2));
    Sipp::register(net, net.phone(0), "ana");
    server.wait_phones(1);
    let mut rings = Plan::new("phone_rings", net.phone(0))
        .set("user", "ana")
        .start(net);
    let voice = Voice::start(net.trunk(), CALLER_HZ);
    let mut caller = Plan::caller("caller", net, CALLER)
        .set("audio_port", &voice.port())
        .set("play", "")
        .set("hold_ms", "60000")
        .start(net);
    let called = caller.wait_message("the INVITE", |m| m.sent && m.text.starts_with("INVITE"));
    voice.wait_hears_within(INVITATION_HZ, 0.7, Duration::from_secs(45));
    voice.wait_hears(BEEP_HZ, 0.2);
    std::thread::sleep(Duration::from_secs(2));
    voice.press('#');
    voice.wait_hears(THANKS_HZ, 0.7);
    caller.succeeds();
    rings.succeeds();
    let waited = rings.wait_received("CANCEL").at_s - called.at_s;
    println!(
        "the phones stopped after {waited:.3} s of waiting; the caller heard {}",
        voice.heard()
    );
    assert!((30.0..31.0).contains(&waited), "{waited}");
    server.wait_idle();
    let calls = server.say(&["calls"]);
    assert!(calls.contains("voicemail"), "{calls}");
}

fn net_caller(net: Net, voice: &Voice) -> Sipp {
    Plan::caller("caller", net, CALLER)
        .at(voice.ip())
        .set("audio_port", &voice.port())
        .set("play", "")
        .set("hold_ms", "60000")
        .start(net)
}
