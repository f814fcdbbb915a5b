//! Comfort noise between peers that stop sending while they are silent.

use media::codec::{Codec, Rate};
use media::level::level_dbov;
use media::noise::ComfortNoise;

use super::rig::Rig;

/// Payload type of comfort noise (RFC 3389 section 4).
const CN: u8 = 13;

fn rig(codecs: &[Codec], listed: &[bool]) -> Rig {
    let mut rig = Rig::new(codecs);
    for (at, &listed) in listed.iter().enumerate() {
        rig.peers[at].format.comfort_noise = listed.then_some(CN);
        rig.configure(at);
    }
    rig.peers[0].sing(Some(440.0));
    rig.connect(0, 1);
    rig.run(600);
    rig
}

/// The first peer stops with one packet that describes its silence, which then lasts.
fn pause(rig: &mut Rig, level: u8, ms: u64) {
    describe_silence(rig, level);
    rig.peers[0].sends = false;
    rig.run(ms);
    let ticks = ms as u32 / 20 * rig.peers[0].format.codec.timestamp_step();
    rig.peers[0].timestamp = rig.peers[0].timestamp.wrapping_add(ticks);
}

fn describe_silence(rig: &mut Rig, level: u8) {
    let datagram = rig.peers[0].packet(CN, &[level]);
    let address = rig.peers[0].address;
    rig.send(0, address, &datagram).unwrap();
}

/// What the second peer got since: (comfort noise levels, audio packets).
fn got_since(rig: &Rig, start: usize) -> (Vec<u8>, usize) {
    let got = &rig.peers[1].got[start..];
    let levels = got.iter().filter(|(header, _)| header.payload_type == CN);
    let levels: Vec<u8> = levels.map(|(_, payload)| payload[0]).collect();
    (levels.clone(), got.len() - levels.len())
}

#[test]
fn a_pause_costs_a_packet_every_400_ms_forwarded_or_not() {
    for codecs in [[Codec::Pcma, Codec::Pcma], [Codec::Pcma, Codec::Pcmu]] {
        let mut rig = rig(&codecs, &[true, true]);
        let before = rig.peers[1].got.len();
        pause(&mut rig, 55, 4_000);
        let (levels, audio) = got_since(&rig, before);
        assert!((10..=12).contains(&levels.len()), "{codecs:?}: {levels:?}");
        let close = |level: &u8| level.abs_diff(55) <= 2;
        assert!(levels.iter().all(close), "{codecs:?}: {levels:?}");
        // The rest of the speech, which was still in the jitter buffer.
        assert!(audio <= 6, "{codecs:?}: {audio}");
    }
}

#[test]
fn speech_after_a_pause_begins_with_a_marker_and_in_time() {
    for codecs in [[Codec::Pcma, Codec::Pcma], [Codec::Pcma, Codec::G722]] {
        let mut rig = rig(&codecs, &[true, true]);
        let before = rig.peers[1].got.len();
        pause(&mut rig, 50, 2_000);
        let loudest = |pcm: &[i16]| pcm.iter().map(|sample| sample.unsigned_abs()).max();
        let heard_before = rig.peers[1].heard.len();
        let steady = loudest(&rig.peers[1].heard[heard_before / 2..heard_before * 3 / 4]);
        rig.peers[0].sends = true;
        rig.run(1_000);
        let resumed = loudest(&rig.peers[1].heard[heard_before..]);
        let (steady, resumed) = (steady.unwrap(), resumed.unwrap());
        assert!(
            resumed < steady / 10 * 11,
            "a click: {resumed} after {steady}"
        );
        let got = &rig.peers[1].got;
        let marked: Vec<_> = (before..got.len()).filter(|&at| got[at].0.marker).collect();
        let &[resumed] = &marked[..] else {
            panic!("{codecs:?}: {marked:?}");
        };
        assert_eq!(got[resumed - 1].0.payload_type, CN);
        let speech = &got[resumed..];
        assert!(speech.len() > 40 && speech.iter().all(|it| it.0.payload_type != CN));
        for pair in got.windows(2) {
            let (before, after) = (&pair[0].0, &pair[1].0);
            assert_eq!(before.sequence.wrapping_add(1), after.sequence);
        }
        let pitch = rig.peers[1].pitch();
        assert!(pitch.is_some_and(|hz| (hz - 440.0).abs() < 10.0));
        // The pause lasts as long for the listener as for the speaker.
        let (quiet, voice) = (&got[resumed - 1].0, &got[resumed].0);
        let ticks = voice.timestamp.wrapping_sub(quiet.timestamp);
        assert!(ticks <= 9 * 400, "{codecs:?}: {ticks}");
    }
}

#[test]
fn a_louder_room_is_told_at_once() {
    let mut rig = rig(&[Codec::Pcma, Codec::Pcmu], &[true, true]);
    pause(&mut rig, 60, 1_000);
    let before = rig.peers[1].got.len();
    describe_silence(&mut rig, 40);
    rig.run(200);
    let (levels, _) = got_since(&rig, before);
    assert!(
        levels.iter().any(|level| level.abs_diff(40) <= 2),
        "{levels:?}"
    );
}

#[test]
fn a_peer_that_has_not_listed_comfort_noise_hears_it_rendered() {
    for codecs in [[Codec::Pcma, Codec::Pcma], [Codec::Pcma, Codec::Opus]] {
        let mut rig = rig(&codecs, &[true, false]);
        let before = rig.peers[1].got.len();
        pause(&mut rig, 45, 2_000);
        let (levels, audio) = got_since(&rig, before);
        assert!(levels.is_empty());
        assert!(audio > 90, "{codecs:?}: {audio}");
        let heard = &rig.peers[1].heard;
        let recent = level_dbov(&heard[heard.len() - 3_200..]);
        assert!((recent + 45.0).abs() < 3.0, "{codecs:?}: {recent}");
        // And goes on hearing speech after it.
        rig.peers[0].sends = true;
        rig.run(1_000);
        let pitch = rig.peers[1].pitch();
        assert!(pitch.is_some_and(|hz| (hz - 440.0).abs() < 10.0));
    }
}

#[test]
fn the_pause_of_an_opus_encoder_becomes_comfort_noise() {
    let mut rig = rig(&[Codec::Opus, Codec::Pcma], &[false, true]);
    // A quiet room before the pause, for the decoder to remember.
    let mut room = ComfortNoise::new(3, -50.0);
    let mut pcm = vec![0; Rate::Hz16000.samples_per_frame()];
    rig.peers[0].sends = false;
    for _ in 0..50 {
        room.fill(&mut pcm);
        let datagram = rig.peers[0].packet_of(&pcm);
        let address = rig.peers[0].address;
        rig.send(0, address, &datagram).unwrap();
        rig.run(20);
    }
    let before = rig.peers[1].got.len();
    for _ in 0..10 {
        // 20 ms of Opus (SILK, 16 kHz) without content.
        let datagram = rig.peers[0].packet(96, &[9 << 3]);
        let address = rig.peers[0].address;
        rig.send(0, address, &datagram).unwrap();
        rig.run(400);
        rig.peers[0].timestamp = rig.peers[0].timestamp.wrapping_add(20 * 960);
    }
    let (levels, audio) = got_since(&rig, before);
    assert!(audio <= 8, "{audio}");
    assert!((10..=40).contains(&levels.len()), "{levels:?}");
    assert!(levels.iter().all(|&level| level >= 40), "{levels:?}");
}

#[test]
fn an_opus_call_does_not_fill_the_pause_that_it_forwards() {
    let mut rig = rig(&[Codec::Opus, Codec::Opus], &[false, false]);
    rig.peers[0].sends = false;
    let before = rig.peers[1].got.len();
    for _ in 0..5 {
        let datagram = rig.peers[0].packet(96, &[9 << 3]);
        let address = rig.peers[0].address;
        rig.send(0, address, &datagram).unwrap();
        rig.run(400);
        rig.peers[0].timestamp = rig.peers[0].timestamp.wrapping_add(20 * 960);
    }
    assert_eq!(rig.peers[1].got.len() - before, 5);
    // A peer that is gone for good is stood in for.
    rig.run(2_000);
    assert!(rig.peers[1].got.len() - before > 45);
}

#[test]
fn a_clip_is_heard_in_a_pause() {
    use media::control::{ClipId, MediaCommand};
    use media::prompt::Prompt;
    use media::tone::{Tone, ToneGenerator};

    let mut rig = rig(&[Codec::Pcma, Codec::Pcma], &[true, true]);
    let mut pcm_8k = vec![0; 16_000];
    ToneGenerator::new(Tone::sine(700.0, 2_000, -12.0), Rate::Hz8000).fill(&mut pcm_8k);
    let prompt = Prompt {
        pcm_8k,
        pcm_16k: vec![],
        pcm_48k: vec![],
    };
    rig.mixer.load_clip(ClipId(1), prompt.into());
    pause(&mut rig, 55, 1_000);
    rig.order(MediaCommand::Play {
        port: rig.peers[1].id,
        clip: ClipId(1),
        repeat: false,
    });
    rig.run(1_000);
    let pitch = rig.peers[1].pitch();
    assert!(
        pitch.is_some_and(|hz| (hz - 700.0).abs() < 10.0),
        "{pitch:?}"
    );
}
