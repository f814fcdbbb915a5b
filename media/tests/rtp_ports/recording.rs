//! Voicemail.

use std::time::Duration;

use media::codec::{Codec, Rate};
use media::control::{MediaCommand, MediaEvent, RecordingKey, RecordingStop};
use media::level::level_dbov;
use media::tone::{dominant_hz, tone_level};

use super::rig::Rig;

const KEY: RecordingKey = RecordingKey(5);

fn record(rig: &mut Rig, max_ms: u64, silence_ms: u64) {
    rig.order(MediaCommand::Record {
        port: rig.peers[0].id,
        recording: KEY,
        max_length: Duration::from_millis(max_ms),
        max_silence: Duration::from_millis(silence_ms),
    });
}

/// How the recording ended, after checking that the tape has that length.
fn ended(rig: &Rig) -> Option<(RecordingStop, u64)> {
    let told: Vec<_> = rig
        .happened()
        .into_iter()
        .filter_map(|event| match event {
            MediaEvent::RecordingEnded {
                recording,
                stop,
                length,
                ..
            } => {
                assert_eq!(recording, KEY);
                Some((stop, length))
            }
            _ => None,
        })
        .collect();
    let &[(stop, length)] = &told[..] else {
        assert!(told.is_empty(), "told {} times", told.len());
        return None;
    };
    let tapes = rig.tapes.0.lock().unwrap();
    let tape = &tapes[&KEY];
    assert!(tape.finished);
    let samples = Duration::from_nanos(tape.pcm.len() as u64 * 62_500);
    assert_eq!(samples, length);
    Some((stop, length.as_millis() as u64))
}

#[test]
fn a_caller_hears_the_beep_and_the_tape_holds_what_follows() {
    for codec in Codec::ALL {
        let mut rig = Rig::new(&[codec]);
        rig.peers[0].sing(Some(500.0));
        rig.run(200);
        let silent_until = rig.peers[0].heard.len();
        record(&mut rig, 2_000, 60_000);
        rig.run(3_000);
        assert_eq!(
            ended(&rig),
            Some((RecordingStop::MaxLength, 2_000)),
            "{codec:?}"
        );
        let rate = codec.best_rate().min(Rate::Hz16000);
        let beep = &rig.peers[0].heard[silent_until..][..rate.samples_in_ms(350)];
        let heard = dominant_hz(beep, rate.hz());
        assert!(
            (heard - 1_000.0).abs() < 10.0,
            "{codec:?}: beep of {heard} Hz"
        );
        let after = &rig.peers[0].heard[silent_until..][rate.samples_in_ms(600)..];
        assert!(level_dbov(after) < -60.0, "the beep ends");
        let tapes = rig.tapes.0.lock().unwrap();
        let pcm = &tapes[&KEY].pcm;
        assert_eq!(pcm.len(), 32_000);
        for half in pcm[1_600..].chunks_exact(8_000) {
            let part = tone_level(half, 16_000, 500.0);
            assert!(part > 0.9, "{codec:?}: {part}");
        }
    }
}

#[test]
fn an_odd_length_is_exact_to_the_sample() {
    let mut rig = Rig::new(&[Codec::Pcma]);
    rig.peers[0].sing(Some(500.0));
    record(&mut rig, 1_013, 60_000);
    rig.run(2_000);
    assert_eq!(ended(&rig), Some((RecordingStop::MaxLength, 1_013)));
}

#[test]
fn silence_ends_it_but_gaps_between_words_do_not() {
    let mut rig = Rig::new(&[Codec::Pcmu]);
    record(&mut rig, 60_000, 2_000);
    for _ in 0..4 {
        rig.peers[0].sing(Some(500.0));
        rig.run(1_000);
        rig.peers[0].sing(None);
        rig.run(1_000);
    }
    assert_eq!(ended(&rig), None);
    rig.run(2_000);
    let (stop, length_ms) = ended(&rig).unwrap();
    assert_eq!(stop, RecordingStop::Silence);
    // 8 s less the beep and the delay, and a second more of silence.
    assert!((8_300..=8_800).contains(&length_ms), "{length_ms}");
}

#[test]
fn a_caller_who_says_nothing_or_is_gone_does_not_record_for_ever() {
    for sends in [true, false] {
        let mut rig = Rig::new(&[Codec::Pcmu]);
        rig.peers[0].sends = sends;
        record(&mut rig, 60_000, 3_000);
        rig.run(4_000);
        assert_eq!(ended(&rig), Some((RecordingStop::Silence, 3_000)));
    }
}

#[test]
fn a_full_disk_ends_it_with_what_there_is() {
    let mut rig = Rig::new(&[Codec::Pcmu]);
    rig.tapes.0.lock().unwrap().entry(KEY).or_default().room = Some(8_000);
    record(&mut rig, 60_000, 30_000);
    rig.run(2_000);
    assert_eq!(ended(&rig), Some((RecordingStop::SinkFailed, 500)));
}

#[test]
fn hanging_up_ends_the_recording_first() {
    let mut rig = Rig::new(&[Codec::Pcmu]);
    rig.peers[0].sing(Some(500.0));
    record(&mut rig, 60_000, 30_000);
    rig.run(1_400);
    let port = rig.peers[0].id;
    rig.order(MediaCommand::Close { port });
    let (stop, length_ms) = ended(&rig).unwrap();
    assert_eq!(stop, RecordingStop::Ordered);
    assert!((960..=1_020).contains(&length_ms), "{length_ms}");
    let events = rig.happened();
    assert!(matches!(
        events[..],
        [MediaEvent::RecordingEnded { .. }, MediaEvent::Closed { .. }]
    ));
}

#[test]
fn a_recorded_call_is_still_heard() {
    let mut rig = Rig::new(&[Codec::Pcma, Codec::Pcma]);
    rig.peers[0].sing(Some(440.0));
    rig.connect(0, 1);
    rig.run(400);
    record(&mut rig, 60_000, 30_000);
    rig.run(1_000);
    assert!(rig.peers[1].part_of(440.0) > 0.9);
    rig.order(MediaCommand::StopRecording {
        port: rig.peers[0].id,
    });
    rig.run(400);
    assert_eq!(ended(&rig).unwrap().0, RecordingStop::Ordered);
    assert!(rig.is_forwarding(0));
}
