//! How well a stream arrives: sequence numbers, loss and jitter
//! (RFC 3550 sections 6.4.1 and A.1, A.3, A.8).

use std::time::{Duration, Instant};

use super::{NtpTime, ReportBlock};

/// Largest jump ahead that still counts as loss.
const MAX_DROPOUT: u16 = 3_000;
/// Largest step back that still counts as reordering.
const MAX_MISORDER: u16 = 100;
/// Wraps start at one, so that a packet from before the first has a number.
const FIRST_CYCLE: u64 = 1 << 16;

/// Where a packet belongs in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// In the running numbering; the sequence number extended by its wraps.
    Known(u64),
    /// The peer has started a new numbering, confirmed by two packets in a row.
    Restarted(u64),
    /// Far from the numbering, and the only one so far: not to be played.
    Implausible,
}

/// Measures one stream (one SSRC).
#[derive(Clone, Debug)]
pub struct Reception {
    ssrc: u32,
    clock_hz: u32,
    epoch: Instant,
    first: u64,
    highest: u64,
    received: u64,
    /// Lost before the peer started a new numbering.
    lost_before: i64,
    /// Expected and received at the previous report.
    reported: (u64, u64),
    /// The number that would confirm a restart.
    expected_restart: Option<u16>,
    /// Arrival minus timestamp of the newest packet, ticks, and the jitter
    /// scaled by 16.
    transit: u32,
    jitter_16: u32,
    last_sender_report: Option<(NtpTime, Instant)>,
}

impl Reception {
    /// Begins with the first packet of a stream.
    #[must_use]
    pub fn new(ssrc: u32, clock_hz: u32, sequence: u16, timestamp: u32, now: Instant) -> Self {
        let first = FIRST_CYCLE + u64::from(sequence);
        let mut reception = Self {
            ssrc,
            clock_hz,
            epoch: now,
            first,
            highest: first,
            received: 1,
            lost_before: 0,
            reported: (0, 0),
            expected_restart: None,
            transit: 0,
            jitter_16: 0,
            last_sender_report: None,
        };
        reception.transit = reception.transit_of(timestamp, now);
        reception
    }

    /// Whose stream this is.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The extended number of the first packet, as [`Arrival::Known`] would tell it.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Counts a packet after the first.
    pub fn update(&mut self, sequence: u16, timestamp: u32, now: Instant) -> Arrival {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let extended = if ahead < MAX_DROPOUT {
            self.highest += u64::from(ahead);
            self.highest
        } else if ahead > u16::MAX - MAX_MISORDER {
            self.highest - u64::from(u16::MAX - ahead) - 1
        } else if self.expected_restart == Some(sequence) {
            return self.restart(sequence, timestamp, now);
        } else {
            self.expected_restart = Some(sequence.wrapping_add(1));
            return Arrival::Implausible;
        };
        self.expected_restart = None;
        self.received += 1;
        self.measure_jitter(timestamp, now);
        Arrival::Known(extended)
    }

    /// Remembers a sender report of this stream, for the round trip.
    pub fn sender_report(&mut self, ntp: NtpTime, now: Instant) {
        self.last_sender_report = Some((ntp, now));
    }

    /// Packets missing by sequence number in the running numbering; duplicates
    /// count against it.
    #[must_use]
    pub fn lost(&self) -> i64 {
        (self.expected() as i64).saturating_sub(self.received as i64)
    }

    /// [`lost`](Self::lost) over all numberings of the stream.
    #[must_use]
    pub fn lost_in_all(&self) -> i64 {
        self.lost_before.saturating_add(self.lost())
    }

    /// Interarrival jitter, RTP ticks.
    #[must_use]
    pub fn jitter_ticks(&self) -> u32 {
        self.jitter_16 >> 4
    }

    /// The report block for now; starts the interval of the next.
    pub fn report(&mut self, now: Instant) -> ReportBlock {
        let expected = self.expected();
        let in_interval = expected - self.reported.0;
        let received = self.received - self.reported.1;
        self.reported = (expected, self.received);
        let lost = in_interval.saturating_sub(received);
        let fraction = (lost << 8).checked_div(in_interval).unwrap_or(0);
        let (last, delay) = match self.last_sender_report {
            None => (0, 0),
            Some((ntp, at)) => (ntp.middle(), units_65536(now.duration_since(at))),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction.min(255) as u8,
            cumulative_lost: self.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
            // The first cycle is ours alone.
            highest_sequence: (self.highest - FIRST_CYCLE) as u32,
            jitter: self.jitter_ticks(),
            last_sender_report: last,
            delay_since_last: delay,
        }
    }

    fn expected(&self) -> u64 {
        self.highest - self.first + 1
    }

    fn restart(&mut self, sequence: u16, timestamp: u32, now: Instant) -> Arrival {
        let (report, lost) = (self.last_sender_report, self.lost_in_all());
        *self = Self::new(self.ssrc, self.clock_hz, sequence, timestamp, now);
        self.last_sender_report = report;
        self.lost_before = lost;
        Arrival::Restarted(self.first)
    }

    fn transit_of(&self, timestamp: u32, now: Instant) -> u32 {
        let micros = now.saturating_duration_since(self.epoch).as_micros() as u64;
        let ticks = micros.wrapping_mul(u64::from(self.clock_hz)) / 1_000_000;
        (ticks as u32).wrapping_sub(timestamp)
    }

    fn measure_jitter(&mut self, timestamp: u32, now: Instant) {
        let transit = self.transit_of(timestamp, now);
        let change = transit
            .wrapping_sub(self.transit)
            .cast_signed()
            .unsigned_abs();
        self.transit = transit;
        // A jump of the timestamps is no jitter.
        if change < self.clock_hz {
            self.jitter_16 = self.jitter_16 + change - ((self.jitter_16 + 8) >> 4);
        }
    }
}

/// A duration in 1/65536 s.
fn units_65536(duration: Duration) -> u32 {
    let units = duration.as_micros() * 65_536 / 1_000_000;
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(20);

    fn stream(sequences: &[u16]) -> (Reception, Vec<Arrival>) {
        let start = Instant::now();
        let mut reception = Reception::new(7, 8000, sequences[0], 0, start);
        let arrivals = sequences[1..]
            .iter()
            .zip(1u32..)
            .map(|(&sequence, i)| reception.update(sequence, i * 160, start + STEP * i))
            .collect();
        (reception, arrivals)
    }

    #[test]
    fn loss_is_counted_across_a_wrap() {
        let (mut reception, arrivals) = stream(&[65_533, 65_534, 0, 1, 3]);
        assert_eq!(arrivals.last(), Some(&Arrival::Known((2 << 16) + 3)));
        assert_eq!(reception.lost(), 2);
        let report = reception.report(Instant::now());
        assert_eq!(report.fraction_lost, (2 * 256 / 7) as u8);
        assert_eq!(report.cumulative_lost, 2);
        assert_eq!(report.highest_sequence, (1 << 16) + 3);
        assert_eq!(report.jitter, 0);
        assert_eq!(reception.report(Instant::now()).fraction_lost, 0);
    }

    #[test]
    fn late_packets_and_duplicates_make_loss_smaller() {
        let (reception, arrivals) = stream(&[10, 12, 11, 11]);
        assert_eq!(arrivals[1], Arrival::Known((1 << 16) + 11));
        assert_eq!(reception.lost(), -1);
    }

    #[test]
    fn one_stray_packet_is_not_believed_but_two_in_a_row_restart() {
        let (reception, arrivals) = stream(&[10, 30_000, 11, 40_000, 40_001, 40_002]);
        assert_eq!(
            arrivals,
            [
                Arrival::Implausible,
                Arrival::Known((1 << 16) + 11),
                Arrival::Implausible,
                Arrival::Restarted((1 << 16) + 40_001),
                Arrival::Known((1 << 16) + 40_002),
            ]
        );
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn jitter_follows_the_formula_of_the_rfc() {
        let start = Instant::now();
        let mut reception = Reception::new(7, 8000, 0, 0, start);
        // 10 ms late, then on time, ...: |D| is 80 ticks each time and the
        // estimate settles there.
        for i in 1..200u32 {
            let late = Duration::from_millis(u64::from(i % 2) * 10);
            reception.update(i as u16, i * 160, start + STEP * i + late);
        }
        assert!((79..=81).contains(&reception.jitter_ticks()));
        // A jump of the timestamps leaves it alone.
        let before = reception.jitter_ticks();
        reception.update(200, 5_000_000, start + STEP * 200);
        assert_eq!(reception.jitter_ticks(), before);
    }

    #[test]
    fn a_report_repeats_the_last_sender_report() {
        let start = Instant::now();
        let mut reception = Reception::new(7, 8000, 0, 0, start);
        reception.sender_report(NtpTime(0x1234_5678_9abc_def0), start);
        let report = reception.report(start + Duration::from_millis(1_500));
        assert_eq!(report.last_sender_report, 0x5678_9abc);
        assert_eq!(report.delay_since_last, 0x0001_8000);
    }
}
