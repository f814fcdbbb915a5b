//! All ports of one media thread: who hears whom, and the tick.
//!
//! A connection has one direction. A port hears the sum of its sources, each
//! without itself, so that a conference of any size is a matrix of
//! connections. Where one port is heard by one other alone, in the same codec
//! and with nothing else to hear, packets pass as they are, on arrival; in all
//! other cases they are decoded, mixed and encoded on the tick. The tick has
//! four phases of 5 ms, with a quarter of the ports in each.

mod matrix;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::control::{ClipId, MediaCommand, MediaEvent, PortId, RecordingStop};
use crate::port::{Port, Refused, Scratch, Seeds};
use crate::prompt::Prompt;
use crate::record::{RecordSinks, RecordingOrder};
use crate::rtcp::{MAX_REPORT_BYTES, NtpTime};

/// Phases of a tick.
pub const PHASES: u64 = 4;
/// Time between two calls of [`Mixer::tick`].
pub const PHASE: Duration = Duration::from_millis(5);
/// Ports one port may hear.
pub const MAX_SOURCES: usize = 32;

/// Takes what is to be sent.
pub trait Outbox {
    /// An RTP packet from the port in `place`.
    fn send_rtp(&mut self, place: usize, to: SocketAddr, datagram: &[u8]);
    /// An RTCP packet from the port in `place`.
    fn send_rtcp(&mut self, place: usize, to: SocketAddr, datagram: &[u8]);
}

/// A port and its connections, which name places in [`Mixer::slots`].
struct Slot {
    port: Port,
    sources: Vec<usize>,
    listeners: Vec<usize>,
    /// The one listener that gets this port's packets as they are.
    forwards_to: Option<usize>,
    /// The phase in which the port's frame was made.
    frame_made: Option<u64>,
}

/// The ports of one thread.
pub struct Mixer {
    /// A port keeps its place while it lives.
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    places: BTreeMap<PortId, usize>,
    clips: BTreeMap<ClipId, Arc<Prompt>>,
    sinks: Box<dyn RecordSinks>,
    seeds: Seeds,
    scratch: Box<Scratch>,
    events: VecDeque<MediaEvent>,
    phase: u64,
}

impl Mixer {
    /// No ports. `seed` decides stream names and first numbers and should
    /// differ from run to run.
    #[must_use]
    pub fn new(sinks: Box<dyn RecordSinks>, seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            places: BTreeMap::new(),
            clips: BTreeMap::new(),
            sinks,
            seeds: Seeds(seed),
            scratch: Box::default(),
            events: VecDeque::new(),
            phase: 0,
        }
    }

    /// Makes a clip known, in place of one of the same name.
    pub fn load_clip(&mut self, clip: ClipId, prompt: Arc<Prompt>) {
        self.clips.insert(clip, prompt);
    }

    /// Forgets a clip. Where it plays, it plays on to its end.
    pub fn unload_clip(&mut self, clip: ClipId) {
        self.clips.remove(&clip);
    }

    /// Where a port stands: what [`handle_rtp`](Self::handle_rtp) and
    /// [`Outbox`] call it.
    #[must_use]
    pub fn place(&self, port: PortId) -> Option<usize> {
        self.places.get(&port).copied()
    }

    /// The open ports.
    pub fn ports(&self) -> impl ExactSizeIterator<Item = PortId> + '_ {
        self.places.keys().copied()
    }

    /// Carries out an order. Orders to a port that is not open do nothing:
    /// it may have been closed meanwhile.
    pub fn handle_command(
        &mut self,
        command: MediaCommand,
        now: Instant,
        ntp: NtpTime,
        out: &mut dyn Outbox,
    ) {
        match command {
            MediaCommand::Open { port, .. } => self.open(port),
            MediaCommand::Configure {
                port,
                format,
                media_timeout,
            } => self.with(port, |port| port.configure(format, media_timeout, now)),
            MediaCommand::Connect { from, to } => self.connect(from, to),
            MediaCommand::Disconnect { from, to } => self.disconnect(from, to),
            MediaCommand::Play { port, clip, repeat } => {
                let prompt = self.clips.get(&clip).cloned();
                self.with(port, |port| match prompt {
                    Some(prompt) => port.play(clip, prompt, repeat),
                    None => port.play_nothing(clip),
                });
            }
            MediaCommand::StopPlaying { port } => self.with(port, Port::stop_playing),
            MediaCommand::Record {
                port,
                recording,
                max_length,
                max_silence,
            } => {
                let order = RecordingOrder {
                    key: recording,
                    max_length,
                    max_silence,
                };
                self.record(port, order);
            }
            MediaCommand::StopRecording { port } => {
                self.with(port, |port| port.stop_recording(RecordingStop::Ordered));
            }
            MediaCommand::SendDigit { port, digit } => {
                self.with(port, |port| port.send_digit(digit));
            }
            MediaCommand::Close { port } => self.close(port, now, ntp, out),
        }
    }

    /// Takes an RTP datagram that came to the port in `place`. It may be
    /// rewritten and sent on at once.
    ///
    /// # Errors
    /// [`Refused`]; the port has counted it.
    pub fn handle_rtp(
        &mut self,
        place: usize,
        source: SocketAddr,
        datagram: &mut [u8],
        now: Instant,
        out: &mut dyn Outbox,
    ) -> Result<(), Refused> {
        let slot = self.slot(place).ok_or(Refused::NotConfigured)?;
        let received = slot.port.receive(source, datagram, now)?;
        let pressed = slot.port.take_pressed();
        if received.is_noise() {
            // The first may end the forwarding to a peer that knows of none.
            self.choose_path(place);
        }
        let slot = self.slot(place).ok_or(Refused::NotConfigured)?;
        match slot.forwards_to {
            None => slot.port.keep(&received, datagram, now),
            Some(listener) => {
                let listening = self.slot(listener).map(|slot| &mut slot.port);
                let sent = listening.and_then(|port| port.forward(&received, datagram, now));
                if let Some((to, packet)) = sent {
                    out.send_rtp(listener, to, packet);
                }
            }
        }
        if let Some(digit) = pressed {
            self.relay_digit(place, digit);
            self.collect_events(place);
        }
        Ok(())
    }

    /// Takes an RTCP datagram that came to the port in `place`.
    ///
    /// # Errors
    /// [`Refused`]; the port has counted it.
    pub fn handle_rtcp(
        &mut self,
        place: usize,
        source: SocketAddr,
        datagram: &[u8],
        now: Instant,
        ntp: NtpTime,
    ) -> Result<(), Refused> {
        let slot = self.slot(place).ok_or(Refused::NotConfigured)?;
        slot.port.handle_rtcp(source, datagram, now, ntp)
    }

    /// Runs one phase of the tick. To be called every [`PHASE`].
    pub fn tick(&mut self, now: Instant, ntp: NtpTime, out: &mut dyn Outbox) {
        let first = (self.phase % PHASES) as usize;
        for place in (first..self.slots.len()).step_by(PHASES as usize) {
            self.choose_path(place);
            self.listen(place, now);
        }
        for place in (first..self.slots.len()).step_by(PHASES as usize) {
            self.speak(place, now, out);
            self.report(place, now, ntp, out);
            self.collect_events(place);
        }
        self.phase += 1;
    }

    /// The next event for the control plane. To be called until `None` after
    /// each command, datagram and tick.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    /// An open port, to look at.
    #[must_use]
    pub fn port(&self, port: PortId) -> Option<&Port> {
        let place = self.place(port)?;
        self.slots.get(place)?.as_ref().map(|slot| &slot.port)
    }

    /// Whether a port's packets pass undecoded.
    #[must_use]
    pub fn is_forwarding(&self, port: PortId) -> bool {
        let slot = self.place(port).and_then(|place| self.slots.get(place));
        slot.and_then(Option::as_ref)
            .is_some_and(|slot| slot.forwards_to.is_some())
    }
}

impl Mixer {
    fn slot(&mut self, place: usize) -> Option<&mut Slot> {
        self.slots.get_mut(place)?.as_mut()
    }

    fn open(&mut self, id: PortId) {
        if self.places.contains_key(&id) {
            return;
        }
        let slot = Slot {
            port: Port::new(id, self.seeds.next()),
            sources: Vec::new(),
            listeners: Vec::new(),
            forwards_to: None,
            frame_made: None,
        };
        let place = self.free.pop().unwrap_or(self.slots.len());
        if place == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[place] = Some(slot);
        self.places.insert(id, place);
    }

    fn close(&mut self, id: PortId, now: Instant, ntp: NtpTime, out: &mut dyn Outbox) {
        let Some(place) = self.places.remove(&id) else {
            return;
        };
        self.disconnect_all(place);
        let Some(mut slot) = self.slots[place].take() else {
            return;
        };
        self.free.push(place);
        slot.port.stop_recording(RecordingStop::Ordered);
        let mut buffer = [0; MAX_REPORT_BYTES];
        if let Some((to, packet)) = slot.port.goodbye(now, ntp, &mut buffer) {
            out.send_rtcp(place, to, packet);
        }
        while let Some(event) = slot.port.poll_event() {
            self.events.push_back(event);
        }
        let stats = slot.port.stats();
        self.events
            .push_back(MediaEvent::Closed { port: id, stats });
    }

    /// Does something to a port that is open, then sees what follows from it.
    fn with(&mut self, id: PortId, act: impl FnOnce(&mut Port)) {
        let Some(place) = self.place(id) else {
            return;
        };
        if let Some(slot) = self.slot(place) {
            act(&mut slot.port);
        }
        self.retune(place);
        self.collect_events(place);
    }

    fn record(&mut self, id: PortId, order: RecordingOrder) {
        if self.places.contains_key(&id) {
            let sink = self.sinks.open(order.key);
            self.with(id, |port| port.record_into(order, sink));
        }
    }

    fn listen(&mut self, place: usize, now: Instant) {
        let phase = self.phase;
        if let Some(slot) = self.slot(place) {
            slot.port.listen(now);
            slot.frame_made = Some(phase);
        }
    }

    fn speak(&mut self, place: usize, now: Instant, out: &mut dyn Outbox) {
        let Some(slot) = self.slots.get(place).and_then(Option::as_ref) else {
            return;
        };
        let samples = slot.port.rate().samples_per_frame();
        self.scratch.clear(samples);
        for &source in &slot.sources {
            if let Some(frame) = matrix::frame_of(&self.slots, source, self.phase, samples) {
                self.scratch.add(frame);
            }
        }
        let pauses = slot.sources.iter().map(|&source| {
            let source = self.slots.get(source)?.as_ref()?;
            source.port.pause(source.forwards_to.is_some(), now)
        });
        self.scratch.set_pauses(pauses);
        let Some(slot) = self.slots[place].as_mut() else {
            return;
        };
        if let Some((to, packet)) = slot.port.speak(&mut self.scratch, now) {
            out.send_rtp(place, to, packet);
        }
    }

    fn report(&mut self, place: usize, now: Instant, ntp: NtpTime, out: &mut dyn Outbox) {
        let mut buffer = [0; MAX_REPORT_BYTES];
        let Some(slot) = self.slot(place) else {
            return;
        };
        if let Some((to, packet)) = slot.port.poll_report(now, ntp, &mut buffer) {
            out.send_rtcp(place, to, packet);
        }
    }

    fn collect_events(&mut self, place: usize) {
        let Some(slot) = self.slots.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        while let Some(event) = slot.port.poll_event() {
            self.events.push_back(event);
        }
    }
}
