//! One press, one digit: phones may send a key both as RTP events and by INFO.

use std::time::{Duration, Instant};

use routing::Digit;

/// The same key from the other source within this time is the same press.
const SAME_PRESS: Duration = Duration::from_millis(200);

/// How a digit came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// RFC 4733 events or tones.
    Media,
    /// A SIP INFO.
    Info,
}

/// Drops the second report of one press.
#[derive(Debug, Default)]
pub(crate) struct DigitFilter {
    last: Option<(Digit, Source, Instant)>,
}

impl DigitFilter {
    /// Whether this is a press that has not been reported yet.
    pub(crate) fn is_new(&mut self, digit: Digit, source: Source, now: Instant) -> bool {
        let repeats = self.last.is_some_and(|(key, from, at)| {
            key == digit && from != source && now.saturating_duration_since(at) <= SAME_PRESS
        });
        // A report can have one double only: the next one is a press again.
        self.last = (!repeats).then_some((digit, source, now));
        !repeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presses(reports: &[(u64, char, Source)]) -> String {
        let start = Instant::now();
        let mut filter = DigitFilter::default();
        reports
            .iter()
            .filter(|(ms, key, source)| {
                let digit = Digit::new(*key).unwrap();
                filter.is_new(digit, *source, start + Duration::from_millis(*ms))
            })
            .map(|(_, key, _)| *key)
            .collect()
    }

    #[test]
    fn a_press_reported_twice_counts_once() {
        use Source::{Info, Media};
        assert_eq!(presses(&[(0, '5', Media), (120, '5', Info)]), "5");
        assert_eq!(presses(&[(0, '5', Info), (200, '5', Media)]), "5");
    }

    #[test]
    fn distinct_presses_all_count() {
        use Source::{Info, Media};
        assert_eq!(presses(&[(0, '5', Media), (100, '5', Media)]), "55");
        assert_eq!(presses(&[(0, '5', Media), (201, '5', Info)]), "55");
        assert_eq!(presses(&[(0, '5', Media), (50, '6', Info)]), "56");
        let both = [
            (0, '1', Media),
            (20, '1', Info),
            (150, '1', Media),
            (170, '1', Info),
        ];
        assert_eq!(presses(&both), "11");
    }
}
