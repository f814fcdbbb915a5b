//! Who hears what.

use std::sync::Arc;

use media::codec::{Codec, Rate};
use media::control::{ClipId, MediaCommand, MediaEvent};
use media::prompt::Prompt;
use media::tone::{Tone, ToneGenerator};

use super::rig::Rig;

fn assert_pitch(rig: &Rig, peer: usize, hz: f64, case: &str) {
    let pitch = rig.peers[peer].pitch();
    let close = pitch.is_some_and(|heard| (heard - hz).abs() < 10.0);
    assert!(close, "{case}: peer {peer} hears {pitch:?}, not {hz}");
}

#[test]
fn a_tone_crosses_every_pair_of_codecs_both_ways() {
    for a in Codec::ALL {
        for b in Codec::ALL {
            let mut rig = Rig::new(&[a, b]);
            rig.peers[0].sing(Some(440.0));
            rig.peers[1].sing(Some(1_000.0));
            rig.connect(0, 1);
            rig.run(1_500);
            let case = format!("{a:?} with {b:?}");
            assert_pitch(&rig, 1, 440.0, &case);
            assert_pitch(&rig, 0, 1_000.0, &case);
            assert_eq!(rig.is_forwarding(0), a == b, "{case}");
            assert_eq!(rig.is_forwarding(1), a == b, "{case}");
            for peer in &rig.peers {
                peer.assert_one_stream();
                let frames = peer.got.len();
                assert!((70..=76).contains(&frames), "{case}: {frames} in 1.5 s");
            }
        }
    }
}

#[test]
fn a_wide_pair_keeps_what_a_telephone_would_lose() {
    let mut rig = Rig::new(&[Codec::G722, Codec::Opus]);
    rig.peers[0].sing(Some(5_000.0));
    rig.connect(0, 1);
    rig.run(1_500);
    assert_pitch(&rig, 1, 5_000.0, "G.722 to Opus");
}

#[test]
fn forwarded_payloads_are_untouched() {
    let mut rig = Rig::new(&[Codec::Opus, Codec::Opus]);
    rig.connect(0, 1);
    let datagram = rig.peers[0].packet(96, b"opaque payload");
    let from = rig.peers[0].address;
    let id = rig.peers[1].id;
    // The far phone could not decode this: look at the wire.
    let place = rig.mixer.place(rig.peers[0].id).unwrap();
    let mut post = super::rig::Post::default();
    let mut bytes = datagram.clone();
    rig.mixer
        .handle_rtp(place, from, &mut bytes, rig.start, &mut post)
        .unwrap();
    let [(left, to, sent)] = &post.rtp[..] else {
        panic!("sent {} packets", post.rtp.len());
    };
    assert_eq!(Some(*left), rig.mixer.place(id));
    assert_eq!(*to, rig.peers[1].address);
    assert_eq!(sent[12..], *b"opaque payload");
    assert_eq!(sent[1] & 0x7f, 111, "the listener's payload type");
    assert_ne!(sent[8..12], datagram[8..12], "its own stream name");
}

#[test]
fn loss_and_reordering_are_forwarded_as_they_are() {
    let mut rig = Rig::new(&[Codec::Pcma, Codec::Pcma]);
    rig.connect(0, 1);
    rig.peers.iter_mut().for_each(|peer| peer.sends = false);
    let packets: Vec<Vec<u8>> = (0..10).map(|_| rig.peers[0].next_packet()).collect();
    let from = rig.peers[0].address;
    for at in [0, 1, 3, 2, 6, 7, 7] {
        rig.send(0, from, &packets[at]).unwrap();
    }
    let first = rig.peers[1].got[0].0;
    let numbers: Vec<(u16, u32)> = rig.peers[1]
        .got
        .iter()
        .map(|(header, _)| {
            let ahead = header.timestamp.wrapping_sub(first.timestamp);
            (header.sequence.wrapping_sub(first.sequence), ahead / 160)
        })
        .collect();
    assert_eq!(
        numbers,
        [(0, 0), (1, 1), (3, 3), (2, 2), (6, 6), (7, 7), (7, 7)]
    );
}

#[test]
fn paths_change_without_a_break_in_the_stream() {
    let mut rig = Rig::new(&[Codec::Pcmu, Codec::Pcmu, Codec::Pcma]);
    let clip = ClipId(9);
    let mut pcm_8k = vec![0; 2_400];
    ToneGenerator::new(Tone::sine(700.0, 300, -12.0), Rate::Hz8000).fill(&mut pcm_8k);
    rig.mixer.load_clip(clip, Arc::new(prompt(pcm_8k)));
    rig.peers[0].sing(Some(440.0));
    rig.run(200); // alone
    rig.connect(0, 1);
    rig.run(500); // forwarded
    assert!(rig.is_forwarding(0));
    let port = rig.peers[1].id;
    rig.order(MediaCommand::Play {
        port,
        clip,
        repeat: false,
    });
    assert!(!rig.is_forwarding(0));
    rig.run(600); // mixed, then forwarded again
    assert!(rig.is_forwarding(0));
    rig.connect(2, 1);
    rig.run(500); // a conference
    assert!(!rig.is_forwarding(0));
    rig.disconnect(2, 1);
    rig.run(500);
    assert!(rig.is_forwarding(0));
    assert_pitch(&rig, 1, 440.0, "at last");
    for peer in &rig.peers {
        peer.assert_one_stream();
        // 2.3 s: never more and hardly less than a packet every 20 ms.
        assert!((105..=117).contains(&peer.got.len()), "{}", peer.got.len());
    }
}

#[test]
fn forwarding_and_transcoding_sound_the_same() {
    let part = |codecs: &[Codec]| {
        let mut rig = Rig::new(codecs);
        rig.peers[0].sing(Some(1_000.0));
        rig.connect(0, 1);
        rig.run(1_500);
        rig.peers[1].part_of(1_000.0)
    };
    let (forwarded, transcoded) = (part(&[Codec::Pcma; 2]), part(&[Codec::Pcma, Codec::Pcmu]));
    assert!(
        forwarded > 0.99 && transcoded > 0.99,
        "{forwarded} {transcoded}"
    );
}

#[test]
fn a_peer_that_falls_silent_is_stood_in_for() {
    let mut rig = Rig::new(&[Codec::Pcma, Codec::Pcma]);
    rig.connect(0, 1);
    rig.run(500);
    rig.peers[0].sends = false;
    rig.run(2_000);
    // 2.5 s of packets less the 200 ms of doubt.
    let frames = rig.peers[1].got.len();
    assert!((110..=125).contains(&frames), "{frames}");
    rig.peers[0].sends = true;
    rig.run(500);
    rig.peers[1].assert_one_stream();
}

#[test]
fn everybody_in_a_conference_hears_the_others_and_not_themselves() {
    let mut rig = Rig::new(&[Codec::Pcma, Codec::Opus, Codec::G722]);
    let tones = [440.0, 700.0, 1_100.0];
    for (peer, &hz) in rig.peers.iter_mut().zip(&tones) {
        peer.sing(Some(hz));
    }
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        rig.connect(a, b);
    }
    rig.run(2_000);
    for (listener, peer) in rig.peers.iter().enumerate() {
        for (speaker, &hz) in tones.iter().enumerate() {
            let part = peer.part_of(f64::from(hz));
            if listener == speaker {
                assert!(part < 0.01, "{listener} hears itself: {part}");
            } else {
                assert!(part > 0.3, "{listener} does not hear {speaker}: {part}");
            }
        }
    }
}

#[test]
fn a_supervisor_listens_unheard() {
    let mut rig = Rig::new(&[Codec::Pcma, Codec::Pcma, Codec::Pcma]);
    for (peer, hz) in rig.peers.iter_mut().zip([440.0, 700.0, 1_100.0]) {
        peer.sing(Some(hz));
    }
    rig.connect(0, 1);
    for from in [0, 1] {
        let (from, to) = (rig.peers[from].id, rig.peers[2].id);
        rig.order(MediaCommand::Connect { from, to });
    }
    rig.run(1_500);
    assert!(rig.peers[2].part_of(440.0) > 0.3 && rig.peers[2].part_of(700.0) > 0.3);
    assert!(rig.peers[0].part_of(1_100.0) < 0.01);
    assert!(rig.peers[1].part_of(1_100.0) < 0.01);
    assert_pitch(&rig, 0, 700.0, "the call goes on");
}

#[test]
fn loud_voices_together_saturate_rather_than_wrap() {
    let mut rig = Rig::new(&[Codec::Pcma; 3]);
    for peer in &mut rig.peers[..2] {
        peer.sing(Some(500.0));
    }
    for from in [0, 1] {
        let (from, to) = (rig.peers[from].id, rig.peers[2].id);
        rig.order(MediaCommand::Connect { from, to });
    }
    // The third voice is a clip at full scale.
    let clip = ClipId(1);
    rig.mixer
        .load_clip(clip, Arc::new(prompt(vec![i16::MAX; 8_000])));
    let port = rig.peers[2].id;
    rig.order(MediaCommand::Play {
        port,
        clip,
        repeat: true,
    });
    rig.run(1_000);
    let recent = &rig.peers[2].heard[4_000..];
    assert!(recent.iter().all(|&sample| sample > 5_000));
    assert!(recent.iter().any(|&sample| sample > 32_000));
}

#[test]
fn a_clip_ends_once_and_a_repeated_one_does_not() {
    let mut rig = Rig::new(&[Codec::Pcma, Codec::Opus]);
    let clip = ClipId(3);
    let tone = |rate: Rate| {
        let mut pcm = vec![0; rate.samples_in_ms(500)];
        ToneGenerator::new(Tone::sine(600.0, 500, -12.0), rate).fill(&mut pcm);
        pcm
    };
    let prompt = Prompt {
        pcm_8k: tone(Rate::Hz8000),
        pcm_16k: tone(Rate::Hz16000),
        pcm_48k: tone(Rate::Hz48000),
    };
    rig.mixer.load_clip(clip, Arc::new(prompt));
    let (once, ever) = (rig.peers[0].id, rig.peers[1].id);
    rig.order(MediaCommand::Play {
        port: once,
        clip,
        repeat: false,
    });
    rig.order(MediaCommand::Play {
        port: ever,
        clip,
        repeat: true,
    });
    rig.run(495);
    assert_pitch(&rig, 0, 600.0, "the clip");
    rig.run(1_505);
    assert_pitch(&rig, 1, 600.0, "the loop");
    assert_eq!(rig.peers[0].pitch(), None);
    let port = once;
    assert_eq!(rig.happened(), [MediaEvent::PlayFinished { port, clip }]);
    assert!(
        (480..=520).contains(&rig.events[0].0),
        "{}",
        rig.events[0].0
    );
    rig.order(MediaCommand::StopPlaying { port: ever });
    rig.run(600);
    assert_eq!(rig.peers[1].pitch(), None);
    assert_eq!(rig.events.len(), 1, "stopping tells nothing");
    // Nobody waits for a clip that does not exist.
    let clip = ClipId(99);
    rig.order(MediaCommand::Play {
        port: once,
        clip,
        repeat: true,
    });
    assert_eq!(
        rig.happened()[1..],
        [MediaEvent::PlayFinished { port, clip }]
    );
}

#[test]
fn a_codec_can_change_in_mid_call() {
    let mut rig = Rig::new(&[Codec::Pcma, Codec::Pcma]);
    rig.peers[0].sing(Some(440.0));
    rig.connect(0, 1);
    rig.run(1_000);
    let stream = rig.peers[1].got[0].0.ssrc;
    let fresh = Rig::new(&[Codec::Pcma, Codec::Opus]).peers.pop().unwrap();
    rig.peers[1] = fresh;
    rig.configure(1);
    rig.run(1_000);
    assert_pitch(&rig, 1, 440.0, "after the change");
    rig.peers[1].assert_one_stream();
    assert_ne!(
        rig.peers[1].got[0].0.ssrc, stream,
        "another clock, another stream"
    );
}

fn prompt(pcm_8k: Vec<i16>) -> Prompt {
    Prompt {
        pcm_8k,
        pcm_16k: Vec::new(),
        pcm_48k: Vec::new(),
    }
}
