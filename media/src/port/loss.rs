//! How much of our stream the peer loses, smoothed for the encoder: every
//! change costs quality or protection, and single reports jump.

/// Part of the way to a higher or lower report that one report moves the estimate.
const RISE: f32 = 0.5;
const FALL: f32 = 0.25;
/// Loss at which the encoder begins, and below which it ends, to expect some, per cent.
const BEGIN_PERCENT: f32 = 2.0;
const END_PERCENT: f32 = 1.0;
/// A change that is worth telling, percentage points.
const STEP_PERCENT: f32 = 3.0;

/// Follows the reports about one stream of ours.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReportedLoss {
    smoothed_percent: f32,
    expected_percent: u8,
}

impl ReportedLoss {
    /// Takes the fraction lost of a report, in 1/256 (RFC 3550 section 6.4.1);
    /// returns what is to be expected from now on when that has changed.
    pub(super) fn report(&mut self, fraction_lost: u8) -> Option<u8> {
        let away = f32::from(fraction_lost) / 2.56 - self.smoothed_percent;
        self.smoothed_percent += away * if away > 0.0 { RISE } else { FALL };
        let expects = self.expected_percent > 0;
        let limit = if expects { END_PERCENT } else { BEGIN_PERCENT };
        let change = self.smoothed_percent - f32::from(self.expected_percent);
        let next = match self.smoothed_percent < limit {
            true => 0,
            false if expects && change.abs() < STEP_PERCENT => self.expected_percent,
            false => self.smoothed_percent.round() as u8,
        };
        let changed = next != self.expected_percent;
        self.expected_percent = next;
        changed.then_some(next)
    }

    /// The loss to be expected, per cent.
    pub(super) fn expected_percent(&self) -> u8 {
        self.expected_percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 % and 2 % in a report.
    const TENTH: u8 = 26;
    const FIFTIETH: u8 = 5;

    #[test]
    fn a_lossy_network_is_told_within_three_reports_and_then_left_in_peace() {
        let mut loss = ReportedLoss::default();
        let told: Vec<_> = (0..20).filter_map(|_| loss.report(TENTH)).collect();
        assert_eq!(told, [5, 9]);
        // Reports that jump about a mean change nothing.
        let told: Vec<_> = [20, 30, 22, 28].map(|it| loss.report(it)).into();
        assert_eq!(told, [None; 4]);
    }

    #[test]
    fn it_is_forgotten_slowly_and_completely() {
        let mut loss = ReportedLoss::default();
        (0..10).for_each(|_| _ = loss.report(TENTH));
        assert_eq!(loss.report(0), None, "one good report");
        let until_zero = (1..20).find(|_| loss.report(0) == Some(0));
        assert!(
            until_zero.is_some_and(|reports| reports > 4),
            "{until_zero:?}"
        );
        assert_eq!(loss.expected_percent(), 0);
    }

    #[test]
    fn a_stray_packet_is_no_loss_and_a_little_loss_does_not_flap() {
        let mut loss = ReportedLoss::default();
        assert_eq!(loss.report(6), None);
        (0..5).for_each(|_| _ = loss.report(TENTH));
        let told = (0..50).filter_map(|_| loss.report(FIFTIETH)).count();
        assert!(told <= 2, "{told}");
        assert!(loss.expected_percent() > 0);
    }
}
