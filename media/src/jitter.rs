//! The jitter buffer: puts packets back in order and gives them out at an even
//! pace, as late as the network makes necessary and no later.
//!
//! Packets stand in a ring by extended sequence number. The play point is an
//! RTP timestamp that moves 20 ms with each frame given out; what stands there
//! decides what is heard: audio, concealment of a loss, or the pause a peer
//! makes on purpose. When the ring runs dry the play point waits, so that a
//! packet that is merely late is still heard; when the next packet shows that
//! something was lost meanwhile, the wait counts as its concealment.
//!
//! No clock inside: the same calls give the same result.

mod target;

use std::time::{Duration, Instant};

use crate::codec::FRAME_MS;
use crate::rtp::timestamp_distance;
use target::Target;

pub use target::{TARGET_MAX_MS, TARGET_MIN_MS};

/// Packets held at most: 640 ms at 20 ms each.
const CAPACITY: usize = 32;
/// Longest pause bridged by playing it; a longer step of the timestamps is a
/// jump and skipped.
const MAX_GAP_MS: u32 = 1_000;
/// A ring dry for longer fills up to the target again before it plays on.
const DRY_MS: u32 = 100;
/// This far beyond the target the oldest packets are dropped at once.
const MAX_EXCESS_MS: u32 = 120;
/// A depth beyond what the ring can hold is a jump of the timestamps.
const MAX_DEPTH_MS: u32 = 2_000;
/// Frames over which the lowest depth is taken before one frame is cut out: 1 s.
const SETTLE_FRAMES: u32 = 50;

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Encoded audio.
    Audio,
    /// A comfort noise update (RFC 3389).
    Noise,
    /// Nothing to play (a telephone event): only keeps its number from
    /// counting as lost.
    Other,
}

/// A packet on its way into the buffer.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Sequence number extended by its wraps.
    pub sequence: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// How long its audio is, RTP ticks.
    pub ticks: u32,
    /// What it carries.
    pub kind: Kind,
    /// The payload.
    pub payload: &'a [u8],
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It waits for its turn.
    Stored,
    /// It is here already.
    Duplicate,
    /// Its turn is over.
    Late,
}

/// What is heard next.
#[derive(Debug, PartialEq, Eq)]
pub enum Pulled<'a> {
    /// Decode this.
    Audio(&'a [u8]),
    /// Decode this and blend it into what follows, so that two frames take the
    /// time of one: the buffer is deeper than it need be.
    Squeeze(&'a [u8]),
    /// The level of the noise from here on. Takes no time: pull again.
    Noise(&'a [u8]),
    /// 20 ms were lost. The packet after them, when it is here.
    Lost {
        /// The payload of the packet after the lost frame.
        next: Option<&'a [u8]>,
    },
    /// 20 ms in which the peer sends nothing on purpose.
    Pause,
    /// 20 ms for which nothing is here yet: conceal.
    Empty,
}

/// What the buffer has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Frames concealed because a packet was lost or not there in time.
    pub concealed: u64,
    /// Packets that came after their turn.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Frames cut out to lower the delay.
    pub squeezed: u64,
    /// Packets dropped because too many had piled up.
    pub dropped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing since the beginning or the last reset.
    New,
    /// Waits until the target is reached, or its time has passed.
    Filling {
        since: Instant,
    },
    Playing,
    /// Ran out of packets a while ago.
    Dry,
}

struct Slot {
    sequence: u64,
    timestamp: u32,
    ticks: u32,
    kind: Kind,
    full: bool,
    /// Kept from packet to packet, so that it is allocated once.
    payload: Vec<u8>,
}

/// One stream's buffer.
pub struct JitterBuffer {
    slots: Box<[Slot]>,
    clock_hz: u32,
    state: State,
    /// The number to play next; what is below it is over.
    next: u64,
    /// One past the highest number stored since the last reset.
    end: u64,
    play_at: u32,
    /// Timestamp at which the newest audio ends.
    newest_end: u32,
    /// Ticks given out while dry, of which the play point knows nothing.
    waited: u32,
    /// Whether the peer has said that it pauses.
    pausing: bool,
    target: Target,
    lowest_depth: u32,
    frames_until_settled: u32,
    stats: JitterStats,
}

impl JitterBuffer {
    /// An empty buffer for a stream with an RTP clock of `clock_hz`.
    #[must_use]
    pub fn new(clock_hz: u32) -> Self {
        let slot = || Slot {
            sequence: 0,
            timestamp: 0,
            ticks: 0,
            kind: Kind::Other,
            full: false,
            payload: Vec::new(),
        };
        Self {
            slots: (0..CAPACITY).map(|_| slot()).collect(),
            clock_hz,
            state: State::New,
            next: 0,
            end: 0,
            play_at: 0,
            newest_end: 0,
            waited: 0,
            pausing: false,
            target: Target::new(clock_hz),
            lowest_depth: u32::MAX,
            frames_until_settled: SETTLE_FRAMES,
            stats: JitterStats::default(),
        }
    }

    /// Forgets all packets, for a new stream or a new numbering. What was
    /// learnt of the network stays.
    pub fn reset(&mut self) {
        for slot in &mut self.slots {
            slot.full = false;
        }
        self.state = State::New;
        self.pausing = false;
        self.target.forget_base();
        self.start_settling();
    }

    /// Takes a packet.
    pub fn insert(&mut self, packet: &Incoming<'_>, now: Instant) -> Inserted {
        if packet.kind == Kind::Audio {
            self.target.measure(packet.timestamp, now);
        }
        match self.state {
            State::New => self.begin(packet, now, packet.sequence),
            _ if packet.sequence >= self.next + CAPACITY as u64 => {
                // Nobody pulled, or the peer skipped ahead: start over there.
                self.stats.dropped += self.slots.iter().filter(|slot| slot.full).count() as u64;
                self.reset();
                self.begin(packet, now, packet.sequence);
            }
            State::Dry if packet.sequence >= self.next => {
                self.begin(packet, now, packet.sequence);
            }
            State::Filling { .. } if self.precedes_start(packet) => {
                self.next = packet.sequence;
                self.play_at = packet.timestamp;
            }
            _ => {}
        }
        if packet.sequence < self.next {
            self.stats.late += 1;
            return Inserted::Late;
        }
        self.store(packet)
    }

    /// Says what is heard for the next 20 ms (or for the length of the packet
    /// given out). Call again after [`Pulled::Noise`].
    pub fn pull(&mut self, now: Instant) -> Pulled<'_> {
        match self.state {
            State::New => return Pulled::Pause,
            State::Filling { since } => {
                let target = self.target.ticks();
                let waited = now.saturating_duration_since(since);
                let patience = Duration::from_millis(u64::from(self.target.ms()));
                if self.depth() < target && waited < patience {
                    return Pulled::Pause;
                }
                self.state = State::Playing;
            }
            State::Dry => return self.wait(),
            State::Playing => {}
        }
        self.drop_excess();
        self.pull_playing()
    }

    /// Milliseconds of audio between the play point and the newest packet's end.
    #[must_use]
    pub fn depth_ms(&self) -> u32 {
        self.depth() / (self.clock_hz / 1000)
    }

    /// The delay aimed at, milliseconds.
    #[must_use]
    pub fn target_ms(&self) -> u32 {
        self.target.ms()
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> JitterStats {
        self.stats
    }

    fn frame_ticks(&self) -> u32 {
        self.clock_hz / 1000 * FRAME_MS as u32
    }

    fn depth(&self) -> u32 {
        match self.state {
            State::New | State::Dry => 0,
            _ => timestamp_distance(self.newest_end, self.play_at).max(0) as u32,
        }
    }

    /// Starts filling with `packet` in front.
    fn begin(&mut self, packet: &Incoming<'_>, now: Instant, next: u64) {
        self.state = State::Filling { since: now };
        self.next = next;
        self.end = next;
        self.play_at = packet.timestamp;
        self.newest_end = packet.timestamp;
        self.waited = 0;
        self.start_settling();
    }

    /// Whether a packet was overtaken by the one that started the filling.
    fn precedes_start(&self, packet: &Incoming<'_>) -> bool {
        let behind = timestamp_distance(self.play_at, packet.timestamp);
        let limit = self.clock_hz / 1000 * TARGET_MAX_MS;
        packet.sequence < self.next
            && self.end - packet.sequence <= CAPACITY as u64
            && (0..=limit as i32).contains(&behind)
    }

    fn store(&mut self, packet: &Incoming<'_>) -> Inserted {
        let slot = &mut self.slots[index(packet.sequence)];
        if slot.full && slot.sequence == packet.sequence {
            self.stats.duplicates += 1;
            return Inserted::Duplicate;
        }
        slot.sequence = packet.sequence;
        slot.timestamp = packet.timestamp;
        slot.ticks = packet.ticks;
        slot.kind = packet.kind;
        slot.full = true;
        slot.payload.clear();
        slot.payload.extend_from_slice(packet.payload);
        if packet.sequence >= self.end {
            self.end = packet.sequence + 1;
            if packet.kind == Kind::Audio {
                self.newest_end = packet.timestamp.wrapping_add(packet.ticks);
            }
        }
        Inserted::Stored
    }

    fn pull_playing(&mut self) -> Pulled<'_> {
        // Each round but the last passes over one packet.
        loop {
            let Some(found) = self.first_waiting() else {
                return self.wait();
            };
            if found > self.next {
                if self.skip_concealed(found) {
                    continue;
                }
                return self.conceal_before(found);
            }
            let at = index(found);
            let kind = self.slots[at].kind;
            match kind {
                Kind::Other => self.pass(at),
                Kind::Noise => {
                    self.pass(at);
                    self.pausing = true;
                    self.start_settling();
                    return Pulled::Noise(&self.slots[at].payload);
                }
                Kind::Audio if self.pause_before(at) => return Pulled::Pause,
                Kind::Audio => return self.play(at),
            }
        }
    }

    /// The number of the first packet that waits.
    fn first_waiting(&self) -> Option<u64> {
        (self.next..self.end).find(|&sequence| {
            let slot = &self.slots[index(sequence)];
            slot.full && slot.sequence == sequence
        })
    }

    /// Whether a loss before `found` was bridged while the ring was dry.
    fn skip_concealed(&mut self, found: u64) -> bool {
        let timestamp = self.slots[index(found)].timestamp;
        let gap = timestamp_distance(timestamp, self.play_at);
        let limit = self.clock_hz / 1000 * MAX_GAP_MS;
        if gap > self.waited as i32 && gap <= limit as i32 {
            return false;
        }
        self.play_at = timestamp;
        self.waited = 0;
        self.next = found;
        true
    }

    /// One lost frame before the packet `found`.
    fn conceal_before(&mut self, found: u64) -> Pulled<'_> {
        let frame = self.frame_ticks();
        let slot = &self.slots[index(found)];
        // Part of the loss may have been bridged while the ring was dry.
        self.play_at = self.play_at.wrapping_add(self.waited);
        self.waited = 0;
        self.play_at = self.play_at.wrapping_add(frame);
        let left = timestamp_distance(slot.timestamp, self.play_at);
        self.stats.concealed += 1;
        if left < frame as i32 {
            self.next = found;
            self.play_at = slot.timestamp;
            let is_audio = slot.kind == Kind::Audio;
            return Pulled::Lost {
                next: is_audio.then_some(&slot.payload[..]),
            };
        }
        self.next = (self.next + 1).min(found - 1);
        Pulled::Lost { next: None }
    }

    /// Whether the packet in `at` lies after a pause of which 20 ms are now due.
    fn pause_before(&mut self, at: usize) -> bool {
        let frame = self.frame_ticks();
        let gap = timestamp_distance(self.slots[at].timestamp, self.play_at);
        let limit = self.clock_hz / 1000 * MAX_GAP_MS;
        let owed = gap - self.waited as i32;
        if owed < frame as i32 || owed > limit as i32 {
            self.play_at = self.slots[at].timestamp;
            return false;
        }
        self.play_at = self.play_at.wrapping_add(self.waited + frame);
        self.waited = 0;
        true
    }

    fn play(&mut self, at: usize) -> Pulled<'_> {
        let squeeze = self.is_too_deep();
        self.pass(at);
        self.pausing = false;
        self.waited = 0;
        let slot = &self.slots[at];
        self.play_at = slot.timestamp.wrapping_add(slot.ticks);
        if squeeze {
            self.stats.squeezed += 1;
            return Pulled::Squeeze(&slot.payload);
        }
        Pulled::Audio(&slot.payload)
    }

    /// Whether the buffer has been a frame deeper than the target for a second.
    fn is_too_deep(&mut self) -> bool {
        self.lowest_depth = self.lowest_depth.min(self.depth());
        self.frames_until_settled -= 1;
        if self.frames_until_settled > 0 {
            return false;
        }
        let too_deep = self.lowest_depth > self.target.ticks() + self.frame_ticks();
        self.start_settling();
        too_deep
    }

    fn start_settling(&mut self) {
        self.lowest_depth = u32::MAX;
        self.frames_until_settled = SETTLE_FRAMES;
    }

    /// 20 ms without a packet to play.
    fn wait(&mut self) -> Pulled<'_> {
        let dry_ticks = self.clock_hz / 1000 * DRY_MS;
        self.waited = self.waited.saturating_add(self.frame_ticks());
        if self.waited >= dry_ticks {
            self.state = State::Dry;
        }
        if self.pausing {
            return Pulled::Pause;
        }
        self.stats.concealed += 1;
        Pulled::Empty
    }

    /// Drops the oldest packets of a burst that piled up.
    fn drop_excess(&mut self) {
        let limit = self.target.ticks() + self.clock_hz / 1000 * MAX_EXCESS_MS;
        let jump = self.clock_hz / 1000 * MAX_DEPTH_MS;
        if self.depth() <= limit || self.depth() > jump {
            return;
        }
        while self.depth() > self.target.ticks() {
            let Some(found) = self.first_waiting() else {
                break;
            };
            let at = index(found);
            self.next = found;
            self.pass(at);
            self.stats.dropped += 1;
            let slot = &self.slots[at];
            if slot.kind == Kind::Audio {
                self.play_at = slot.timestamp.wrapping_add(slot.ticks);
            }
        }
        self.waited = 0;
        self.start_settling();
    }

    fn pass(&mut self, at: usize) {
        self.slots[at].full = false;
        self.next += 1;
    }
}

fn index(sequence: u64) -> usize {
    (sequence % CAPACITY as u64) as usize
}
