//! RTCP (RFC 3550 section 6): reports about a stream, its names and its end.

mod build;
mod parse;
mod reception;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use build::{Report, build};
pub use parse::{Compound, Goodbye, Packet, ReportBlocks, RtcpError, SourceNames};
pub use reception::{Arrival, Reception};

/// Longest RTCP datagram built here, bytes.
pub const MAX_REPORT_BYTES: usize = 128;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// Seconds from 1900 to 1970.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

/// Wall-clock time as RTCP carries it: seconds since 1900, 32.32 fixed point
/// (RFC 3550 section 4). Wraps in 2036, as the format does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The time of the system's clock; times before 1970 count as 1970.
    #[must_use]
    pub fn from_system(time: SystemTime) -> NtpTime {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let seconds = since.as_secs().wrapping_add(NTP_TO_UNIX_S);
        let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
        NtpTime(seconds << 32 | fraction)
    }

    /// The middle 32 bits, as reports repeat them.
    #[must_use]
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// The sender's part of a sender report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// When the report was sent.
    pub ntp: NtpTime,
    /// The same instant on the stream's RTP clock.
    pub rtp_timestamp: u32,
    /// Packets sent so far.
    pub packets: u32,
    /// Payload bytes sent so far.
    pub octets: u32,
}

/// One reception report block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// Whose stream is reported on.
    pub ssrc: u32,
    /// Part lost since the previous report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all; negative when duplicates outweigh losses.
    pub cumulative_lost: i32,
    /// Highest sequence number with its count of wraps.
    pub highest_sequence: u32,
    /// Interarrival jitter, RTP ticks.
    pub jitter: u32,
    /// [`NtpTime::middle`] of the last sender report received, zero without one.
    pub last_sender_report: u32,
    /// Time since that report, in 1/65536 s.
    pub delay_since_last: u32,
}

/// The round trip that a report block tells, when it answers a sender report
/// of ours (RFC 3550 section 6.4.1). `None` without one, or when the clock
/// says that it came back before it left.
#[must_use]
pub fn round_trip(block: &ReportBlock, now: NtpTime) -> Option<Duration> {
    if block.last_sender_report == 0 {
        return None;
    }
    let away = now.middle().wrapping_sub(block.last_sender_report);
    let units = away.checked_sub(block.delay_since_last)?;
    Some(Duration::from_micros(u64::from(units) * 1_000_000 / 65_536))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_counts_from_1900_in_binary_fractions() {
        let time = UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(NtpTime::from_system(time).0, 0x83aa_7e81_8000_0000);
        assert_eq!(NtpTime::from_system(time).middle(), 0x7e81_8000);
    }

    #[test]
    fn the_round_trip_of_the_rfc_is_computed() {
        // RFC 3550 figure 2: A - LSR - DLSR = 6.125 s.
        let block = ReportBlock {
            ssrc: 1,
            fraction_lost: 0,
            cumulative_lost: 0,
            highest_sequence: 0,
            jitter: 0,
            last_sender_report: 0xb705_2000,
            delay_since_last: 0x0005_4000,
        };
        let now = NtpTime(u64::from(0xb710_8000u32) << 16);
        assert_eq!(round_trip(&block, now), Some(Duration::from_millis(6_125)));
        let early = NtpTime(u64::from(0xb705_2001u32) << 16);
        assert_eq!(round_trip(&block, early), None);
    }
}
