//! The jitter buffer under a virtual clock and simulated networks.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use media::jitter::{Incoming, Inserted, JitterBuffer, Kind, Pulled};

const FIRST: u64 = 65_536 + 65_500; // wraps soon
const START_TIMESTAMP: u32 = u32::MAX - 5_000; // wraps soon
const FRAME: u32 = 160;

/// What was heard in one 20 ms frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// The packet of this index.
    Packet(u32),
    /// Two packets in the time of one.
    Squeezed(u32, u32),
    Concealed,
    Pause,
}

/// One packet: when it was sent and when it comes, milliseconds.
#[derive(Clone, Copy)]
struct Sent {
    index: u32,
    sent_ms: u64,
    arrives_ms: u64,
}

struct Line {
    buffer: JitterBuffer,
    start: Instant,
    heard: Vec<Heard>,
    /// Time from sending to hearing of each packet heard, milliseconds.
    latency_ms: Vec<u64>,
}

impl Line {
    fn new() -> Self {
        Self {
            buffer: JitterBuffer::new(8000),
            start: Instant::now(),
            heard: Vec::new(),
            latency_ms: Vec::new(),
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn insert(&mut self, packet: Sent) -> Inserted {
        let incoming = Incoming {
            sequence: FIRST + u64::from(packet.index),
            timestamp: START_TIMESTAMP.wrapping_add((packet.sent_ms / 20) as u32 * FRAME),
            ticks: FRAME,
            kind: Kind::Audio,
            payload: &packet.index.to_be_bytes(),
        };
        let now = self.at(packet.arrives_ms);
        self.buffer.insert(&incoming, now)
    }

    fn pull(&mut self, ms: u64) {
        let now = self.at(ms);
        let index = |payload: &[u8]| u32::from_be_bytes(payload.try_into().unwrap());
        let mut squeezed = None;
        let heard = loop {
            match self.buffer.pull(now) {
                Pulled::Audio(payload) => match squeezed {
                    Some(first) => break Heard::Squeezed(first, index(payload)),
                    None => break Heard::Packet(index(payload)),
                },
                Pulled::Squeeze(payload) => squeezed = Some(index(payload)),
                Pulled::Noise(_) => {}
                Pulled::Lost { .. } | Pulled::Empty => break Heard::Concealed,
                Pulled::Pause => break Heard::Pause,
            }
        };
        if let Heard::Packet(index) | Heard::Squeezed(_, index) = heard {
            // A test that skips numbers does not look at latency.
            let sent_ms = u64::from(index) * 20;
            self.latency_ms.push(ms.saturating_sub(sent_ms));
        }
        self.heard.push(heard);
    }

    /// Runs until `end_ms`: packets as they come, one pull every 20 ms, 3 ms
    /// off the sender's clock.
    fn run(&mut self, mut packets: Vec<Sent>, end_ms: u64) {
        packets.sort_by_key(|packet| packet.arrives_ms);
        let mut packets = packets.into_iter().peekable();
        for ms in 0..end_ms {
            while let Some(packet) = packets.next_if(|packet| packet.arrives_ms <= ms) {
                self.insert(packet);
            }
            if ms % 20 == 3 {
                self.pull(ms);
            }
        }
    }

    fn count(&self, wanted: impl Fn(&Heard) -> bool) -> usize {
        self.heard.iter().filter(|heard| wanted(heard)).count()
    }

    fn concealed(&self) -> usize {
        self.count(|heard| *heard == Heard::Concealed)
    }
}

/// `count` packets, 20 ms apart, each as late as `delay` says; `None` is lost.
fn packets(count: u32, mut delay: impl FnMut(u32) -> Option<u64>) -> Vec<Sent> {
    (0..count)
        .filter_map(|index| {
            let sent_ms = u64::from(index) * 20;
            let arrives_ms = sent_ms + delay(index)?;
            Some(Sent {
                index,
                sent_ms,
                arrives_ms,
            })
        })
        .collect()
}

/// Uniform numbers, the same every time.
fn random(seed: u32) -> impl FnMut(u64) -> u64 {
    let mut state = u64::from(seed) * 0x9e37_79b9 + 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) % below
    }
}

fn indices(heard: &[Heard]) -> Vec<u32> {
    heard
        .iter()
        .flat_map(|heard| match *heard {
            Heard::Packet(a) => vec![a],
            Heard::Squeezed(a, b) => vec![a, b],
            _ => vec![],
        })
        .collect()
}

#[test]
fn an_even_network_is_heard_whole_and_soon() {
    let mut line = Line::new();
    line.run(packets(500, |_| Some(30)), 10_000);
    assert_eq!(line.concealed(), 0);
    assert_eq!(indices(&line.heard), (0..497).collect::<Vec<_>>());
    // 30 ms of network, at most 40 ms of buffer.
    assert!(
        line.latency_ms.iter().all(|&ms| ms <= 75),
        "{:?}",
        line.latency_ms
    );
    assert_eq!(line.buffer.target_ms(), 40);
}

#[test]
fn each_lost_packet_is_one_concealed_frame() {
    for burst in [1, 2, 3] {
        let mut line = Line::new();
        line.run(packets(500, |i| (i % 50 < 50 - burst).then_some(10)), 9_900);
        let lost = (0..480).filter(|i| i % 50 >= 50 - burst).count();
        let heard = line.concealed();
        assert!(
            heard.abs_diff(lost) <= 1,
            "burst {burst}: {heard} for {lost}"
        );
        // What was not lost is heard, and no later than at first.
        let kept: Vec<u32> = (0..480).filter(|i| i % 50 < 50 - burst).collect();
        assert_eq!(indices(&line.heard)[..kept.len()], kept);
        assert!(line.latency_ms.iter().all(|&ms| ms <= 75), "burst {burst}");
    }
}

#[test]
fn reordering_within_the_target_is_not_heard() {
    let mut line = Line::new();
    // Every other packet is overtaken by its successor.
    line.run(
        packets(500, |i| Some(if i % 2 == 0 { 31 } else { 10 })),
        9_900,
    );
    assert_eq!(line.concealed(), 0);
    let heard = indices(&line.heard);
    assert_eq!(heard, (0..heard.len() as u32).collect::<Vec<_>>());
}

#[test]
fn the_first_packet_may_be_overtaken() {
    let mut line = Line::new();
    line.run(packets(100, |i| Some(if i == 0 { 25 } else { 0 })), 1_900);
    assert_eq!(indices(&line.heard)[..3], [0, 1, 2]);
    assert_eq!(line.concealed(), 0);
}

#[test]
fn duplicates_are_heard_once() {
    let mut line = Line::new();
    let mut twice = packets(200, |_| Some(10));
    twice.extend(packets(200, |_| Some(12)));
    line.run(twice, 3_900);
    let heard = indices(&line.heard);
    assert_eq!(heard, (0..heard.len() as u32).collect::<Vec<_>>());
    let stats = line.buffer.stats();
    assert_eq!(stats.duplicates + stats.late, 195, "{stats:?}");
}

#[test]
fn jitter_deepens_the_buffer_up_to_the_limit_and_quiet_makes_it_shallow_again() {
    let mut line = Line::new();
    let mut random = random(3);
    // Ten seconds of up to 60 ms of jitter, then twenty of none.
    let delays = packets(1_500, |i| Some(if i < 500 { 10 + random(60) } else { 10 }));
    line.run(delays, 29_900);
    let seconds: Vec<&[Heard]> = line.heard.chunks(50).collect();
    let concealed = |range: std::ops::Range<usize>| {
        seconds[range]
            .iter()
            .flat_map(|second| second.iter())
            .filter(|heard| **heard == Heard::Concealed)
            .count()
    };
    assert!(concealed(2..10) <= 8, "{} of 400", concealed(2..10));
    assert_eq!(concealed(11..29), 0);
    let latency = |range: std::ops::Range<usize>| {
        let part = &line.latency_ms[range];
        part.iter().sum::<u64>() / part.len() as u64
    };
    assert!(
        (60..=140).contains(&latency(200..450)),
        "{}",
        latency(200..450)
    );
    assert!(latency(1_300..1_450) <= 75, "{}", latency(1_300..1_450));
    assert!(line.count(|heard| matches!(heard, Heard::Squeezed(..))) >= 1);
}

#[test]
fn wild_jitter_never_makes_the_delay_unbounded() {
    let mut line = Line::new();
    let mut random = random(9);
    line.run(packets(1_000, |_| Some(10 + random(400))), 19_900);
    assert_eq!(line.buffer.target_ms(), 120);
    assert!(line.latency_ms.iter().all(|&ms| ms <= 410 + 240));
    assert!(line.buffer.stats().late + line.buffer.stats().dropped > 0);
}

#[test]
fn a_stall_is_followed_by_the_newest_audio_not_the_oldest() {
    let mut line = Line::new();
    // Packets 100 to 119 all come when packet 120 does.
    let stall = packets(400, |i| {
        Some(
            10 + if (100..120).contains(&i) {
                u64::from(120 - i) * 20
            } else {
                0
            },
        )
    });
    line.run(stall, 7_900);
    let after = &line.latency_ms[line.latency_ms.len() - 270..];
    assert!(after.iter().all(|&ms| ms <= 145), "{after:?}");
    let (_, settled) = after.split_at(250);
    assert!(settled.iter().all(|&ms| ms <= 85), "{settled:?}");
}

#[test]
fn a_pause_of_the_peer_is_not_a_loss() {
    let mut line = Line::new();
    let noise = |line: &mut Line, index: u64, ms: u64| {
        let incoming = Incoming {
            sequence: FIRST + index,
            timestamp: START_TIMESTAMP.wrapping_add((ms / 20) as u32 * FRAME),
            ticks: 0,
            kind: Kind::Noise,
            payload: &[60],
        };
        line.buffer.insert(&incoming, line.at(ms))
    };
    // Speech, comfort noise at 1 s, speech again from 3 s on.
    for ms in 0..5_000u64 {
        let index = (ms / 20) as u32;
        if ms % 20 == 0 && ms < 1_000 {
            line.insert(Sent {
                index,
                sent_ms: ms,
                arrives_ms: ms,
            });
        } else if ms == 1_000 {
            noise(&mut line, 50, ms);
        } else if ms % 20 == 0 && ms >= 3_000 {
            let index = index - 99; // numbers go on, time does not
            line.insert(Sent {
                index,
                sent_ms: ms,
                arrives_ms: ms,
            });
        }
        if ms % 20 == 3 {
            line.pull(ms);
        }
    }
    assert_eq!(line.concealed(), 0);
    let pauses = line.count(|heard| *heard == Heard::Pause);
    assert!((98..=104).contains(&pauses), "{pauses}");
    assert_eq!(
        indices(&line.heard)[..60],
        (0..50).chain(51..61).collect::<Vec<_>>()
    );
}

#[test]
fn jumps_of_time_or_number_resume_at_once() {
    let mut line = Line::new();
    let mut jumped = packets(200, |_| Some(10));
    for packet in &mut jumped[100..] {
        packet.sent_ms += 1_000_000;
    }
    line.run(jumped, 3_900);
    assert_eq!(line.concealed(), 0, "a jump of the timestamps alone");
    assert_eq!(line.count(|heard| matches!(heard, Heard::Packet(_))), 193);

    let mut line = Line::new();
    let mut skipped = packets(200, |_| Some(10));
    for packet in &mut skipped[100..] {
        packet.index += 2_000;
    }
    line.run(skipped, 3_900);
    assert!(line.concealed() <= 2);
    assert!(line.heard.contains(&Heard::Packet(2_199 - 10)));
}

#[test]
fn a_late_packet_says_so() {
    let mut line = Line::new();
    line.run(packets(50, |i| (i != 20).then_some(10)), 900);
    let late = line.insert(Sent {
        index: 20,
        sent_ms: 400,
        arrives_ms: 900,
    });
    assert_eq!(late, Inserted::Late);
    assert_eq!(line.buffer.stats().late, 1);
}

#[test]
fn a_sender_with_a_slow_or_fast_clock_is_followed() {
    for (step_us, name) in [(20_020, "slow"), (19_980, "fast")] {
        let mut line = Line::new();
        let drifting = packets(5_000, |i| {
            let arrives_ms = u64::from(i) * step_us / 1000 + 200;
            Some(arrives_ms - u64::from(i) * 20)
        });
        line.run(drifting, 99_000);
        // 0.1 % of 99 s is five frames.
        assert!(line.concealed() <= 8, "{name}: {}", line.concealed());
        assert!(line.buffer.depth_ms() <= 100, "{name}");
        assert_eq!(line.buffer.stats().dropped, 0, "{name}");
    }
}
