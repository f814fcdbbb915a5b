//! Reading compound packets. Every length is checked once, in
//! [`Compound::parse`]; the iterators then walk known ground.

use thiserror::Error;

use super::{
    GOODBYE, NtpTime, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo,
};

const HEADER_BYTES: usize = 4;
const SENDER_INFO_BYTES: usize = 20;
const BLOCK_BYTES: usize = 24;
const SDES_CNAME: u8 = 1;

/// Why a datagram is no RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtcpError {
    /// It ends before a packet in it does.
    #[error("the packet is shorter than its header says")]
    Truncated,
    /// Not version 2.
    #[error("the packet is not RTCP version 2")]
    Version,
    /// The packet type is outside what RTCP uses (192 to 223, RFC 5761 section 4).
    #[error("the packet type is not one of RTCP")]
    PacketType,
    /// Padding anywhere but at the end, or of a wrong length.
    #[error("the padding does not fit the packet")]
    Padding,
    /// The count in a header does not fit the length.
    #[error("the packet holds fewer items than its header says")]
    Count,
}

/// A datagram whose packets fit together. A compound that does not begin with
/// a report (reduced size, RFC 5506) is taken as well.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    bytes: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks a datagram.
    ///
    /// # Errors
    /// [`RtcpError`] when a length, count, version or padding is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtcpError> {
        let mut rest = bytes;
        let mut trimmed = bytes;
        loop {
            let (packet, after) = split(rest)?;
            let has_padding = packet[0] & 0x20 != 0;
            if has_padding {
                let padding = usize::from(packet[packet.len() - 1]);
                let body = packet.len() - HEADER_BYTES;
                let fits = (1..=body).contains(&padding) && padding.is_multiple_of(4);
                if !after.is_empty() || !fits {
                    return Err(RtcpError::Padding);
                }
                trimmed = &bytes[..bytes.len() - padding];
                check(&packet[..packet.len() - padding])?;
            } else {
                check(packet)?;
            }
            if after.is_empty() {
                return Ok(Self { bytes: trimmed });
            }
            rest = after;
        }
    }

    /// The packets in order.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'a>> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            // The last packet may be shorter than its header says: its padding is gone.
            let words = u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]);
            let length = (HEADER_BYTES + 4 * usize::from(words)).min(rest.len());
            let (packet, after) = rest.split_at(length);
            rest = after;
            Some(interpret(packet))
        })
    }
}

/// One RTCP packet.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    /// What a sender has sent, and how it hears others.
    SenderReport {
        /// The reporter.
        ssrc: u32,
        /// What it sent.
        info: SenderInfo,
        /// How it hears others.
        blocks: ReportBlocks<'a>,
    },
    /// How a listener hears others.
    ReceiverReport {
        /// The reporter.
        ssrc: u32,
        /// How it hears others.
        blocks: ReportBlocks<'a>,
    },
    /// Names of sources.
    SourceDescription(SourceNames<'a>),
    /// Sources that have left.
    Goodbye(Goodbye<'a>),
    /// Feedback, extended reports, application data.
    Other {
        /// Its type.
        packet_type: u8,
    },
}

/// Reception report blocks.
#[derive(Clone, Copy, Debug)]
pub struct ReportBlocks<'a>(&'a [u8]);

impl<'a> ReportBlocks<'a> {
    /// The blocks in order.
    pub fn iter(self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        self.0.chunks_exact(BLOCK_BYTES).map(|block| {
            let lost = word(block, 4) & 0x00ff_ffff;
            ReportBlock {
                ssrc: word(block, 0),
                fraction_lost: block[4],
                // 24 bits, signed.
                cumulative_lost: (lost << 8).cast_signed() >> 8,
                highest_sequence: word(block, 8),
                jitter: word(block, 12),
                last_sender_report: word(block, 16),
                delay_since_last: word(block, 20),
            }
        })
    }
}

/// The chunks of a source description.
#[derive(Clone, Copy, Debug)]
pub struct SourceNames<'a>(&'a [u8]);

impl<'a> SourceNames<'a> {
    /// Sources with their canonical names (CNAME); other items are passed over.
    /// A chunk that contradicts itself ends the list.
    pub fn iter(self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            while let Some(chunk) = sdes_chunk(rest) {
                rest = chunk.after;
                if let Some(name) = chunk.name {
                    return Some((chunk.ssrc, name));
                }
            }
            None
        })
    }
}

/// Sources that have left.
#[derive(Clone, Copy, Debug)]
pub struct Goodbye<'a>(&'a [u8]);

impl<'a> Goodbye<'a> {
    /// The sources.
    pub fn sources(self) -> impl Iterator<Item = u32> + use<'a> {
        self.0.chunks_exact(4).map(|source| word(source, 0))
    }
}

/// The first packet and what follows.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), RtcpError> {
    let &[first, packet_type, high, low] = bytes.first_chunk().ok_or(RtcpError::Truncated)?;
    if first >> 6 != 2 {
        return Err(RtcpError::Version);
    }
    if !(192..=223).contains(&packet_type) {
        return Err(RtcpError::PacketType);
    }
    let length = HEADER_BYTES + 4 * usize::from(u16::from_be_bytes([high, low]));
    bytes.split_at_checked(length).ok_or(RtcpError::Truncated)
}

/// Checks that what the header counts fits in the packet.
fn check(packet: &[u8]) -> Result<(), RtcpError> {
    let count = usize::from(packet[0] & 0x1f);
    let needed = match packet[1] {
        SENDER_REPORT => 4 + SENDER_INFO_BYTES + BLOCK_BYTES * count,
        RECEIVER_REPORT => 4 + BLOCK_BYTES * count,
        // Source descriptions are checked item by item when read.
        GOODBYE => 4 * count,
        _ => 0,
    };
    if packet.len() < HEADER_BYTES + needed {
        return Err(RtcpError::Count);
    }
    Ok(())
}

/// A packet that [`check`] has passed.
fn interpret(packet: &[u8]) -> Packet<'_> {
    let count = usize::from(packet[0] & 0x1f);
    let body = &packet[HEADER_BYTES..];
    match packet[1] {
        SENDER_REPORT => {
            let (info, blocks) = body[4..].split_at(SENDER_INFO_BYTES);
            Packet::SenderReport {
                ssrc: word(body, 0),
                info: SenderInfo {
                    ntp: NtpTime(u64::from(word(info, 0)) << 32 | u64::from(word(info, 4))),
                    rtp_timestamp: word(info, 8),
                    packets: word(info, 12),
                    octets: word(info, 16),
                },
                blocks: ReportBlocks(&blocks[..BLOCK_BYTES * count]),
            }
        }
        RECEIVER_REPORT => Packet::ReceiverReport {
            ssrc: word(body, 0),
            blocks: ReportBlocks(&body[4..4 + BLOCK_BYTES * count]),
        },
        SOURCE_DESCRIPTION => Packet::SourceDescription(SourceNames(body)),
        GOODBYE => Packet::Goodbye(Goodbye(&body[..4 * count])),
        packet_type => Packet::Other { packet_type },
    }
}

/// One chunk of a source description.
struct Chunk<'a> {
    ssrc: u32,
    /// Its CNAME, if it tells one.
    name: Option<&'a [u8]>,
    after: &'a [u8],
}

/// Reads the first chunk.
fn sdes_chunk(bytes: &[u8]) -> Option<Chunk<'_>> {
    let (source, items) = bytes.split_first_chunk::<4>()?;
    let mut name = None;
    let mut at = 0;
    loop {
        let kind = *items.get(at)?;
        if kind == 0 {
            // The chunk ends at the next word boundary after the zero.
            let end = (at + 4) / 4 * 4;
            let after = items.get(end.min(items.len())..)?;
            let ssrc = u32::from_be_bytes(*source);
            return Some(Chunk { ssrc, name, after });
        }
        let length = usize::from(*items.get(at + 1)?);
        let text = items.get(at + 2..at + 2 + length)?;
        if kind == SDES_CNAME {
            name = Some(text);
        }
        at += 2 + length;
    }
}

/// The big-endian word at `at`, which the caller has checked to be there.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |word| u32::from_be_bytes(*word))
}
