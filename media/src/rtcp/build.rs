//! Writing the compounds we send: a report, our name and, at the end, goodbye.

use super::{
    GOODBYE, MAX_REPORT_BYTES, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION,
    SenderInfo,
};

const SDES_CNAME: u8 = 1;
/// Longest canonical name sent, bytes.
const MAX_CNAME_BYTES: usize = 32;

/// What one compound packet tells.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Our stream.
    pub ssrc: u32,
    /// What we sent, if anything since the last report: makes it a sender report.
    pub sender: Option<SenderInfo>,
    /// How we hear the peer, if we have heard it.
    pub block: Option<ReportBlock>,
    /// Our canonical name (RFC 7022: random, short-lived); cut at 32 bytes.
    pub cname: &'a [u8],
    /// Whether the stream ends with this.
    pub goodbye: bool,
}

/// Builds a compound packet; returns its bytes in `out`.
#[must_use]
pub fn build<'o>(report: &Report<'_>, out: &'o mut [u8; MAX_REPORT_BYTES]) -> &'o [u8] {
    let mut writer = Writer { out, at: 0 };
    let count = u8::from(report.block.is_some());
    let kind = match report.sender {
        Some(_) => SENDER_REPORT,
        None => RECEIVER_REPORT,
    };
    writer.packet(count, kind, |writer| {
        writer.word(report.ssrc);
        if let Some(info) = &report.sender {
            writer.sender_info(info);
        }
        if let Some(block) = &report.block {
            writer.block(block);
        }
    });
    writer.packet(1, SOURCE_DESCRIPTION, |writer| {
        let cname = &report.cname[..report.cname.len().min(MAX_CNAME_BYTES)];
        writer.word(report.ssrc);
        // At most MAX_CNAME_BYTES.
        writer.bytes(&[SDES_CNAME, cname.len() as u8]);
        writer.bytes(cname);
        // At least one zero ends the list, then zeros up to the word.
        writer.bytes(&[0]);
        while writer.at % 4 != 0 {
            writer.bytes(&[0]);
        }
    });
    if report.goodbye {
        writer.packet(1, GOODBYE, |writer| writer.word(report.ssrc));
    }
    let end = writer.at;
    &out[..end]
}

/// Appends to a buffer that is known to be large enough: the longest compound
/// has 52 + 44 + 8 bytes.
struct Writer<'o> {
    out: &'o mut [u8; MAX_REPORT_BYTES],
    at: usize,
}

impl Writer<'_> {
    /// One packet with its header; the length is filled in afterwards.
    fn packet(&mut self, count: u8, kind: u8, body: impl FnOnce(&mut Self)) {
        let start = self.at;
        self.bytes(&[0x80 | count, kind, 0, 0]);
        body(self);
        let words = (self.at - start) / 4 - 1;
        let length = (words as u16).to_be_bytes();
        self.out[start + 2..start + 4].copy_from_slice(&length);
    }

    fn sender_info(&mut self, info: &SenderInfo) {
        self.bytes(&info.ntp.0.to_be_bytes());
        self.word(info.rtp_timestamp);
        self.word(info.packets);
        self.word(info.octets);
    }

    fn block(&mut self, block: &ReportBlock) {
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff);
        let lost = lost.cast_unsigned() & 0x00ff_ffff;
        self.word(block.ssrc);
        self.word(u32::from(block.fraction_lost) << 24 | lost);
        self.word(block.highest_sequence);
        self.word(block.jitter);
        self.word(block.last_sender_report);
        self.word(block.delay_since_last);
    }

    fn word(&mut self, word: u32) {
        self.bytes(&word.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}
