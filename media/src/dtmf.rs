//! Keypad digits: RFC 4733 telephone events, SIP INFO and in-band tones.
//!
//! A digit may be part of a PIN or say what a caller chose in confidence, so
//! [`Digit`] hides itself from `Debug`.

mod inband;
mod info;
mod receiver;
mod sender;

use std::fmt;

pub use inband::{InbandDetector, digit_tone};
pub use info::{InfoDigit, InfoError, parse_info};
pub use receiver::{DigitEvent, EventReceiver};
pub use sender::{EventPacket, EventSender};

/// Length of a telephone-event payload, bytes.
pub const EVENT_BYTES: usize = 4;
/// Keys in the order of their event codes (RFC 4733 table 3).
const KEYS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];

/// One key: 0-9, `*`, `#`, A-D.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digit(u8);

impl Digit {
    /// The key named by `key`; A to D in either case.
    pub fn new(key: char) -> Option<Digit> {
        let key = key.to_ascii_uppercase();
        let code = KEYS.iter().position(|&known| known == key)?;
        Some(Digit(code as u8))
    }

    /// The key of an RFC 4733 event code; `None` for other events (flash, fax tones).
    pub fn from_event_code(code: u8) -> Option<Digit> {
        (usize::from(code) < KEYS.len()).then_some(Digit(code))
    }

    /// The RFC 4733 event code, 0 to 15.
    pub fn event_code(self) -> u8 {
        self.0
    }

    /// The key itself. Never for logs.
    pub fn reveal(self) -> char {
        KEYS[usize::from(self.0)]
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit(…)")
    }
}

/// A telephone-event payload (RFC 4733 section 2.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The event code: 0 to 15 are keys.
    pub code: u8,
    /// Whether the key was let go.
    pub end: bool,
    /// Power below 0 dBm0, 0 to 63.
    pub volume: u8,
    /// How long the event has lasted so far, RTP timestamp units.
    pub duration: u16,
}

impl TelephoneEvent {
    /// The first event of a payload; `None` when it is too short. Bytes past
    /// the first event are ignored.
    pub fn parse(payload: &[u8]) -> Option<TelephoneEvent> {
        let &[code, flags, high, low] = payload.first_chunk::<EVENT_BYTES>()?;
        Some(TelephoneEvent {
            code,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// The payload. A volume above 63 is written as 63.
    pub fn build(self) -> [u8; EVENT_BYTES] {
        let end = u8::from(self.end) << 7;
        let [high, low] = self.duration.to_be_bytes();
        [self.code, end | self.volume.min(63), high, low]
    }
}

impl fmt::Debug for TelephoneEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelephoneEvent")
            .field("code", &"…")
            .field("end", &self.end)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_map_to_event_codes_and_hide_from_debug() {
        for (code, key) in KEYS.into_iter().enumerate() {
            let digit = Digit::new(key).unwrap();
            assert_eq!(usize::from(digit.event_code()), code);
            assert_eq!(Digit::from_event_code(code as u8), Some(digit));
            assert_eq!(digit.reveal(), key);
            assert_eq!(format!("{digit:?}"), "Digit(…)");
        }
        assert_eq!(Digit::new('d').map(Digit::reveal), Some('D'));
        assert_eq!(Digit::new('e'), None);
        assert_eq!(Digit::from_event_code(16), None);
    }

    #[test]
    fn events_survive_a_round_trip() {
        let event = TelephoneEvent {
            code: 11,
            end: true,
            volume: 10,
            duration: 1600,
        };
        assert_eq!(event.build(), [11, 0x8a, 0x06, 0x40]);
        assert_eq!(TelephoneEvent::parse(&event.build()), Some(event));
        assert_eq!(TelephoneEvent::parse(&[1, 2, 3]), None);
        assert!(!format!("{event:?}").contains("11"));
    }
}
