//! Messages: how they end, what is in them, and what is on the disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::audio::Heard;
use e2e::eventually;
use e2e::hotline::{BEEP_HZ, Hotline, INVITATION_HZ, THANKS_HZ};
use e2e::net::Net;
use e2e::server::{Server, succeeded};
use e2e::sipp::{Plan, Sipp};
use e2e::voice::Voice;
use media::codec::Codec;

const CALLER_HZ: u32 = 440;
const WITHIN: Duration = Duration::from_secs(20);

/// A hotline whose volunteers are all away: callers come to the message at once.
fn nobody_there() -> (Net, Server) {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]));
    (net, server)
}

fn caller(net: Net, scenario: &'static str, voice: &Voice) -> Plan<'static> {
    Plan::caller(scenario, net, "+34911987654")
        .set("audio_port", &voice.port())
        .set("play", "")
        .set("hold_ms", "40000")
}

/// The caller has been asked, and now speaks for `seconds`.
fn speak_after_the_beep(voice: &Voice, seconds: u64) {
    voice.wait_hears(INVITATION_HZ, 0.7);
    voice.wait_hears(BEEP_HZ, 0.2);
    std::thread::sleep(Duration::from_secs(seconds));
}

/// Opens the one message; what the reader hears, and what the command said.
fn open(server: &Server) -> (Heard, String) {
    let id = eventually("a message in the list", WITHIN, || {
        let list = server.say(&["voicemail", "list"]);
        let line = list.lines().nth(1)?;
        Some(line.split_whitespace().next()?.to_owned())
    });
    let out = server.folder().join(&format!("{id}.wav"));
    // Of an earlier look; the command overwrites nothing.
    let _ = std::fs::remove_file(&out);
    let key = server.key_file();
    let arguments = ["voicemail", "open", &id, "--key", key.to_str().unwrap()];
    let output = server.cli(&[&arguments[..], &["--out", out.to_str().unwrap()]].concat());
    succeeded(&output);
    let said = String::from_utf8(output.stdout).unwrap();
    println!("{}", said.trim());
    (Heard::read(&out), said)
}

fn assert_is_the_callers(message: &Heard, seconds: std::ops::Range<f64>) {
    println!("the message: {message}");
    let spoken = message.seconds_of(CALLER_HZ);
    assert!(seconds.contains(&spoken), "{spoken} s of the caller");
    assert!(
        message.seconds_of(BEEP_HZ) < 0.2,
        "the beep is in the message"
    );
}

#[test]
fn a_message_ends_with_the_hash_key_in_rtp() {
    let (net, server) = nobody_there();
    let voice = Voice::start(net.trunk(), CALLER_HZ);
    let mut caller = caller(net, "caller", &voice).start(net);
    speak_after_the_beep(&voice, 3);
    voice.press('#');
    voice.wait_hears(THANKS_HZ, 0.7);
    caller.succeeds();
    let (message, _) = open(&server);
    assert_is_the_callers(&message, 2.0..5.0);
    assert_sealed(&server.data(), &message);
}

#[test]
fn a_message_ends_with_the_hash_key_in_sip_info() {
    let (net, server) = nobody_there();
    let voice = Voice::start(net.trunk(), CALLER_HZ);
    let plan = caller(net, "caller_presses_info", &voice);
    let mut caller = plan.set("press_ms", "5000").set("key", "#").start(net);
    voice.wait_hears(THANKS_HZ, 0.7);
    caller.succeeds();
    assert_is_the_callers(&open(&server).0, 1.0..4.0);
}

#[test]
fn a_message_ends_with_silence_and_with_hanging_up() {
    let (net, server) = nobody_there();
    let voice = Voice::start(net.trunk(), CALLER_HZ);
    let mut silent = caller(net, "caller", &voice).start(net);
    speak_after_the_beep(&voice, 2);
    voice.speak(false);
    voice.wait_hears(THANKS_HZ, 0.7);
    silent.succeeds();
    drop(voice);
    assert_is_the_callers(&open(&server).0, 1.5..4.0);

    let (net, server) = nobody_there();
    let voice = Voice::start(net.trunk(), CALLER_HZ);
    let mut gone = caller(net, "caller", &voice)
        .set("hold_ms", "6000")
        .start(net);
    gone.succeeds();
    assert_eq!(voice.heard().seconds_of(THANKS_HZ), 0.0);
    assert_is_the_callers(&open(&server).0, 2.5..6.0);
}

#[test]
fn a_message_survives_the_death_of_the_server() {
    let (net, mut server) = nobody_there();
    let voice = Voice::start(net.trunk(), CALLER_HZ);
    let _caller = caller(net, "caller", &voice).start(net);
    speak_after_the_beep(&voice, 4);
    server.kill();
    let (message, said) = open(&server);
    assert!(said.contains("cut short"), "{said}");
    assert_is_the_callers(&message, 2.5..5.0);

    server.run();
    let calls = server.say(&["calls"]);
    assert!(calls.contains("failed"), "{calls}");
    let (message, _) = open(&server);
    assert_is_the_callers(&message, 2.5..5.0);
}

#[test]
fn a_full_queue_leads_to_the_message() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]).with("max_waiting", 0));
    Sipp::register(net, net.phone(0), "ana");
    server.wait_phones(1);
    let voice = Voice::start(net.trunk(), CALLER_HZ);
    let mut caller = caller(net, "caller", &voice)
        .set("hold_ms", "4000")
        .start(net);
    voice.wait_hears(INVITATION_HZ, 0.7);
    caller.succeeds();
}

/// Nothing below `data` holds the message's audio, in any form that a player
/// would understand, and what holds it sealed looks like chance.
fn assert_sealed(data: &Path, message: &Heard) {
    let (mut looked_at, mut sealed) = (0, 0);
    for file in files(data) {
        let bytes = std::fs::read(&file).unwrap();
        looked_at += 1;
        if file
            .extension()
            .is_some_and(|extension| extension == "sealed")
        {
            sealed += 1;
            let body = &bytes[bytes.len() / 2..];
            let bits = entropy(body);
            println!(
                "{} bytes sealed, {bits:.3} bits of chance in a byte",
                bytes.len()
            );
            assert!(bits > 7.8, "{}: {bits} bits", file.display());
        }
        if !file.starts_with(data.join("prompts")) {
            assert!(
                !holds_tone(&bytes),
                "the caller is heard in {}",
                file.display()
            );
        }
    }
    assert!(sealed == 1 && looked_at > 1, "{sealed} of {looked_at}");
    // The look is not blind: it finds the opened message.
    let open: Vec<u8> = message
        .0
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    assert!(holds_tone(&open));
}

/// Whether there is half a second of the caller's tone, as PCM (8 or 16 kHz) or G.711.
fn holds_tone(bytes: &[u8]) -> bool {
    let words = |skip: usize| {
        let pairs = bytes.get(skip..).unwrap_or(&[]).chunks_exact(2);
        Heard(
            pairs
                .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                .collect(),
        )
    };
    let law = |codec| {
        let mut decoder = media::codec::decoder(codec, media::codec::Rate::Hz8000).unwrap();
        let mut pcm = vec![0; bytes.len()];
        // As it would have come in: 20 ms in a packet.
        for (packet, frame) in bytes.chunks(160).zip(pcm.chunks_mut(160)) {
            decoder.decode(packet, frame).unwrap();
        }
        Heard(pcm)
    };
    [words(0), words(1), law(Codec::Pcmu), law(Codec::Pcma)]
        .iter()
        .any(|heard| {
            heard
                .seconds_of(CALLER_HZ)
                .max(heard.seconds_of(CALLER_HZ / 2))
                > 0.5
        })
}

/// Bits of information in a byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let all = bytes.len() as f64;
    let used = counts.iter().filter(|count| **count > 0);
    used.map(|count| -f64::from(*count) / all * (f64::from(*count) / all).log2())
        .sum()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}
