//! A port: one RTP stream pair with everything that belongs to it.
//!
//! What arrives is filtered by source, measured, and either forwarded as it is
//! to one other port ([`Port::forward`]) or kept for the tick, which decodes
//! it ([`Port::listen`]). What leaves is a mix of what the port's peer is to
//! hear ([`Port::speak`]). All of it runs in one numbering, so that the peer
//! hears one stream whatever happens behind it.

mod loss;
mod pause;
mod play;
mod playout;
mod receive;
mod report;
mod send;
mod source;
mod speak;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::codec::{Codec, Encoder, MAX_FRAME_BYTES, Rate};
use crate::control::{ClipId, MediaEvent, PortFormat, PortId, PortStats, RecordingStop};
use crate::dtmf::{Digit, EventReceiver, EventSender};
use crate::jitter::{Incoming, Kind};
use crate::prompt::Prompt;
use crate::record::{RecordSink, Recorder, RecordingOrder};
use crate::rtcp::Reception;
use crate::rtp::{HEADER_BYTES, Packet};
use pause::NoiseSender;
use play::Player;
use playout::{Playout, payload_ticks};
use report::Reports;
use send::{Forwarded, Sender};
use source::SourceFilter;

pub use pause::Pause;

/// A source whose Opus encoder pauses is heard of at least this often.
const DTX_PATIENCE: Duration = Duration::from_secs(1);
/// How long a key sent as telephone events is held, milliseconds.
const DIGIT_MS: u32 = 100;

/// Why a packet is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The port is unknown or has not been configured yet.
    #[error("the port is not configured")]
    NotConfigured,
    /// It is no RTP or RTCP packet.
    #[error("the packet is malformed")]
    Malformed,
    /// Its payload type was not negotiated.
    #[error("the payload type was not negotiated")]
    PayloadType,
    /// It comes from somebody else.
    #[error("the packet comes from another source than the peer")]
    Source,
    /// The negotiated direction does not receive.
    #[error("the port does not receive")]
    Direction,
    /// Its number is far from the stream's.
    #[error("the sequence number does not fit the stream")]
    Implausible,
}

/// A packet that was accepted, to be forwarded or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    packet: Packet,
    /// Sequence number extended by its wraps.
    sequence: u64,
    content: Content,
    /// The peer has begun a new stream or numbering with it.
    restarted: bool,
}

impl Received {
    /// Whether it is comfort noise.
    #[must_use]
    pub fn is_noise(&self) -> bool {
        self.content == Content::Noise
    }
}

/// What a received packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Audio,
    Noise,
    Event,
}

/// Numbers from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Seeds(pub(crate) u64);

impl Seeds {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Working memory of a tick, shared by all ports of a thread.
pub struct Scratch {
    mix: [i32; Rate::MAX_SAMPLES_PER_FRAME],
    pcm: [i16; Rate::MAX_SAMPLES_PER_FRAME],
    datagram: [u8; HEADER_BYTES + MAX_FRAME_BYTES],
    /// Set while all that is mixed are pauses.
    pause: Option<Pause>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            mix: [0; Rate::MAX_SAMPLES_PER_FRAME],
            pcm: [0; Rate::MAX_SAMPLES_PER_FRAME],
            datagram: [0; HEADER_BYTES + MAX_FRAME_BYTES],
            pause: None,
        }
    }
}

impl Scratch {
    /// Starts a mix of `samples` with silence.
    pub fn clear(&mut self, samples: usize) {
        let samples = samples.min(self.mix.len());
        self.mix[..samples].fill(0);
        self.pause = None;
    }

    /// Says of the sources of the mix whether they all pause. One that speaks
    /// (`None`) ends the pause of all.
    pub fn set_pauses(&mut self, pauses: impl Iterator<Item = Option<Pause>>) {
        self.pause = pauses
            .reduce(|all, next| match (all?, next?) {
                (Pause::Noise(a), Pause::Noise(b)) => Some(Pause::Noise(pause::sum_dbov(a, b))),
                _ => None,
            })
            .flatten();
    }

    /// Adds a source to the mix.
    pub fn add(&mut self, frame: &[i16]) {
        for (sum, &sample) in self.mix.iter_mut().zip(frame) {
            *sum += i32::from(sample);
        }
    }
}

/// What the peer has negotiated, and what follows from it.
struct Session {
    format: PortFormat,
    source: SourceFilter,
    media_timeout: Duration,
    /// When media came last, or was first expected.
    last_media: Instant,
    lost_told: bool,
}

/// One RTP stream pair.
pub struct Port {
    id: PortId,
    seeds: Seeds,
    session: Option<Session>,
    rate: Rate,
    reception: Option<Reception>,
    /// Loss in streams that the peer has replaced by others.
    lost_before: i64,
    counts: PortStats,
    events_in: Option<EventReceiver>,
    events_out: Option<EventSender>,
    /// A key that has just gone down.
    pressed: Option<Digit>,
    /// Whether somebody listens, so that packets are worth keeping.
    wanted: bool,
    /// What the packet that came last makes of the peer's silence.
    pause: Option<Pause>,
    /// Whether the peer has ever sent comfort noise.
    sends_noise: bool,
    playout: Option<Playout>,
    encoder: Option<Box<dyn Encoder>>,
    sender: Sender,
    noise: NoiseSender,
    reports: Reports,
    player: Option<Player>,
    recorder: Option<Recorder>,
    events: VecDeque<MediaEvent>,
}

impl Port {
    /// A port that speaks nothing yet. `seed` decides the random numbers that
    /// RTP asks for and must differ from port to port.
    #[must_use]
    pub fn new(id: PortId, seed: u64) -> Self {
        let mut seeds = Seeds(seed);
        let codec = Codec::Pcma;
        Self {
            id,
            session: None,
            rate: Rate::Hz8000,
            reception: None,
            lost_before: 0,
            counts: PortStats::default(),
            events_in: None,
            events_out: None,
            pressed: None,
            wanted: false,
            pause: None,
            sends_noise: false,
            playout: None,
            encoder: None,
            noise: NoiseSender::default(),
            sender: Sender::new(codec.rtp_clock_hz(), codec.timestamp_step(), &mut seeds),
            reports: Reports::new(&mut seeds),
            player: None,
            recorder: None,
            events: VecDeque::new(),
            seeds,
        }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> PortId {
        self.id
    }

    /// Sets or changes what the port speaks. Zero switches the media timeout off.
    pub fn configure(&mut self, format: PortFormat, media_timeout: Duration, now: Instant) {
        let clock_hz = format.codec.rtp_clock_hz();
        let before = self.session.take();
        let same_codec = before
            .as_ref()
            .is_some_and(|before| before.format.codec == format.codec);
        if !same_codec {
            self.playout = None;
            self.encoder = None;
            let step = format.codec.timestamp_step();
            self.sender.retime(clock_hz, step, &mut self.seeds);
            self.end_reception();
        }
        let had_events = before
            .as_ref()
            .is_some_and(|before| same_codec && before.format.telephone_event.is_some());
        if format.telephone_event.is_none() {
            (self.events_in, self.events_out) = (None, None);
        } else if !had_events {
            self.events_in = Some(EventReceiver::new(clock_hz));
            self.events_out = Some(EventSender::new(clock_hz));
        }
        self.session = Some(match before {
            None => Session {
                source: SourceFilter::new(format.remote, format.latch),
                media_timeout,
                last_media: now,
                lost_told: false,
                format,
            },
            Some(mut session) => {
                let resumes = format.direction.receives() && !session.format.direction.receives();
                if resumes {
                    session.last_media = now;
                }
                let (remote, latch) = (format.remote, format.latch);
                session.source.renegotiate(remote, latch, now);
                Session {
                    format,
                    media_timeout,
                    ..session
                }
            }
        });
        self.reports.renegotiate();
    }

    /// The negotiated codec.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        Some(self.session.as_ref()?.format.codec)
    }

    /// Takes a datagram and keeps it for the tick: [`receive`](Self::receive)
    /// and [`keep`](Self::keep) in one.
    ///
    /// # Errors
    /// [`Refused`], counted.
    pub fn handle_packet(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Result<(), Refused> {
        let received = self.receive(source, datagram, now)?;
        self.keep(&received, datagram, now);
        Ok(())
    }

    /// Checks and measures a datagram from `source`; hears its digits.
    ///
    /// # Errors
    /// [`Refused`], counted.
    pub fn receive(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Result<Received, Refused> {
        let received = self.admit(source, datagram, now);
        match received {
            Ok(_) => self.counts.received += 1,
            // What comes while on hold is no offence.
            Err(Refused::Direction) => {}
            Err(_) => self.counts.refused += 1,
        }
        received
    }

    /// Keeps a packet for the tick, if anybody listens.
    pub fn keep(&mut self, received: &Received, datagram: &[u8], now: Instant) {
        let Some(codec) = self.codec().filter(|_| self.wanted) else {
            return;
        };
        if self.playout.is_none() {
            // A codec that cannot be set up leaves the port silent.
            self.playout = Playout::new(codec, self.rate, self.seeds.next()).ok();
        }
        let Some(playout) = &mut self.playout else {
            return;
        };
        if received.restarted {
            playout.reset();
        }
        let payload = received.packet.payload(datagram);
        let (kind, payload, ticks) = match received.content {
            Content::Audio => (Kind::Audio, payload, payload_ticks(codec, payload)),
            Content::Noise => (Kind::Noise, payload, 0),
            Content::Event => (Kind::Other, &[][..], 0),
        };
        let incoming = Incoming {
            sequence: received.sequence,
            timestamp: received.packet.header.timestamp,
            ticks,
            kind,
            payload,
        };
        playout.insert(&incoming, now);
    }

    /// Sends a packet that another port has received on to this port's peer,
    /// without decoding it: renumbered, with this port's payload types.
    /// Returns where it goes and the packet, which is rewritten in place.
    /// `None` when there is nothing to send.
    pub fn forward<'d>(
        &mut self,
        received: &Received,
        datagram: &'d mut [u8],
        now: Instant,
    ) -> Option<(SocketAddr, &'d [u8])> {
        let session = self.session.as_ref()?;
        let format = &session.format;
        if !format.direction.sends() {
            return None;
        }
        let to = session.source.destination()?;
        let header = &received.packet.header;
        if received.restarted {
            self.sender.renumber();
        }
        let payload_type = match received.content {
            Content::Audio => Some(format.send_payload_type),
            Content::Noise => format.comfort_noise,
            Content::Event => format.telephone_event.map(|(send, _)| send),
        };
        let Some(payload_type) = payload_type else {
            self.sender.leave_out(header.ssrc, received.sequence);
            return None;
        };
        let forwarded = Forwarded {
            header,
            sequence: received.sequence,
            payload_type,
            content: received.content,
            payload_bytes: received.packet.payload(datagram).len(),
        };
        let header = self.sender.forward(&forwarded, now)?;
        Some((to, received.packet.rewrite(&header, datagram)))
    }

    /// A key that went down since the last call.
    pub fn take_pressed(&mut self) -> Option<Digit> {
        self.pressed.take()
    }

    /// The listening half of a 20 ms tick: makes the frame that others hear,
    /// feeds a recording, watches the clock.
    pub fn listen(&mut self, now: Instant) {
        if let Some(events) = &mut self.events_in {
            // Ends presses whose packets stopped; only the press is reported.
            events.handle_timeout(now);
            while events.poll_event().is_some() {}
        }
        self.watch_media(now);
        if let Some(playout) = self.playout.as_mut().filter(|_| self.wanted) {
            playout.advance(now);
        }
        self.record();
    }

    /// What the peer said in the last tick, at [`rate`](Self::rate); `None`
    /// when nothing has come yet.
    #[must_use]
    pub fn heard(&self) -> Option<&[i16]> {
        self.playout.as_ref().map(Playout::frame)
    }

    /// Whether the peer pauses, and how that sounds. `forwarded` when its
    /// packets are, so that those yet to be played do not count.
    #[must_use]
    pub fn pause(&self, forwarded: bool, now: Instant) -> Option<Pause> {
        if !forwarded {
            let level = self.playout.as_ref()?.pause_level_dbov()?;
            return Some(Pause::Noise(level));
        }
        let last_media = self.session.as_ref()?.last_media;
        let is_alive = now.saturating_duration_since(last_media) < DTX_PATIENCE;
        self.pause.filter(|pause| is_alive || *pause != Pause::Dtx)
    }

    /// The speaking half of a tick: sends the mix in `scratch` with the port's
    /// own clip and beep in it, or a key. Returns where to and the packet;
    /// `None` when nothing is to be sent.
    pub fn speak<'s>(
        &mut self,
        scratch: &'s mut Scratch,
        now: Instant,
    ) -> Option<(SocketAddr, &'s [u8])> {
        self.add_own_sounds(scratch);
        let sent = self.make_packet(scratch, now);
        self.sender.advance(sent.is_some());
        let (to, length) = sent?;
        Some((to, &scratch.datagram[..length]))
    }

    /// The rate at which the port hears and speaks.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }
    /// Runs the port at another rate from the next tick on.
    pub fn set_rate(&mut self, rate: Rate) {
        if rate == self.rate {
            return;
        }
        if let Some(player) = &mut self.player {
            player.set_rate(self.rate, rate);
        }
        self.rate = rate;
        self.encoder = None;
        let tuned = self.playout.as_mut().map(|playout| playout.set_rate(rate));
        if tuned.is_some_and(|tuned| tuned.is_err()) {
            self.playout = None;
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.set_rate(rate);
        }
    }

    /// Says whether anybody listens to this port, or records it.
    pub fn set_wanted(&mut self, wanted: bool) {
        if self.wanted
            && !wanted
            && let Some(playout) = &mut self.playout
        {
            playout.clear();
        }
        self.wanted = wanted;
    }

    /// Forwarded packets come no more: the tick speaks again at once.
    pub fn stop_forwarding(&mut self) {
        self.sender.stop_forwarding();
    }

    /// Whether a stream from here can be forwarded undecoded.
    #[must_use]
    pub fn can_be_forwarded(&self) -> bool {
        let receives = |session: &Session| session.format.direction.receives();
        self.recorder.is_none() && self.session.as_ref().is_some_and(receives)
    }

    /// Whether all that a stream from here may hold means something to `listener`.
    #[must_use]
    pub fn is_understood_by(&self, listener: &Port) -> bool {
        let takes_noise = |session: &Session| session.format.comfort_noise.is_some();
        self.codec() == listener.codec()
            && (!self.sends_noise || listener.session.as_ref().is_some_and(takes_noise))
    }

    /// Whether a forwarded stream is all that the peer is to hear.
    #[must_use]
    pub fn takes_forwarded(&self) -> bool {
        let sends = |session: &Session| session.format.direction.sends();
        self.player.is_none()
            && self.recorder.is_none()
            && self.events_out.as_ref().is_none_or(EventSender::is_idle)
            && self.session.as_ref().is_some_and(sends)
    }

    /// Plays a clip in place of the one that plays.
    pub fn play(&mut self, name: ClipId, clip: Arc<Prompt>, repeat: bool) {
        self.player = Some(Player::new(name, clip, repeat));
    }

    /// A clip that does not exist ends at once, so that nobody waits for it.
    pub fn play_nothing(&mut self, clip: ClipId) {
        self.player = None;
        let port = self.id;
        self.events
            .push_back(MediaEvent::PlayFinished { port, clip });
    }

    /// Stops the clip.
    pub fn stop_playing(&mut self) {
        self.player = None;
    }

    /// Starts a recording, after ending one that runs.
    pub fn record_into(&mut self, order: RecordingOrder, sink: Box<dyn RecordSink>) {
        self.stop_recording(RecordingStop::Ordered);
        self.recorder = Some(Recorder::new(order, sink, self.rate));
    }

    /// Whether the port is being recorded.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.recorder.is_some()
    }

    /// Ends the recording, if one runs.
    pub fn stop_recording(&mut self, stop: RecordingStop) {
        let Some(recorder) = self.recorder.take() else {
            return;
        };
        let recording = recorder.key();
        let length = recorder.finish();
        self.events.push_back(MediaEvent::RecordingEnded {
            port: self.id,
            recording,
            stop,
            length,
        });
    }

    /// Sends a key, when telephone events were negotiated.
    pub fn send_digit(&mut self, digit: Digit) {
        if let Some(events) = &mut self.events_out {
            // A full queue holds more keys than a person presses in advance.
            let _ = events.start(digit, DIGIT_MS);
        }
    }

    /// The next event for the control plane.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    /// The counters so far.
    #[must_use]
    pub fn stats(&self) -> PortStats {
        let reception = self.reception.as_ref();
        let lost = self.lost_before + reception.map_or(0, Reception::lost_in_all);
        let jitter = reception.map_or(0, Reception::jitter_ticks);
        let late = self.playout.as_ref().map_or(0, |playout| {
            let stats = playout.stats();
            stats.late + stats.dropped
        });
        PortStats {
            sent: self.sender.sent(),
            lost: lost.max(0).cast_unsigned(),
            jitter_ticks: jitter,
            late: self.counts.late + late,
            ..self.counts
        }
    }
}
