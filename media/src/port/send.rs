//! The sending side: one stream, whose numbers and times go on evenly whether
//! a packet was made here or forwarded from another port.

use std::time::{Duration, Instant};

use super::{Content, Seeds};
use crate::rtp::{Header, is_newer_sequence, timestamp_distance};

/// A forwarding that has been quiet for this long is stood in for.
const FORWARD_GAP: Duration = Duration::from_millis(200);
/// Largest difference between a forwarded stream's time and ours before it is
/// aligned anew.
const MAX_DRIFT_S: u32 = 1;

/// The numbers of one outgoing stream.
pub(super) struct Sender {
    ssrc: u32,
    clock_hz: u32,
    step: u32,
    next_sequence: u16,
    /// Timestamp of the next frame. Runs on while nothing is sent.
    next_timestamp: u32,
    /// Whether the next packet begins a talkspurt.
    marker_due: bool,
    mapping: Option<Mapping>,
    forwarded: Option<Instant>,
    forwarded_since_tick: bool,
    /// Packets and payload bytes sent under this SSRC.
    packets: u32,
    octets: u32,
    sent: u64,
}

/// How a forwarded stream is renumbered.
#[derive(Clone, Copy)]
struct Mapping {
    ssrc: u32,
    timestamp_offset: u32,
    /// `None` after a packet of our own: the numbers have moved on.
    sequence: Option<SequenceOffset>,
}

#[derive(Clone, Copy)]
struct SequenceOffset {
    offset: u16,
    /// Extended number of the first packet under this offset; earlier ones are
    /// too late.
    first: u64,
    /// Highest extended number so far.
    highest: u64,
}

/// A packet to be forwarded.
pub(super) struct Forwarded<'h> {
    pub(super) header: &'h Header,
    /// Sequence number extended by its wraps.
    pub(super) sequence: u64,
    pub(super) payload_type: u8,
    pub(super) content: Content,
    pub(super) payload_bytes: usize,
}

impl Sender {
    pub(super) fn new(clock_hz: u32, step: u32, seeds: &mut Seeds) -> Self {
        Self {
            ssrc: seeds.next() as u32,
            clock_hz,
            step,
            // In the lower half, so that receivers of SRTP agree on the first
            // rollover (RFC 3711 section 3.3.1).
            next_sequence: seeds.next() as u16 & 0x7fff,
            next_timestamp: seeds.next() as u32,
            marker_due: true,
            mapping: None,
            forwarded: None,
            forwarded_since_tick: false,
            packets: 0,
            octets: 0,
            sent: 0,
        }
    }

    /// Follows a new codec. A stream never changes its clock (RFC 7160): with
    /// another clock a new stream begins.
    pub(super) fn retime(&mut self, clock_hz: u32, step: u32, seeds: &mut Seeds) {
        if clock_hz != self.clock_hz {
            let sent = self.sent;
            *self = Self::new(clock_hz, step, seeds);
            self.sent = sent;
        }
        self.step = step;
    }

    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets and payload bytes sent under this SSRC.
    pub(super) fn counts(&self) -> (u32, u32) {
        (self.packets, self.octets)
    }

    /// Packets sent by the port.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Timestamp of the frame that is due.
    pub(super) fn timestamp(&self) -> u32 {
        self.next_timestamp
    }

    /// Whether packets are being forwarded, so that none need be made.
    pub(super) fn is_forwarding(&self, now: Instant) -> bool {
        self.forwarded
            .is_some_and(|at| now.saturating_duration_since(at) < FORWARD_GAP)
    }

    /// The forwarding has ended by order.
    pub(super) fn stop_forwarding(&mut self) {
        self.forwarded = None;
        self.renumber();
    }

    /// Ends a tick of 20 ms, in which a packet was made or not: moves the
    /// clock, unless a forwarded packet has moved it in its place.
    pub(super) fn advance(&mut self, made: bool) {
        let moved = std::mem::take(&mut self.forwarded_since_tick);
        if made || !moved {
            self.next_timestamp = self.next_timestamp.wrapping_add(self.step);
        }
    }

    /// 20 ms in which nothing may be sent.
    pub(super) fn pause(&mut self) {
        self.marker_due = true;
    }

    /// The header of a frame made here.
    pub(super) fn audio(&mut self, payload_type: u8, payload_bytes: usize) -> Header {
        let marker = std::mem::take(&mut self.marker_due);
        self.make(payload_type, self.next_timestamp, marker, payload_bytes)
    }

    /// The header of comfort noise made here.
    pub(super) fn noise(&mut self, payload_type: u8, payload_bytes: usize) -> Header {
        self.make(payload_type, self.next_timestamp, false, payload_bytes)
    }

    /// The header of a telephone event made here, whose timestamp is its start.
    pub(super) fn event(&mut self, payload_type: u8, timestamp: u32, marker: bool) -> Header {
        // The audio after the event begins anew.
        self.marker_due = true;
        let bytes = crate::dtmf::EVENT_BYTES;
        self.make(payload_type, timestamp, marker, bytes)
    }

    /// The header under which another port's packet leaves; `None` when it
    /// comes too late.
    pub(super) fn forward(&mut self, packet: &Forwarded<'_>, now: Instant) -> Option<Header> {
        let header = packet.header;
        // An event bears the time of its start.
        let is_current = packet.content != Content::Event;
        let mut aligned = false;
        let mut mapping = self.mapping.filter(|mapping| mapping.ssrc == header.ssrc);
        let numbers = match mapping.and_then(|mapping| mapping.sequence) {
            Some(numbers) => numbers,
            None => SequenceOffset {
                offset: self.next_sequence.wrapping_sub(header.sequence),
                first: packet.sequence,
                highest: packet.sequence,
            },
        };
        if packet.sequence < numbers.first {
            return None;
        }
        let known = mapping.map(|mapping| mapping.timestamp_offset);
        let timestamp_offset = match known {
            Some(offset) if !is_current || self.agrees(header.timestamp, offset) => offset,
            _ => {
                aligned = true;
                self.next_timestamp.wrapping_sub(header.timestamp)
            }
        };
        let sequence = header.sequence.wrapping_add(numbers.offset);
        let timestamp = header.timestamp.wrapping_add(timestamp_offset);
        mapping = Some(Mapping {
            ssrc: header.ssrc,
            timestamp_offset,
            sequence: Some(SequenceOffset {
                highest: numbers.highest.max(packet.sequence),
                ..numbers
            }),
        });
        self.mapping = mapping;
        self.forwarded = Some(now);
        self.count(packet.payload_bytes);
        if sequence == self.next_sequence || is_newer_sequence(sequence, self.next_sequence) {
            self.next_sequence = sequence.wrapping_add(1);
            if is_current {
                self.next_timestamp = timestamp.wrapping_add(self.step);
                self.forwarded_since_tick = true;
            }
        }
        let marker = match packet.content {
            Content::Audio => std::mem::take(&mut self.marker_due) || aligned || header.marker,
            Content::Noise => {
                // Speech after it begins a talkspurt; a pause is none.
                self.marker_due = true;
                false
            }
            Content::Event => aligned || header.marker,
        };
        Some(Header {
            marker,
            payload_type: packet.payload_type,
            sequence,
            timestamp,
            ssrc: self.ssrc,
        })
    }

    /// Leaves out a packet of the forwarded stream without a hole in our numbers.
    pub(super) fn leave_out(&mut self, ssrc: u32, sequence: u64) {
        let Some(mapping) = self.mapping.as_mut().filter(|mapping| mapping.ssrc == ssrc) else {
            return;
        };
        if let Some(numbers) = &mut mapping.sequence
            && sequence == numbers.highest + 1
        {
            numbers.offset = numbers.offset.wrapping_sub(1);
            numbers.first = sequence + 1;
            numbers.highest = sequence;
        }
    }

    /// The forwarded stream has started a new numbering.
    pub(super) fn renumber(&mut self) {
        if let Some(mapping) = &mut self.mapping {
            mapping.sequence = None;
        }
    }

    /// Whether a forwarded timestamp fits the time of our stream: close to it,
    /// and after all that was sent.
    fn agrees(&self, timestamp: u32, offset: u32) -> bool {
        let ahead = timestamp_distance(timestamp.wrapping_add(offset), self.next_timestamp);
        let limit = (self.clock_hz * MAX_DRIFT_S) as i32;
        let continues = self
            .mapping
            .is_some_and(|mapping| mapping.sequence.is_some());
        // Within a run of forwarded packets, reordering goes back as well.
        let earliest = if continues { -limit } else { 0 };
        (earliest..=limit).contains(&ahead)
    }

    fn make(&mut self, payload_type: u8, timestamp: u32, marker: bool, bytes: usize) -> Header {
        self.renumber();
        self.count(bytes);
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        Header {
            marker,
            payload_type,
            sequence,
            timestamp,
            ssrc: self.ssrc,
        }
    }

    fn count(&mut self, payload_bytes: usize) {
        self.sent += 1;
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload_bytes as u32);
    }
}
