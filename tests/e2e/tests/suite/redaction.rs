//! Logs tell nothing about people, however much is logged.

use e2e::baresip::{Baresip, Setup};
use e2e::hotline::{Hotline, INVITATION_HZ, NUMBER, SHOWN, THANKS_HZ, password};
use e2e::net::Net;
use e2e::server::Server;
use e2e::sipp::Plan;
use e2e::voice::Voice;

const CALLER: &str = "+34911987654";
const CALLER_NAME: &str = "Maria Secreta";
/// The volunteer, in the file and as the user of their phone.
const HANDLE: &str = "zoraida";

#[test]
fn a_whole_call_at_the_most_verbose_level_tells_nothing_about_anybody() {
    let net = Net::new();
    let hotline = Hotline::new(net, &[HANDLE]);
    let server = Server::start_logging(&hotline, "trace");
    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), HANDLE, 600));
    server.wait_phones(1);
    server.say(&["ban", "night", "+34911222333"]);

    // One call that is answered, with keys pressed, and one that ends with a message.
    let voice = Voice::start(net.trunk(), 440);
    let from = format!("\"{CALLER_NAME}\" <sip:{CALLER}@{}>", net.trunk());
    let plan = || {
        Plan::caller("caller", net, CALLER)
            .set("from", &from)
            .set("play", "")
            .set("audio_port", &voice.port())
            .set("hold_ms", "40000")
    };
    let mut answered = plan().start(net);
    phone.wait("CALL_INCOMING", 1);
    phone.answer();
    voice.wait_hears(600, 1.0);
    for key in "739*".chars() {
        voice.press(key);
        std::thread::sleep(std::time::Duration::from_millis(150));
    }
    phone.hang_up();
    answered.succeeds();
    server.say(&["break", HANDLE, "on"]);
    let mut message = plan().start(net);
    voice.wait_hears(INVITATION_HZ, 0.7);
    std::thread::sleep(std::time::Duration::from_secs(3));
    voice.press('#');
    voice.wait_hears(THANKS_HZ, 0.7);
    message.succeeds();
    server.wait_idle();
    let calls = server.say(&["calls"]);
    assert!(
        calls.contains("answered") && calls.contains("voicemail"),
        "{calls}"
    );

    let wire = format!("{}{}{}", phone.wire(), answered.wire(), message.wire());
    let log = server.log();
    println!("{} lines logged", log.lines().count());
    assert!(
        log.lines().count() > 20,
        "nothing was logged, so nothing is shown:\n{log}"
    );
    for secret in secrets(&wire) {
        assert!(
            !log.contains(&secret),
            "{secret:?} is in the log:\n{}",
            around(&log, &secret)
        );
    }
    for line in log.lines() {
        let lower = line.to_ascii_lowercase();
        for word in [
            "digit: '", "digit('", "key: '", "a=rtpmap", "m=audio", "v=0",
        ] {
            assert!(!lower.contains(word), "{word:?} in: {line}");
        }
    }
}

/// What must not be told: who calls, what is dialled, who is shown, what was agreed, what proves who one is.
fn secrets(wire: &str) -> Vec<String> {
    let mut secrets: Vec<String> = [
        &CALLER[1..],
        "911987654",
        "911222333",
        &NUMBER[1..],
        CALLER_NAME,
        "Maria",
        SHOWN,
        HANDLE,
        &password(HANDLE),
    ]
    .map(str::to_owned)
    .to_vec();
    let mut kinds = std::collections::BTreeSet::new();
    for line in wire.lines().map(str::trim) {
        let sdp = ["o=", "c=IN", "m=audio", "a=rtpmap", "a=fmtp"]
            .iter()
            .find(|start| line.starts_with(**start));
        if let Some(start) = sdp {
            kinds.insert(*start);
            secrets.push(line.to_owned());
        }
        for name in ["response=\"", "nonce=\"", "cnonce=\""] {
            if let Some((_, rest)) = line.split_once(name) {
                kinds.insert(name);
                secrets.extend(rest.split('"').next().map(str::to_owned));
            }
        }
    }
    assert!(
        kinds.len() >= 7,
        "the wire shows too little to look for: {kinds:?}"
    );
    secrets.sort();
    secrets.dedup();
    println!("{} secrets looked for", secrets.len());
    secrets
}

fn around<'l>(log: &'l str, secret: &str) -> &'l str {
    log.lines()
        .find(|line| line.contains(secret))
        .unwrap_or_default()
}
