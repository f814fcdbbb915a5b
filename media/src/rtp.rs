//! RTP packets (RFC 3550 section 5.1): parsed without trust, written in place.

use thiserror::Error;

/// Length of a header without contributing sources or extension, bytes.
pub const HEADER_BYTES: usize = 12;
/// Longest datagram taken or sent, bytes: one Ethernet frame.
pub const MAX_DATAGRAM_BYTES: usize = 1500;

const VERSION: u8 = 2;

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtpError {
    /// It ends before its header, extension or contributing sources do.
    #[error("the packet is shorter than its header says")]
    Truncated,
    /// Not version 2 (STUN, DTLS, chance).
    #[error("the packet is not RTP version 2")]
    Version,
    /// The padding count is zero or longer than the payload.
    #[error("the padding does not fit the packet")]
    Padding,
}

/// What every RTP packet says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// First packet of a talkspurt (RFC 3551 section 4.1).
    pub marker: bool,
    /// What the payload is, 0 to 127.
    pub payload_type: u8,
    /// Grows by one with each packet.
    pub sequence: u16,
    /// When the first sample was taken, in ticks of the payload's clock.
    pub timestamp: u32,
    /// Names the stream.
    pub ssrc: u32,
}

impl Header {
    /// The twelve bytes of a header without contributing sources, extension or padding.
    #[must_use]
    pub fn build(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = VERSION << 6;
        bytes[1] = u8::from(self.marker) << 7 | (self.payload_type & 0x7f);
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

/// A parsed packet: its header and where in the datagram its payload lies.
/// Borrows nothing, so that the datagram can be rewritten for the next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The header.
    pub header: Header,
    start: usize,
    end: usize,
}

impl Packet {
    /// Parses a datagram. Contributing sources, one header extension and
    /// padding are checked and passed over.
    ///
    /// # Errors
    /// [`RtpError`] when the lengths contradict each other or the version is not 2.
    pub fn parse(datagram: &[u8]) -> Result<Packet, RtpError> {
        let fixed: &[u8; HEADER_BYTES] = datagram.first_chunk().ok_or(RtpError::Truncated)?;
        if fixed[0] >> 6 != VERSION {
            return Err(RtpError::Version);
        }
        let has_padding = fixed[0] & 0x20 != 0;
        let has_extension = fixed[0] & 0x10 != 0;
        let mut start = HEADER_BYTES + 4 * usize::from(fixed[0] & 0x0f);
        if has_extension {
            let words = datagram
                .get(start + 2..start + 4)
                .ok_or(RtpError::Truncated)?;
            start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        let payload = datagram.get(start..).ok_or(RtpError::Truncated)?;
        let padding = match payload.last() {
            _ if !has_padding => 0,
            None | Some(0) => return Err(RtpError::Padding),
            Some(&count) => usize::from(count),
        };
        if padding > payload.len() {
            return Err(RtpError::Padding);
        }
        Ok(Packet {
            header: Header {
                marker: fixed[1] & 0x80 != 0,
                payload_type: fixed[1] & 0x7f,
                sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
                timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
                ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            },
            start,
            end: datagram.len() - padding,
        })
    }

    /// The payload within the datagram this packet was parsed from.
    #[must_use]
    pub fn payload<'d>(&self, datagram: &'d [u8]) -> &'d [u8] {
        datagram.get(self.start..self.end).unwrap_or(&[])
    }

    /// Puts `header` directly before the payload, over what was there, and
    /// returns the packet to send on. Contributing sources, extension and
    /// padding of the original are left behind.
    #[must_use]
    pub fn rewrite<'d>(&self, header: &Header, datagram: &'d mut [u8]) -> &'d [u8] {
        let Some(packet) = datagram.get_mut(self.start - HEADER_BYTES..self.end) else {
            return &[];
        };
        packet[..HEADER_BYTES].copy_from_slice(&header.build());
        packet
    }
}

/// Whether `a` comes after `b` on the circle of sequence numbers.
#[must_use]
pub fn is_newer_sequence(a: u16, b: u16) -> bool {
    a != b && a.wrapping_sub(b) < 0x8000
}

/// How far timestamp `a` lies after `b`, ticks; negative before it.
#[must_use]
pub fn timestamp_distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        marker: true,
        payload_type: 101,
        sequence: 0xfffe,
        timestamp: 0xdead_beef,
        ssrc: 0x0102_0304,
    };

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = HEADER.build().to_vec();
        bytes[0] = first;
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = packet(0x80, b"voice");
        assert_eq!(
            bytes[..12],
            [0x80, 0xe5, 0xff, 0xfe, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4]
        );
        let parsed = Packet::parse(&bytes).unwrap();
        assert_eq!(parsed.header, HEADER);
        assert_eq!(parsed.payload(&bytes), b"voice");
    }

    #[test]
    fn sources_extension_and_padding_are_passed_over() {
        let mut rest = vec![9; 8]; // two contributing sources
        rest.extend_from_slice(&[0xbe, 0xde, 0, 1, 7, 7, 7, 7]); // extension of one word
        rest.extend_from_slice(b"voice");
        rest.extend_from_slice(&[0, 0, 3]); // padding
        let mut bytes = packet(0x80 | 0x20 | 0x10 | 2, &rest);
        let parsed = Packet::parse(&bytes).unwrap();
        assert_eq!(parsed.payload(&bytes), b"voice");
        let header = Header {
            sequence: 5,
            ..HEADER
        };
        let sent = parsed.rewrite(&header, &mut bytes).to_vec();
        assert_eq!(sent.len(), HEADER_BYTES + 5);
        let again = Packet::parse(&sent).unwrap();
        assert_eq!(
            (again.header, again.payload(&sent)),
            (header, &b"voice"[..])
        );
    }

    #[test]
    fn contradictions_are_refused() {
        let parse = |first, rest: &[u8]| Packet::parse(&packet(first, rest)).map(|_| ());
        assert_eq!(Packet::parse(&[0x80; 11]), Err(RtpError::Truncated));
        assert_eq!(parse(0x40, b""), Err(RtpError::Version));
        assert_eq!(parse(0x81, b"abc"), Err(RtpError::Truncated));
        assert_eq!(parse(0x90, b"abc"), Err(RtpError::Truncated));
        assert_eq!(
            parse(0x90, &[0, 0, 0, 2, 1, 1, 1, 1]),
            Err(RtpError::Truncated)
        );
        assert_eq!(parse(0xa0, b""), Err(RtpError::Padding));
        assert_eq!(parse(0xa0, &[1, 0]), Err(RtpError::Padding));
        assert_eq!(parse(0xa0, &[1, 3]), Err(RtpError::Padding));
        assert_eq!(parse(0xa0, &[1, 2]), Ok(()), "padding only is legal");
    }

    #[test]
    fn circles_wrap() {
        assert!(is_newer_sequence(2, 65_530));
        assert!(!is_newer_sequence(65_530, 2));
        assert!(!is_newer_sequence(7, 7));
        assert_eq!(timestamp_distance(10, u32::MAX - 9), 20);
        assert_eq!(timestamp_distance(u32::MAX - 9, 10), -20);
    }
}
