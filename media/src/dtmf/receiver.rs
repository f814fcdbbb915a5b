//! Telephone events as they arrive: repeated, lost, reordered.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Digit, TelephoneEvent};

/// A press whose packets stop without an end counts as ended after this long.
const LOST_END: Duration = Duration::from_millis(200);
/// An older timestamp this soon after the last packet is a late packet; later
/// it is a new stream.
const LATE_WINDOW: Duration = Duration::from_secs(2);
/// A press longer than the duration field goes on in a new segment that starts
/// where the last one is full (RFC 4733 section 2.5.1.3).
const SEGMENT: u32 = u16::MAX as u32;
/// Events kept for a reader that does not poll.
const MAX_PENDING: usize = 16;

/// What a caller did with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitEvent {
    /// The key went down. Told once for each press.
    Pressed(Digit),
    /// The key came up, or its packets stopped coming.
    Released {
        /// The key.
        digit: Digit,
        /// How long it was held, as far as the packets told.
        held: Duration,
    },
}

/// The last event seen, held or over.
struct Press {
    digit: Digit,
    /// RTP timestamp of the event's current segment.
    timestamp: u32,
    /// Duration in that segment, and in the segments before it.
    duration: u16,
    earlier: u32,
    last_packet: Instant,
    held: bool,
}

/// Where a packet belongs.
enum Place {
    /// To the press known already.
    Known,
    /// To the press known already, in the next segment of a long one.
    NextSegment,
    /// To a press before it.
    Late,
    /// To a new press.
    New,
}

/// Receives the telephone events of one stream. Each press is one RTP
/// timestamp, whatever number of packets repeat it (RFC 4733 section 2.5.1.2).
pub struct EventReceiver {
    clock_hz: u32,
    press: Option<Press>,
    pending: VecDeque<DigitEvent>,
}

impl EventReceiver {
    /// A receiver of events with an RTP clock of `clock_hz`.
    pub fn new(clock_hz: u32) -> Self {
        Self {
            clock_hz: clock_hz.max(1),
            press: None,
            pending: VecDeque::with_capacity(MAX_PENDING),
        }
    }

    /// Hears one packet. Packets that are no key event are ignored.
    pub fn handle_packet(&mut self, timestamp: u32, payload: &[u8], now: Instant) {
        self.handle_timeout(now);
        let Some(event) = TelephoneEvent::parse(payload) else {
            return;
        };
        let Some(digit) = Digit::from_event_code(event.code) else {
            return;
        };
        match self.place(timestamp, digit, now) {
            Place::Late => return,
            Place::Known => {}
            Place::NextSegment => self.next_segment(timestamp),
            Place::New => self.begin(timestamp, digit, now),
        }
        if let Some(press) = &mut self.press {
            press.duration = press.duration.max(event.duration);
            press.last_packet = now;
        }
        if event.end {
            self.release();
        }
    }

    /// The next event to act on.
    pub fn poll_event(&mut self) -> Option<DigitEvent> {
        self.pending.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let press = self.press.as_ref().filter(|press| press.held)?;
        Some(press.last_packet + LOST_END)
    }

    /// Ends a press whose packets have stopped.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| now >= at) {
            self.release();
        }
    }

    /// Where a packet belongs.
    fn place(&self, timestamp: u32, digit: Digit, now: Instant) -> Place {
        let Some(press) = &self.press else {
            return Place::New;
        };
        let ahead = timestamp.wrapping_sub(press.timestamp);
        let is_older = ahead > u32::MAX / 2;
        if ahead == 0 {
            return Place::Known;
        }
        if is_older && now.saturating_duration_since(press.last_packet) < LATE_WINDOW {
            return Place::Late;
        }
        if press.held && press.digit == digit && ahead == SEGMENT {
            return Place::NextSegment;
        }
        Place::New
    }

    fn next_segment(&mut self, timestamp: u32) {
        if let Some(press) = &mut self.press {
            press.timestamp = timestamp;
            press.earlier = press.earlier.saturating_add(SEGMENT);
            press.duration = 0;
        }
    }

    fn begin(&mut self, timestamp: u32, digit: Digit, now: Instant) {
        self.release();
        self.press = Some(Press {
            digit,
            timestamp,
            duration: 0,
            earlier: 0,
            last_packet: now,
            held: true,
        });
        self.tell(DigitEvent::Pressed(digit));
    }

    fn release(&mut self) {
        let Some(press) = self.press.as_mut().filter(|press| press.held) else {
            return;
        };
        press.held = false;
        let units = u64::from(press.earlier) + u64::from(press.duration);
        let held = Duration::from_millis(units * 1000 / u64::from(self.clock_hz));
        let digit = press.digit;
        self.tell(DigitEvent::Released { digit, held });
    }

    fn tell(&mut self, event: DigitEvent) {
        if self.pending.len() < MAX_PENDING {
            self.pending.push_back(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(key: char, duration: u16, end: bool) -> [u8; 4] {
        TelephoneEvent {
            code: Digit::new(key).unwrap().event_code(),
            end,
            volume: 10,
            duration,
        }
        .build()
    }

    /// The presses and releases told so far, as text: `5` down, `-5:60` up.
    fn told(receiver: &mut EventReceiver) -> String {
        let words: Vec<String> = std::iter::from_fn(|| receiver.poll_event())
            .map(|event| match event {
                DigitEvent::Pressed(digit) => digit.reveal().to_string(),
                DigitEvent::Released { digit, held } => {
                    format!("-{}:{}", digit.reveal(), held.as_millis())
                }
            })
            .collect();
        words.join(" ")
    }

    #[test]
    fn a_press_of_many_packets_is_one_digit() {
        let mut receiver = EventReceiver::new(8000);
        let start = Instant::now();
        for i in 1..=5u16 {
            let now = start + Duration::from_millis(20) * u32::from(i);
            receiver.handle_packet(1000, &packet('5', i * 160, false), now);
        }
        for _ in 0..3 {
            receiver.handle_packet(1000, &packet('5', 960, true), start);
        }
        assert_eq!(told(&mut receiver), "5 -5:120");
    }

    #[test]
    fn a_first_packet_may_already_be_the_end() {
        let mut receiver = EventReceiver::new(8000);
        let now = Instant::now();
        for _ in 0..3 {
            receiver.handle_packet(1000, &packet('#', 800, true), now);
        }
        assert_eq!(told(&mut receiver), "# -#:100");
        // The same key again is a new press, told by its timestamp.
        receiver.handle_packet(3000, &packet('#', 800, true), now);
        assert_eq!(told(&mut receiver), "# -#:100");
    }

    #[test]
    fn a_lost_end_ends_after_200_ms_and_late_packets_do_not_repeat_the_digit() {
        let mut receiver = EventReceiver::new(8000);
        let start = Instant::now();
        receiver.handle_packet(1000, &packet('7', 160, false), start);
        assert_eq!(told(&mut receiver), "7");
        let timeout = receiver.poll_timeout().unwrap();
        assert_eq!(timeout - start, Duration::from_millis(200));
        receiver.handle_timeout(timeout - Duration::from_millis(1));
        assert_eq!(told(&mut receiver), "");
        receiver.handle_timeout(timeout);
        assert_eq!(told(&mut receiver), "-7:20");
        assert_eq!(receiver.poll_timeout(), None);
        receiver.handle_packet(1000, &packet('7', 960, true), timeout);
        assert_eq!(told(&mut receiver), "");
    }

    #[test]
    fn packets_of_an_earlier_digit_that_arrive_late_are_ignored() {
        let mut receiver = EventReceiver::new(8000);
        let now = Instant::now();
        receiver.handle_packet(1000, &packet('1', 160, false), now);
        receiver.handle_packet(3000, &packet('2', 160, false), now);
        receiver.handle_packet(1000, &packet('1', 800, true), now);
        receiver.handle_packet(3000, &packet('2', 800, true), now);
        assert_eq!(told(&mut receiver), "1 -1:20 2 -2:100");
    }

    #[test]
    fn a_new_stream_with_lower_timestamps_is_heard() {
        let mut receiver = EventReceiver::new(8000);
        let start = Instant::now();
        receiver.handle_packet(900_000, &packet('1', 800, true), start);
        let later = start + Duration::from_secs(5);
        receiver.handle_packet(1000, &packet('2', 800, true), later);
        assert_eq!(told(&mut receiver), "1 -1:100 2 -2:100");
    }

    #[test]
    fn timestamps_may_wrap_between_digits() {
        let mut receiver = EventReceiver::new(8000);
        let now = Instant::now();
        receiver.handle_packet(u32::MAX - 10, &packet('1', 800, true), now);
        receiver.handle_packet(2000, &packet('1', 800, true), now);
        receiver.handle_packet(u32::MAX - 10, &packet('1', 800, true), now);
        assert_eq!(told(&mut receiver), "1 -1:100 1 -1:100");
    }

    #[test]
    fn a_press_longer_than_its_duration_field_is_still_one_digit() {
        let mut receiver = EventReceiver::new(8000);
        let now = Instant::now();
        receiver.handle_packet(1000, &packet('0', u16::MAX, false), now);
        receiver.handle_packet(1000 + 65_535, &packet('0', 160, false), now);
        receiver.handle_packet(1000 + 65_535, &packet('0', 800, true), now);
        assert_eq!(told(&mut receiver), "0 -0:8291");
    }

    #[test]
    fn other_events_and_garbage_are_ignored() {
        let mut receiver = EventReceiver::new(8000);
        let now = Instant::now();
        receiver.handle_packet(1, &[16, 0, 0, 160], now); // flash
        receiver.handle_packet(2, &[5, 0], now);
        receiver.handle_packet(3, &[], now);
        assert_eq!(told(&mut receiver), "");
    }
}
