//! A model of the media engine: who hears whom, what plays, what is recorded.
//!
//! It keeps no audio. It knows how long clips last, when a voice falls silent,
//! and refuses orders that make no sense.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use media::control::{
    ClipId, MediaCommand, MediaEvent, PortId, PortStats, RecordingKey, RecordingStop,
};
use media::dtmf::Digit;
use routing::LegId;

use crate::rng::Rng;

/// How long clip `n` lasts: clips are numbered in the order of `PromptKind::ALL`.
const CLIP_LENGTHS_S: [u64; 4] = [5, 30, 4, 2];

/// One port.
#[derive(Debug)]
pub struct Port {
    /// The leg that it was opened for.
    pub leg: LegId,
    /// Its UDP port number.
    pub number: u16,
    /// Whom its peer hears.
    pub hears: BTreeSet<PortId>,
    timeout: Duration,
    speaks: bool,
    /// Changes with each change of what the deadline of silence depends on.
    silence: u64,
    play: u64,
    playing: bool,
    recording: Option<Recording>,
}

#[derive(Debug)]
struct Recording {
    key: RecordingKey,
    since: Instant,
}

#[derive(Debug)]
enum Due {
    Tell(MediaEvent),
    PlayOver(PortId, ClipId, u64),
    Recorded(PortId, RecordingKey, RecordingStop),
    Silent(PortId, u64),
}

/// All ports.
#[derive(Debug)]
pub struct Engine {
    ports: BTreeMap<PortId, Port>,
    by_number: BTreeMap<u16, PortId>,
    due: BTreeMap<(Instant, u64), Due>,
    /// Events leave in order.
    last_told: Option<Instant>,
    sequence: u64,
    rng: Rng,
    /// Ports that cannot be opened and recordings that cannot be written, per mille.
    failures: u64,
}

impl Engine {
    /// An engine without ports, which fails `failures` per mille of what can fail.
    #[must_use]
    pub fn new(rng: Rng, failures: u64) -> Self {
        Self {
            ports: BTreeMap::new(),
            by_number: BTreeMap::new(),
            due: BTreeMap::new(),
            last_told: None,
            sequence: 0,
            rng,
            failures,
        }
    }

    /// Open ports.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ports.len()
    }

    /// Whether no port is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// A port.
    #[must_use]
    pub fn port(&self, id: PortId) -> Option<&Port> {
        self.ports.get(&id)
    }

    /// The open port with a UDP port number.
    #[must_use]
    pub fn at(&self, number: u16) -> Option<&Port> {
        self.ports.get(self.by_number.get(&number)?)
    }

    /// Carries out an order that was given for `leg`. `speech` is how long whoever
    /// is recorded will speak.
    ///
    /// # Errors
    /// Why the order makes no sense.
    pub fn order(
        &mut self,
        leg: LegId,
        command: MediaCommand,
        speech: Duration,
        now: Instant,
    ) -> Result<(), String> {
        match command {
            MediaCommand::Open { port, local } => self.open(leg, port, local.port(), now),
            MediaCommand::Configure {
                port,
                format,
                media_timeout,
            } => {
                let listens = format.direction.receives();
                let found = self.get(port)?;
                found.timeout = if listens {
                    media_timeout
                } else {
                    Duration::ZERO
                };
                self.watch_silence(port, now);
                Ok(())
            }
            MediaCommand::Connect { from, to } => {
                self.get(from)?;
                self.get(to)?.hears.insert(from);
                Ok(())
            }
            MediaCommand::Disconnect { from, to } => {
                self.get(from)?;
                self.get(to)?.hears.remove(&from);
                Ok(())
            }
            MediaCommand::Play { port, clip, repeat } => self.play(port, clip, repeat, now),
            MediaCommand::StopPlaying { port } => {
                let found = self.get(port)?;
                found.play += 1;
                found.playing = false;
                Ok(())
            }
            MediaCommand::Record {
                port,
                recording,
                max_length,
                max_silence,
            } => self.record(port, recording, max_length, speech + max_silence, now),
            MediaCommand::StopRecording { port } => {
                self.get(port)?;
                self.end_recording(port, RecordingStop::Ordered, now);
                Ok(())
            }
            MediaCommand::SendDigit { port, .. } => self.get(port).map(|_| ()),
            MediaCommand::Close { port } => self.close(port, now),
        }
    }

    /// The peer of a port starts or stops sending.
    pub fn voice(&mut self, number: u16, speaks: bool, now: Instant) {
        let Some(id) = self.by_number.get(&number).copied() else {
            return;
        };
        if let Some(port) = self.ports.get_mut(&id)
            && port.speaks != speaks
        {
            port.speaks = speaks;
            self.watch_silence(id, now);
        }
    }

    /// The peer of a port presses a key.
    pub fn press(&mut self, number: u16, key: char, now: Instant) {
        if let Some(port) = self.by_number.get(&number).copied()
            && let Some(digit) = Digit::new(key)
        {
            self.tell(MediaEvent::Digit { port, digit }, now);
        }
    }

    /// When something is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next event that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<MediaEvent> {
        loop {
            let entry = self.due.first_entry()?;
            if entry.key().0 > now {
                return None;
            }
            match entry.remove() {
                Due::Tell(event) => return Some(event),
                Due::PlayOver(port, clip, play) => {
                    let found = self.ports.get_mut(&port);
                    if let Some(found) = found.filter(|it| it.play == play && it.playing) {
                        found.playing = false;
                        self.tell(MediaEvent::PlayFinished { port, clip }, now);
                    }
                }
                Due::Recorded(port, key, stop) => {
                    let current = self.ports.get(&port).and_then(|it| it.recording.as_ref());
                    if current.is_some_and(|recording| recording.key == key) {
                        self.end_recording(port, stop, now);
                    }
                }
                Due::Silent(port, silence) => {
                    let found = self.ports.get(&port);
                    if found.is_some_and(|it| it.silence == silence && !it.speaks) {
                        self.tell(MediaEvent::MediaLost { port }, now);
                    }
                }
            }
        }
    }

    fn get(&mut self, id: PortId) -> Result<&mut Port, String> {
        self.ports
            .get_mut(&id)
            .ok_or_else(|| format!("an order for port {:x}, which is not open", id.0))
    }

    fn open(&mut self, leg: LegId, id: PortId, number: u16, now: Instant) -> Result<(), String> {
        if number % 2 == 1 || self.by_number.contains_key(&number) || self.ports.contains_key(&id) {
            return Err(format!("port number {number} is odd or in use"));
        }
        if self.rng.chance(self.failures) {
            self.tell(MediaEvent::OpenFailed { port: id }, now);
        }
        // One that fails is kept until it is closed, or the leg's other orders would look wrong.
        self.by_number.insert(number, id);
        self.ports.insert(
            id,
            Port {
                leg,
                number,
                hears: BTreeSet::new(),
                timeout: Duration::ZERO,
                speaks: false,
                silence: 0,
                play: 0,
                playing: false,
                recording: None,
            },
        );
        Ok(())
    }

    /// Forgets a port of which the exchange has heard that it could not be opened.
    pub fn drop_failed(&mut self, id: PortId) {
        if let Some(port) = self.ports.remove(&id) {
            self.by_number.remove(&port.number);
        }
        for other in self.ports.values_mut() {
            other.hears.remove(&id);
        }
    }

    fn close(&mut self, id: PortId, now: Instant) -> Result<(), String> {
        self.get(id)?;
        self.end_recording(id, RecordingStop::Ordered, now);
        self.drop_failed(id);
        let stats = PortStats::default();
        self.tell(MediaEvent::Closed { port: id, stats }, now);
        Ok(())
    }

    fn play(&mut self, id: PortId, clip: ClipId, repeat: bool, now: Instant) -> Result<(), String> {
        let found = self.get(id)?;
        found.play += 1;
        found.playing = true;
        let play = found.play;
        let index = usize::try_from(clip.0).unwrap_or(0).wrapping_sub(1);
        let length = CLIP_LENGTHS_S.get(index);
        let length = length.ok_or_else(|| format!("clip {} does not exist", clip.0))?;
        if !repeat {
            self.schedule(
                now + Duration::from_secs(*length),
                Due::PlayOver(id, clip, play),
            );
        }
        Ok(())
    }

    fn record(
        &mut self,
        id: PortId,
        key: RecordingKey,
        max_length: Duration,
        until_silent: Duration,
        now: Instant,
    ) -> Result<(), String> {
        let fails = self.rng.chance(self.failures);
        let found = self.get(id)?;
        if found.recording.is_some() {
            return Err("a port is recorded twice".into());
        }
        found.recording = Some(Recording { key, since: now });
        let (length, stop) = match () {
            () if fails => (Duration::from_secs(2), RecordingStop::SinkFailed),
            () if until_silent < max_length => (until_silent, RecordingStop::Silence),
            () => (max_length, RecordingStop::MaxLength),
        };
        self.schedule(now + length, Due::Recorded(id, key, stop));
        Ok(())
    }

    fn end_recording(&mut self, id: PortId, stop: RecordingStop, now: Instant) {
        let Some(port) = self.ports.get_mut(&id) else {
            return;
        };
        if let Some(recording) = port.recording.take() {
            let event = MediaEvent::RecordingEnded {
                port: id,
                recording: recording.key,
                stop,
                length: now - recording.since,
            };
            self.tell(event, now);
        }
    }

    fn watch_silence(&mut self, id: PortId, now: Instant) {
        let Some(port) = self.ports.get_mut(&id) else {
            return;
        };
        port.silence += 1;
        let (silence, timeout) = (port.silence, port.timeout);
        if !port.speaks && !timeout.is_zero() {
            self.schedule(now + timeout, Due::Silent(id, silence));
        }
    }

    /// Tells an event a moment later, after those told before.
    fn tell(&mut self, event: MediaEvent, now: Instant) {
        let latency = self.rng.millis(0, 20);
        let at = self
            .last_told
            .map_or(now, |last| last.max(now))
            .max(now + latency);
        self.last_told = Some(at);
        self.schedule(at, Due::Tell(event));
    }

    fn schedule(&mut self, at: Instant, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }
}
