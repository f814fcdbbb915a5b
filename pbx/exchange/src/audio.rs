//! Media ports, and what the media engine tells of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::control::{ClipId, MediaCommand, MediaEvent, PortId, RecordingKey, RecordingStop};
use routing::{Digit, Event, HangupReason, LegEnd, LegId, RecordingEnd, RecordingId};
use sip::ua::SessionId;
use telephony::Input;

use crate::config::MAX_QUEUED_OUTPUTS;
use crate::digits::Source;
use crate::exchange::Exchange;
use crate::leg::Playing;
use crate::negotiation::Agreed;
use crate::ports::Lease;
use crate::status::hangup_reason;

impl Exchange {
    /// Handles an input of the media engine and hands back all others.
    pub(crate) fn take_media(&mut self, input: Input, now: Instant) -> Option<Input> {
        let Input::Media(event) = input else {
            return Some(input);
        };
        match event {
            MediaEvent::OpenFailed { port } => self.open_failed(port, now),
            MediaEvent::Digit { port, digit } => {
                if let Some(lease) = self.ports.lease(port) {
                    self.digit(lease.leg, digit, Source::Media, now);
                }
            }
            MediaEvent::PlayFinished { port, clip } => self.play_finished(port, clip),
            MediaEvent::RecordingEnded {
                port,
                recording,
                stop,
                length,
            } => self.recording_ended(port, recording, stop, length),
            MediaEvent::MediaLost { port } => self.media_lost(port),
            MediaEvent::Closed { port, stats } => {
                tracing::debug!(
                    port = port.0,
                    received = stats.received,
                    sent = stats.sent,
                    lost = stats.lost,
                    "port closed"
                );
                self.port_closed(port);
            }
        }
        None
    }

    /// Opens a port for a leg; its number, or `None` when there is none left.
    pub(crate) fn open_port(&mut self, id: LegId, now: Instant) -> Option<u16> {
        let leg = self.legs.live(id)?;
        let (port, lease) = self.ports.take(id)?;
        leg.port = Some(port);
        self.bind_port(id, port, lease, now);
        Some(lease.number)
    }

    /// Has the engine open a port that was taken.
    pub(crate) fn bind_port(&mut self, id: LegId, port: PortId, lease: Lease, now: Instant) {
        let local = SocketAddr::new(self.config.media_bind, lease.number);
        self.order(id, MediaCommand::Open { port, local }, now);
    }

    /// Closes a leg's port, if it has one. Its number rests until the engine is done with it.
    pub(crate) fn close_port(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(id) else {
            return;
        };
        leg.playing = None;
        leg.format = None;
        if let Some(port) = leg.port.take() {
            self.media.push_back(MediaCommand::Close { port });
        }
    }

    /// The port of a leg that can be connected.
    pub(crate) fn port_of(&mut self, id: LegId) -> Option<PortId> {
        self.legs.live(id).and_then(|leg| leg.port)
    }

    /// The number of a leg's port.
    pub(crate) fn port_number(&mut self, session: SessionId) -> Option<u16> {
        let port = self.port_of(self.legs.of_session(session)?)?;
        self.ports.lease(port).map(|lease| lease.number)
    }

    /// Puts what was agreed on into effect.
    pub(crate) fn apply(&mut self, id: LegId, agreed: Agreed, now: Instant) {
        let Some(leg) = self.legs.live(id) else {
            return;
        };
        let Some(port) = leg.port else {
            return;
        };
        let Agreed { format, held } = agreed;
        let was_held = std::mem::replace(&mut leg.held, held);
        let is_up = matches!(leg.phase, crate::leg::Phase::Up);
        if leg.format.as_ref() != Some(&format) {
            let is_first = leg.format.replace(format.clone()).is_none();
            let playing = leg.playing.filter(|_| is_first);
            // A party that holds us may well be silent.
            let media_timeout = match held {
                true => Duration::ZERO,
                false => self.config.media_timeout,
            };
            leg.quiet = media_timeout.is_zero() || !format.direction.receives();
            let command = MediaCommand::Configure {
                port,
                format,
                media_timeout,
            };
            self.order(id, command, now);
            if let Some(Playing { clip, repeat, .. }) = playing {
                self.order(id, MediaCommand::Play { port, clip, repeat }, now);
            }
        }
        self.watch(id, now);
        if is_up && was_held != held {
            tracing::info!(leg = %id, held, "hold");
            self.emit_bounded(Event::LegHeld { leg: id, held });
        }
    }

    /// Queues an order to the engine. A leg whose order finds no room is ended:
    /// better that than one of which we believe what is not so.
    pub(crate) fn order(&mut self, id: LegId, command: MediaCommand, now: Instant) {
        if self.media.len() < MAX_QUEUED_OUTPUTS {
            self.media.push_back(command);
            return;
        }
        tracing::error!(leg = %id, "media engine does not keep up");
        self.dropped_outputs += 1;
        let reason = hangup_reason(HangupReason::Failed);
        self.end_leg(id, LegEnd::MediaFailed, Some(reason), now);
    }

    /// A key was pressed.
    pub(crate) fn digit(
        &mut self,
        id: LegId,
        digit: media::dtmf::Digit,
        source: Source,
        now: Instant,
    ) {
        let Some(leg) = self.legs.live(id) else {
            return;
        };
        if let Some(digit) = Digit::new(digit.reveal())
            && leg.digits.is_new(digit, source, now)
        {
            self.emit_bounded(Event::DigitPressed { leg: id, digit });
        }
    }

    /// A recording that came to nothing.
    pub(crate) fn recording_failed(&mut self, leg: LegId, recording: RecordingId) {
        self.emit(Event::RecordingFinished {
            leg,
            recording,
            end: RecordingEnd::Failed,
            length: Duration::ZERO,
        });
    }

    /// The number is in use by somebody else; it goes to the end of the line.
    fn open_failed(&mut self, port: PortId, now: Instant) {
        let Some(lease) = self.ports.release(port) else {
            return;
        };
        tracing::error!(leg = %lease.leg, port = lease.number, "media port cannot be opened");
        if let Some(leg) = self.legs.get_mut(lease.leg) {
            // Nothing to close.
            leg.port = None;
            leg.format = None;
        }
        if let Some(recording) = lease.recording {
            self.recording_failed(lease.leg, recording);
        }
        let reason = hangup_reason(HangupReason::Failed);
        self.end_leg(lease.leg, LegEnd::MediaFailed, Some(reason), now);
    }

    fn play_finished(&mut self, port: PortId, clip: ClipId) {
        let Some(lease) = self.ports.lease(port) else {
            return;
        };
        let Some(leg) = self.legs.live(lease.leg) else {
            return;
        };
        // Otherwise it was stopped in the meantime, or another one plays.
        let ended = |it: &mut Playing| it.clip == clip && !it.repeat;
        if let Some(Playing { kind, .. }) = leg.playing.take_if(ended) {
            let leg = lease.leg;
            self.emit(Event::PlaybackFinished { leg, kind });
        }
    }

    fn recording_ended(
        &mut self,
        port: PortId,
        key: RecordingKey,
        stop: RecordingStop,
        length: Duration,
    ) {
        let Some(lease) = self.ports.lease(port) else {
            return;
        };
        let recording = RecordingId(key.0);
        let slot = self.ports.recording_mut(port);
        if slot
            .and_then(|slot| slot.take_if(|it| *it == recording))
            .is_none()
        {
            return;
        }
        tracing::info!(leg = %lease.leg, %recording, ?stop, "recording ended");
        self.emit(Event::RecordingFinished {
            leg: lease.leg,
            recording,
            end: recording_end(stop),
            length,
        });
    }

    fn media_lost(&mut self, port: PortId) {
        let Some(Lease { leg: id, .. }) = self.ports.lease(port) else {
            return;
        };
        if self.legs.live(id).is_some_and(|leg| !leg.held) {
            tracing::warn!(leg = %id, "no media");
            self.emit(Event::MediaLost { leg: id });
        }
    }

    fn port_closed(&mut self, port: PortId) {
        if let Some(lease) = self.ports.release(port)
            && let Some(recording) = lease.recording
        {
            self.recording_failed(lease.leg, recording);
        }
    }
}

fn recording_end(stop: RecordingStop) -> RecordingEnd {
    match stop {
        RecordingStop::Ordered => RecordingEnd::Stopped,
        RecordingStop::Silence => RecordingEnd::Silence,
        RecordingStop::MaxLength => RecordingEnd::MaxLength,
        RecordingStop::SinkFailed => RecordingEnd::Failed,
    }
}
