//! Telephone events as they are sent (RFC 4733 section 2.5.1).

use std::collections::VecDeque;
use std::fmt;

use super::{Digit, EVENT_BYTES, TelephoneEvent};
use crate::codec::FRAME_MS;

/// Times the last packet of an event is sent.
const END_PACKETS: u8 = 3;
/// Pause between two digits, milliseconds (at least 40 is customary).
const PAUSE_MS: u32 = 60;
/// Digits waiting to be sent.
const MAX_QUEUED: usize = 32;
/// Power below 0 dBm0 of the tone the far side is to play.
const VOLUME: u8 = 10;

/// A telephone-event packet to send in place of audio.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// The payload.
    pub payload: [u8; EVENT_BYTES],
    /// The RTP timestamp: the start of the event, in all its packets.
    pub timestamp: u32,
    /// The RTP marker bit: set on the first packet of an event.
    pub marker: bool,
}

impl fmt::Debug for EventPacket {
    /// Without the payload, which names the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventPacket")
            .field("timestamp", &self.timestamp)
            .field("marker", &self.marker)
            .finish_non_exhaustive()
    }
}

enum State {
    Idle,
    Pressing {
        digit: Digit,
        target: u16,
        timestamp: u32,
        sent: u16,
        ends: u8,
    },
    Pausing {
        ticks: u32,
    },
}

/// Sends digits, one packet in each 20 ms tick while a key is down.
pub struct EventSender {
    clock_hz: u32,
    queue: VecDeque<(Digit, u16)>,
    state: State,
}

impl EventSender {
    /// A sender of events with an RTP clock of `clock_hz`.
    pub fn new(clock_hz: u32) -> Self {
        Self {
            clock_hz,
            queue: VecDeque::with_capacity(MAX_QUEUED),
            state: State::Idle,
        }
    }

    /// Queues a press of `duration_ms`, rounded up to whole ticks; `false`
    /// when the queue is full.
    pub fn start(&mut self, digit: Digit, duration_ms: u32) -> bool {
        if self.queue.len() == MAX_QUEUED {
            return false;
        }
        let ticks = duration_ms.div_ceil(FRAME_MS as u32).max(1);
        let units = ticks.saturating_mul(self.tick_units());
        let target = u16::try_from(units).unwrap_or(u16::MAX);
        self.queue.push_back((digit, target));
        true
    }

    /// Whether nothing is being sent or waits to be.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && matches!(self.state, State::Idle)
    }

    /// Called every 20 ms with the stream's current RTP timestamp; returns the
    /// packet to send instead of audio, if a key is down.
    pub fn poll_packet(&mut self, timestamp_now: u32) -> Option<EventPacket> {
        match &mut self.state {
            State::Idle => self.next_digit(timestamp_now),
            State::Pausing { ticks } => {
                *ticks -= 1;
                if *ticks == 0 {
                    self.state = State::Idle;
                }
                return None;
            }
            State::Pressing { .. } => {}
        }
        self.press()
    }

    fn next_digit(&mut self, timestamp: u32) {
        if let Some((digit, target)) = self.queue.pop_front() {
            self.state = State::Pressing {
                digit,
                target,
                timestamp,
                sent: 0,
                ends: 0,
            };
        }
    }

    /// The next packet of the key that is down.
    fn press(&mut self) -> Option<EventPacket> {
        let step = self.tick_units();
        let State::Pressing {
            digit,
            target,
            timestamp,
            sent,
            ends,
        } = &mut self.state
        else {
            return None;
        };
        let marker = *sent == 0;
        let grown = u32::from(*sent) + step;
        *sent = u16::try_from(grown).unwrap_or(u16::MAX).min(*target);
        let end = *sent == *target;
        let packet = EventPacket {
            payload: TelephoneEvent {
                code: digit.event_code(),
                end,
                volume: VOLUME,
                duration: *sent,
            }
            .build(),
            timestamp: *timestamp,
            marker,
        };
        *ends += u8::from(end);
        if *ends == END_PACKETS {
            let ticks = PAUSE_MS.div_ceil(FRAME_MS as u32);
            self.state = State::Pausing { ticks };
        }
        Some(packet)
    }

    /// RTP timestamp units in one tick.
    fn tick_units(&self) -> u32 {
        self.clock_hz / 1000 * FRAME_MS as u32
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DigitEvent, EventReceiver};
    use super::*;
    use std::time::{Duration, Instant};

    fn digit(key: char) -> Digit {
        Digit::new(key).unwrap()
    }

    #[test]
    fn a_press_grows_and_ends_three_times() {
        let mut sender = EventSender::new(8000);
        assert!(sender.start(digit('9'), 100));
        let packets: Vec<EventPacket> = (0..20)
            .filter_map(|tick| sender.poll_packet(5000 + tick * 160))
            .collect();
        assert!(packets.iter().all(|packet| packet.timestamp == 5000));
        assert!(!format!("{packets:?}").contains("payload"));
        let seen: Vec<(u16, bool, bool)> = packets
            .iter()
            .map(|packet| {
                let event = TelephoneEvent::parse(&packet.payload).unwrap();
                (event.duration, event.end, packet.marker)
            })
            .collect();
        assert_eq!(
            seen,
            [
                (160, false, true),
                (320, false, false),
                (480, false, false),
                (640, false, false),
                (800, true, false),
                (800, true, false),
                (800, true, false),
            ]
        );
        assert!(sender.is_idle());
    }

    #[test]
    fn what_is_sent_is_received_once_even_when_half_is_lost() {
        let mut sender = EventSender::new(48_000);
        let mut receiver = EventReceiver::new(48_000);
        for key in "1123#".chars() {
            assert!(sender.start(digit(key), 80));
        }
        let start = Instant::now();
        let mut heard = String::new();
        for tick in 0..100u32 {
            let now = start + Duration::from_millis(20) * tick;
            if let Some(packet) = sender.poll_packet(tick * 960)
                && tick % 2 == 0
            {
                receiver.handle_packet(packet.timestamp, &packet.payload, now);
            }
            receiver.handle_timeout(now);
            while let Some(event) = receiver.poll_event() {
                if let DigitEvent::Pressed(digit) = event {
                    heard.push(digit.reveal());
                }
            }
        }
        assert_eq!(heard, "1123#");
        assert!(sender.is_idle());
    }

    #[test]
    fn a_full_queue_says_so_and_long_presses_fit_the_field() {
        let mut sender = EventSender::new(48_000);
        for _ in 0..MAX_QUEUED {
            assert!(sender.start(digit('1'), 60_000));
        }
        assert!(!sender.start(digit('1'), 100));
        let last = (0..200).filter_map(|_| sender.poll_packet(0)).nth(70);
        let event = TelephoneEvent::parse(&last.unwrap().payload).unwrap();
        assert_eq!((event.duration, event.end), (u16::MAX, true));
    }
}
