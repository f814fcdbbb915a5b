//! The port's RTCP: reports both ways, and goodbye.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::loss::ReportedLoss;
use super::source::{canonical, sendable};
use super::{Port, Refused, Seeds};
use crate::rtcp::{
    Compound, MAX_REPORT_BYTES, NtpTime, Packet, Report, SenderInfo, build, round_trip,
};

/// Mean time between reports; each is drawn from half to one and a half of it
/// (RFC 3550 section 6.3.1).
const INTERVAL: Duration = Duration::from_secs(5);

/// When to report, and to whom.
pub(super) struct Reports {
    cname: [u8; 24],
    seeds: Seeds,
    due: Option<Instant>,
    /// Packets sent at the last report: a report of a sender who has sent
    /// nothing since is that of a receiver.
    packets: u32,
    /// Where the peer's reports come from, behind a NAT.
    learnt: Option<SocketAddr>,
    round_trip: Option<Duration>,
    loss: ReportedLoss,
}

impl Reports {
    pub(super) fn new(seeds: &mut Seeds) -> Self {
        let mut seeds = Seeds(seeds.next());
        let mut cname = [0; 24];
        for digits in cname.chunks_exact_mut(8) {
            let mut number = seeds.next();
            for digit in digits {
                *digit = b"0123456789abcdef"[(number & 0x0f) as usize];
                number >>= 4;
            }
        }
        Self {
            cname,
            seeds,
            due: None,
            packets: 0,
            learnt: None,
            round_trip: None,
            loss: ReportedLoss::default(),
        }
    }

    /// Addresses may have changed.
    pub(super) fn renegotiate(&mut self) {
        self.learnt = None;
    }

    /// How much of our stream the peer has been losing, per cent.
    pub(super) fn loss_percent(&self) -> u8 {
        self.loss.expected_percent()
    }

    fn interval(&mut self) -> Duration {
        let half_ms = INTERVAL.as_millis() as u64 / 2;
        Duration::from_millis(half_ms + self.seeds.next() % (2 * half_ms))
    }
}

impl Port {
    /// Takes an RTCP datagram from the peer.
    ///
    /// # Errors
    /// [`Refused`], counted.
    pub fn handle_rtcp(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
        now: Instant,
        ntp: NtpTime,
    ) -> Result<(), Refused> {
        let heard = self.hear_report(source, datagram, now, ntp);
        self.counts.refused += u64::from(heard.is_err());
        heard
    }

    /// The report that is due, about every five seconds: where to, and the packet.
    pub fn poll_report<'o>(
        &mut self,
        now: Instant,
        ntp: NtpTime,
        out: &'o mut [u8; MAX_REPORT_BYTES],
    ) -> Option<(SocketAddr, &'o [u8])> {
        self.session.as_ref()?;
        let Some(due) = self.reports.due else {
            self.reports.due = Some(now + self.reports.interval());
            return None;
        };
        if now < due {
            return None;
        }
        self.reports.due = Some(now + self.reports.interval());
        self.report(now, ntp, false, out)
    }

    /// The last report, which says goodbye. `None` when the port has never
    /// spoken or cannot reach the peer.
    pub fn goodbye<'o>(
        &mut self,
        now: Instant,
        ntp: NtpTime,
        out: &'o mut [u8; MAX_REPORT_BYTES],
    ) -> Option<(SocketAddr, &'o [u8])> {
        self.report(now, ntp, true, out)
    }

    /// The round trip to the peer, as its last report tells.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.reports.round_trip
    }

    fn hear_report(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
        now: Instant,
        ntp: NtpTime,
    ) -> Result<(), Refused> {
        let session = self.session.as_ref().ok_or(Refused::NotConfigured)?;
        let compound = Compound::parse(datagram).map_err(|_| Refused::Malformed)?;
        let source = canonical(source);
        // Behind a NAT the reports come from where the media comes from.
        let behind_nat = session.source.learnt();
        let from_peer = match self.reports.learnt.or(behind_nat) {
            _ if source == canonical(session.format.remote_rtcp) => true,
            Some(known) => known.ip() == source.ip(),
            None => false,
        };
        if !from_peer {
            return Err(Refused::Source);
        }
        if behind_nat.is_some() {
            self.reports.learnt = Some(source);
        }
        for packet in compound.packets() {
            self.take_report(&packet, now, ntp);
        }
        Ok(())
    }

    fn take_report(&mut self, packet: &Packet<'_>, now: Instant, ntp: NtpTime) {
        let blocks = match packet {
            Packet::SenderReport { ssrc, info, blocks } => {
                let reception = self.reception.as_mut();
                if let Some(reception) = reception.filter(|known| known.ssrc() == *ssrc) {
                    reception.sender_report(info.ntp, now);
                }
                blocks
            }
            Packet::ReceiverReport { blocks, .. } => blocks,
            // The end of a call is told by signalling; a goodbye that anybody
            // could have forged ends nothing.
            Packet::SourceDescription(_) | Packet::Goodbye(_) | Packet::Other { .. } => return,
        };
        let ours = self.sender.ssrc();
        if let Some(block) = blocks.iter().find(|block| block.ssrc == ours) {
            self.reports.round_trip = round_trip(&block, ntp).or(self.reports.round_trip);
            let loss = self.reports.loss.report(block.fraction_lost);
            if let (Some(percent), Some(encoder)) = (loss, &mut self.encoder) {
                encoder.expect_loss(percent);
            }
        }
    }

    fn report<'o>(
        &mut self,
        now: Instant,
        ntp: NtpTime,
        goodbye: bool,
        out: &'o mut [u8; MAX_REPORT_BYTES],
    ) -> Option<(SocketAddr, &'o [u8])> {
        let session = self.session.as_ref()?;
        let negotiated = session.format.remote_rtcp;
        let to = sendable(self.reports.learnt.unwrap_or(negotiated))?;
        let (packets, octets) = self.sender.counts();
        let has_sent = packets != self.reports.packets;
        self.reports.packets = packets;
        let report = Report {
            ssrc: self.sender.ssrc(),
            sender: has_sent.then(|| SenderInfo {
                ntp,
                rtp_timestamp: self.sender.timestamp(),
                packets,
                octets,
            }),
            block: self.reception.as_mut().map(|known| known.report(now)),
            cname: &self.reports.cname,
            goodbye,
        };
        Some((to, build(&report, out)))
    }
}
