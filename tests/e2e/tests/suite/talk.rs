//! In the call: codecs, hold, strangers, and sides that fall silent.

use std::time::{Duration, Instant};

use e2e::baresip::{Baresip, Setup};
use e2e::hotline::Hotline;
use e2e::net::Net;
use e2e::server::Server;
use e2e::sipp::{Plan, Sipp};
use e2e::voice::Voice;

const CALLER: &str = "+34911987654";
const CALLER_HZ: u32 = 440;
const VOLUNTEER_HZ: u32 = 600;
/// Long enough for the pauses that the tests make.
const MEDIA_TIMEOUT_S: u64 = 10;

/// A volunteer with one codec, and a PCMU caller.
struct Talk {
    server: Server,
    phone: Baresip,
    voice: Voice,
    caller: Sipp,
}

impl Talk {
    fn start(codec: &str, scenario: &'static str, values: &[(&'static str, &str)]) -> Self {
        let net = Net::new();
        let hotline = Hotline::new(net, &["ana"]).media_timeout(MEDIA_TIMEOUT_S);
        let server = Server::start(&hotline);
        let setup = Setup {
            codecs: codec,
            ..Setup::phone(net.phone(0), "ana", VOLUNTEER_HZ)
        };
        let mut phone = Baresip::start(net, setup);
        server.wait_phones(1);
        let voice = Voice::start(net.trunk(), CALLER_HZ);
        let mut plan = Plan::caller(scenario, net, CALLER)
            .set("audio_port", &voice.port())
            .set("play", "")
            .set("hold_ms", "60000");
        for (name, value) in values {
            plan = plan.set(name, value);
        }
        let caller = plan.start(net);
        phone.wait("CALL_INCOMING", 1);
        phone.answer();
        phone.wait("CALL_ESTABLISHED", 1);
        Self {
            server,
            phone,
            voice,
            caller,
        }
    }

    fn ends_when_the_volunteer_hangs_up(mut self) {
        self.phone.hang_up();
        self.caller.succeeds();
        self.server.wait_idle();
    }
}

#[test]
fn each_codec_is_understood_by_a_caller_with_another() {
    for codec in ["pcma", "g722", "opus"] {
        let talk = Talk::start(codec, "caller", &[]);
        let to_caller = talk.voice.wait_hears(VOLUNTEER_HZ, 1.5);
        let to_volunteer = talk.phone.wait_hears(CALLER_HZ, 1.5);
        println!("{codec}: the caller heard {to_caller:.1} s, the volunteer {to_volunteer:.1} s");
        talk.ends_when_the_volunteer_hangs_up();
    }
}

#[test]
fn a_caller_on_hold_is_not_heard_and_comes_back() {
    let talk = Talk::start("pcmu", "caller_holds", &[("talk_ms", "2500")]);
    talk.voice.wait_hears(VOLUNTEER_HZ, 1.0);
    let second = |sdp: &e2e::sipp::Traced| !sdp.sent && sdp.text.contains("a=recvonly");
    talk.caller.wait_message("an answer to the hold", second);
    std::thread::sleep(Duration::from_millis(500));
    talk.voice.forget();
    std::thread::sleep(Duration::from_millis(1_200));
    let held = talk.voice.heard().seconds_of(VOLUNTEER_HZ);
    println!("on hold the volunteer was heard for {held:.1} s");
    assert!(held < 0.2, "{}", talk.voice.heard());
    talk.voice.wait_hears(VOLUNTEER_HZ, 1.5);
    talk.phone.wait_hears(CALLER_HZ, 4.0);
    talk.ends_when_the_volunteer_hangs_up();
}

#[test]
fn a_volunteer_puts_the_caller_on_hold_and_takes_them_back() {
    let mut talk = Talk::start("pcmu", "caller", &[]);
    talk.voice.wait_hears(VOLUNTEER_HZ, 1.0);
    talk.phone.hold();
    talk.voice.wait_hears(e2e::hotline::MUSIC_HZ, 1.0);
    talk.phone.resume();
    talk.voice.forget();
    talk.voice.wait_hears(VOLUNTEER_HZ, 1.5);
    talk.ends_when_the_volunteer_hangs_up();
}

#[test]
fn a_stranger_is_not_heard() {
    const STRANGER_HZ: u32 = 1_500;
    let talk = Talk::start("pcmu", "caller", &[]);
    talk.voice.wait_hears(VOLUNTEER_HZ, 1.0);
    talk.phone.wait_hears(CALLER_HZ, 1.0);
    let box_audio = talk.voice.remote().unwrap();
    let stranger = Voice::start(talk.server.net().phone(9), STRANGER_HZ);
    stranger.speak_to(box_audio);
    // Even in a pause of the caller.
    std::thread::sleep(Duration::from_secs(1));
    talk.voice.speak(false);
    std::thread::sleep(Duration::from_secs(2));
    talk.voice.speak(true);
    let before = talk.phone.heard().seconds_of(CALLER_HZ);
    talk.phone.wait_hears(CALLER_HZ, before + 1.0);
    let heard = talk.phone.heard();
    println!(
        "the volunteer heard {heard}; the stranger heard {} packets",
        stranger.packets()
    );
    assert!(heard.seconds_of(STRANGER_HZ) < 0.1, "{heard}");
    assert_eq!(stranger.packets(), 0, "the call is sent to a stranger");
    talk.ends_when_the_volunteer_hangs_up();
}

#[test]
fn a_side_that_falls_silent_for_good_ends_the_call() {
    let mut talk = Talk::start("pcmu", "caller", &[]);
    talk.voice.wait_hears(VOLUNTEER_HZ, 1.0);
    talk.voice.speak(false);
    let silent = Instant::now();
    talk.caller.wait_end(Duration::from_secs(30));
    println!(
        "ended {:.1} s after the last packet",
        silent.elapsed().as_secs_f64()
    );
    let least = Duration::from_secs(MEDIA_TIMEOUT_S) - Duration::from_millis(200);
    assert!(silent.elapsed() > least, "too early");
    talk.phone.wait("CALL_CLOSED", 1);
    talk.caller.wait_received("BYE");
    talk.server.wait_idle();
}
