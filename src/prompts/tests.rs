use std::path::PathBuf;
use std::time::{Duration, Instant};

use crypto::ReaderSecretKey;
use media::codec::Rate;
use media::level::level_dbov;
use media::tone::{Tone, ToneGenerator, dominant_hz};

use super::*;
use crate::hotline::{DemoPorts, Read, demo_hotline, parse};

const CHILD_MODE: &str = "CENTRALITA_TEST_CHILD";

/// The decoder in tests: this program, running only [`child`], with the pipe as descriptor 3,
/// because the test harness writes to standard output.
fn decoder(mode: &str) -> Child {
    let program = std::env::current_exe().unwrap();
    let run = format!(
        "exec 3>&1 >/dev/null; {CHILD_MODE}={mode} exec '{}' --exact prompts::tests::child --nocapture",
        program.display()
    );
    Child::new(Path::new("sh"), &["-c", &run])
}

#[test]
fn child() {
    let Ok(mode) = std::env::var(CHILD_MODE) else {
        return;
    };
    if mode == "hang" {
        std::thread::sleep(Duration::from_secs(600));
    }
    let mut pipe = std::fs::File::options()
        .write(true)
        .open("/dev/fd/3")
        .unwrap();
    if mode == "greedy" {
        // Takes its limits, then more memory than they allow.
        let _ = decode::decode_under_limits(&mut std::io::sink());
        let greed = vec![1_u8; 2 << 30];
        pipe.write_all(&greed[..1]).unwrap();
    }
    if let Err(sentence) = decode::decode_under_limits(&mut pipe) {
        let _ = writeln!(std::io::stderr(), "{sentence}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("centralita-prompts-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn workshop(&self, on_failure: OnFailure) -> Workshop {
        Workshop {
            cache: self.0.join("cache"),
            decoder: decoder("decode"),
            speaker: PathBuf::from("espeak-ng"),
            on_failure,
        }
    }

    /// The demonstration hotline, with these lines for its prompts.
    fn hotline(&self, prompts: &str) -> Read {
        let key = ReaderSecretKey::from_bytes(&[7; 32]);
        let demo = demo_hotline(key.public_key(), DemoPorts::default()).unwrap();
        let text = demo.text.reveal().replace(
            "fallback = [\"everyone\"]\n",
            &format!("fallback = [\"everyone\"]\n{prompts}\n"),
        );
        parse(&text, &self.0.join("hotline.toml")).unwrap_or_else(|r| panic!("{r}"))
    }

    fn write_tone(&self, name: &str, hz: f32) {
        let mut pcm = vec![0; 16_000];
        ToneGenerator::new(Tone::sine(hz, 1_000, -20.0), Rate::Hz16000).fill(&mut pcm);
        std::fs::write(self.0.join(name), media::wav::write(&pcm, 16_000).unwrap()).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn audio(ready: &PreparedPrompts, kind: PromptKind) -> Arc<Audio> {
    let hub = HubId::new("demo");
    let id = ready.clip_ids()[&Prompt { hub, kind }];
    let clips = ready.clips();
    let found = clips.iter().find(|(clip, _)| *clip == id);
    Arc::clone(&found.unwrap().1)
}

#[test]
fn a_recording_is_decoded_once_and_then_comes_from_the_cache() {
    let scratch = Scratch::new("recording");
    scratch.write_tone("greeting.wav", 620.0);
    let read = scratch
        .hotline("prompts = { greeting = \"greeting.wav\", voicemail_thanks = \"greeting.wav\" }");
    let mut workshop = scratch.workshop(OnFailure::Refuse);
    workshop.speaker = PathBuf::from("/nonexistent/espeak-ng");
    let mut told = Vec::new();
    let ready = prepare(&read.hotline, &workshop, &mut |line| {
        told.push(line.to_owned())
    })
    .unwrap();
    let greeting = audio(&ready, PromptKind::Greeting);
    assert!((dominant_hz(&greeting.pcm_8k, 8_000) - 620.0).abs() < 5.0);
    assert!((dominant_hz(&greeting.pcm_48k, 48_000) - 620.0).abs() < 5.0);
    let decoded = |told: &[String]| told.iter().filter(|l| l.contains("greeting.wav")).count();
    assert_eq!(decoded(&told), 1, "{told:?}");
    // Greeting and thanks are one clip; the others are the tones and the music.
    assert_eq!(ready.clips().len(), 3);

    workshop.decoder = Child::new(Path::new("/nonexistent/decoder"), &[]);
    let mut told = Vec::new();
    let again = prepare(&read.hotline, &workshop, &mut |line| {
        told.push(line.to_owned())
    })
    .unwrap();
    assert_eq!(decoded(&told), 0);
    assert_eq!(again.clip_ids(), ready.clip_ids());
    assert_eq!(audio(&again, PromptKind::Greeting), greeting);
}

#[test]
fn a_file_that_is_no_audio_is_refused_or_replaced() {
    let scratch = Scratch::new("noise");
    std::fs::write(
        scratch.0.join("greeting.mp3"),
        "not audio at all. ".repeat(200),
    )
    .unwrap();
    let read = scratch.hotline("prompts = { greeting = \"greeting.mp3\" }");
    let failures = prepare(
        &read.hotline,
        &scratch.workshop(OnFailure::Refuse),
        &mut |_| {},
    )
    .unwrap_err();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0].kind, PromptKind::Greeting);
    assert!(
        failures[0]
            .sentence
            .contains("greeting.mp3 cannot be played"),
        "{}",
        failures[0]
    );
    let report = read.prompt_report("demo", failures[0].kind, &failures[0].sentence);
    assert!(report.problems[0].line > 5, "{report}");

    let ready = prepare(
        &read.hotline,
        &scratch.workshop(OnFailure::UseBuiltIn),
        &mut |_| {},
    )
    .unwrap();
    assert!(
        ready.notes[0].contains("callers hear what is built in"),
        "{:?}",
        ready.notes
    );
    assert!(audio(&ready, PromptKind::Greeting).duration_ms() > 1_000);
}

#[test]
fn texts_are_spoken_in_the_language_of_the_hub() {
    if std::process::Command::new("espeak-ng")
        .arg("--version")
        .output()
        .is_err()
    {
        return;
    }
    let scratch = Scratch::new("spoken");
    let workshop = scratch.workshop(OnFailure::Refuse);
    let read = scratch.hotline("prompts = { greeting_text = \"One, two, three, four.\" }");
    let ready = prepare(&read.hotline, &workshop, &mut |_| {}).unwrap();
    assert_eq!(ready.notes, Vec::<String>::new());
    for kind in PromptKind::ALL {
        let audio = audio(&ready, kind);
        let seconds = audio.duration_ms() / 1_000;
        assert!((1..60).contains(&seconds), "{kind:?} takes {seconds} s");
        let level = level_dbov(&audio.pcm_16k);
        assert!((-30.0..-10.0).contains(&level), "{kind:?} has {level} dBov");
    }
    assert_eq!(ready.clips().len(), 4);
    for language in ["es", "fr", "de", "pt-br", "it", "en-xy"] {
        let wav = speech::speak(&workshop.speaker, language, "uno").unwrap();
        assert!(wav.len() > 4_000, "{language}");
    }
    let why = speech::speak(&workshop.speaker, "xx", "uno").unwrap_err();
    assert!(why.contains("cannot speak \"xx\""), "{why}");
}

#[test]
fn without_espeak_callers_hear_tones_and_the_operator_a_sentence() {
    let scratch = Scratch::new("tones");
    let mut workshop = scratch.workshop(OnFailure::Refuse);
    workshop.speaker = PathBuf::from("/nonexistent/espeak-ng");
    let ready = prepare(&scratch.hotline("").hotline, &workshop, &mut |_| {}).unwrap();
    assert_eq!(ready.notes.len(), 1, "{:?}", ready.notes);
    assert!(ready.notes[0].contains("Install it"), "{:?}", ready.notes);
    let greeting = audio(&ready, PromptKind::Greeting);
    let first_note = &greeting.pcm_16k[..Rate::Hz16000.samples_in_ms(300)];
    assert!((dominant_hz(first_note, 16_000) - 392.0).abs() < 5.0);
    assert!(audio(&ready, PromptKind::HoldMusic).duration_ms() > 5_000);
    assert_eq!(
        std::fs::read_dir(&workshop.cache).unwrap().count(),
        1,
        "the music alone is kept"
    );
}

#[test]
fn a_damaged_cache_file_is_made_anew() {
    let scratch = Scratch::new("damaged");
    let mut workshop = scratch.workshop(OnFailure::Refuse);
    workshop.speaker = PathBuf::from("/nonexistent/espeak-ng");
    let hotline = scratch.hotline("").hotline;
    let ready = prepare(&hotline, &workshop, &mut |_| {}).unwrap();
    for entry in std::fs::read_dir(&workshop.cache).unwrap() {
        std::fs::write(entry.unwrap().path(), b"prompt1\nrubbish").unwrap();
    }
    let again = prepare(&hotline, &workshop, &mut |_| {}).unwrap();
    assert_eq!(
        audio(&again, PromptKind::HoldMusic),
        audio(&ready, PromptKind::HoldMusic)
    );
}

#[test]
fn a_decoder_that_wants_too_much_is_stopped() {
    let scratch = Scratch::new("greedy");
    scratch.write_tone("tone.wav", 440.0);
    let bytes = std::fs::read(scratch.0.join("tone.wav")).unwrap();
    let greedy = decode::decode(&decoder("greedy"), &bytes).unwrap_err();
    assert!(greedy.contains("too much time or memory"), "{greedy}");
    assert!(decode::decode(&decoder("decode"), &bytes).is_ok());

    let begin = Instant::now();
    let hung = decoder("hang").run(&bytes, 100, Duration::from_millis(300));
    assert_eq!(
        hung.err().map(|e| e.kind()),
        Some(std::io::ErrorKind::TimedOut)
    );
    assert!(begin.elapsed() < Duration::from_secs(20));
}
