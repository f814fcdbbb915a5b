//! Orders of the router.
//!
//! An order for a leg that is unknown or whose end is decided is void: its
//! `LegEnded` is on its way or has been told.

use std::time::{Duration, Instant};

use media::control::{MediaCommand, RecordingKey};
use routing::{
    Command, DeviceId, Event, HangupReason, HubId, LegEnd, LegId, Prompt, RecordingId, RejectReason,
};
use sip::ua::{BindingId, OutgoingInvite, Reason, Target};

use crate::config::MAX_LEGS;
use crate::exchange::Exchange;
use crate::leg::{Leg, Phase, Playing, Side};
use crate::negotiation::Negotiation;
use crate::status::{SERVICE_UNAVAILABLE, hangup_reason, rejection};

/// How much longer than our own patience a phone may ring.
const RING_SLACK: Duration = Duration::from_secs(10);

impl Exchange {
    pub(crate) fn carry_out(&mut self, command: Command, now: Instant) {
        match command {
            Command::Ring { leg } => self.ring(leg, now),
            Command::Answer { leg } => self.answer(leg, now),
            Command::Reject { leg, reason } => self.reject(leg, reason, now),
            Command::Dial {
                leg,
                device,
                hub,
                display,
            } => self.dial(leg, device, &hub, display, now),
            Command::Hangup { leg, reason } => self.hang_up(leg, reason, now),
            Command::Bridge { a, b } => self.bridge(a, b, now),
            Command::Unbridge { a, b } => self.unbridge(a, b, now),
            Command::Play {
                leg,
                prompt,
                repeat,
            } => self.play(leg, &prompt, repeat, now),
            Command::StopPlaying { leg } => self.stop_playing(leg, now),
            Command::Record {
                leg,
                recording,
                max_length,
                max_silence,
                // Whose key seals it is for the shell to know by the recording's id.
                hub: _,
            } => self.record(leg, recording, max_length, max_silence, now),
            Command::StopRecording { leg } => self.stop_recording(leg, now),
        }
    }

    /// Decides a leg's end: its port closes at once, its session as fast as SIP
    /// allows, and `LegEnded` follows when the peer is done with it.
    pub(crate) fn end_leg(&mut self, id: LegId, end: LegEnd, reason: Option<Reason>, now: Instant) {
        let Some(leg) = self.legs.live(id) else {
            return self.tell_why(id, reason, now);
        };
        leg.end = Some(end);
        let session = leg.session;
        self.close_port(id);
        self.ua.hangup(session, reason, now);
    }

    /// A leg that is ending anyway, but whose phone has not been told yet, is told the newest reason.
    fn tell_why(&mut self, id: LegId, reason: Option<Reason>, now: Instant) {
        if let Some(leg) = self.legs.get_mut(id) {
            self.ua.hangup(leg.session, reason, now);
        }
    }

    fn ring(&mut self, id: LegId, now: Instant) {
        if let Some(leg) = self.legs.live(id)
            && matches!(leg.phase, Phase::Offered(_))
        {
            self.ua.ring(leg.session, now);
        }
    }

    fn answer(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.live(id) else {
            return;
        };
        let Phase::Offered(agreed) = &mut leg.phase else {
            return;
        };
        let agreed = agreed.take();
        let Some(number) = self.open_port(id, now) else {
            return self.refuse(id, LegEnd::MediaFailed, SERVICE_UNAVAILABLE, None, now);
        };
        let Some(leg) = self.legs.live(id) else {
            return;
        };
        leg.phase = Phase::Answered;
        let session = leg.session;
        let description = match agreed {
            Some(_) => leg.negotiation.answer(number),
            None => leg.negotiation.offer(number),
        };
        if let Some(agreed) = agreed {
            self.apply(id, agreed, now);
        }
        tracing::info!(leg = %id, "caller answered");
        self.ua.answer(session, description, now);
    }

    fn reject(&mut self, id: LegId, reason: RejectReason, now: Instant) {
        let (status, retry_after) = rejection(reason);
        tracing::info!(leg = %id, ?reason, "caller refused");
        self.refuse(id, LegEnd::Ordered, status, retry_after, now);
    }

    /// Refuses a caller who has not been answered; any other leg is hung up.
    pub(crate) fn refuse(
        &mut self,
        id: LegId,
        end: LegEnd,
        status: u16,
        retry_after: Option<Duration>,
        now: Instant,
    ) {
        let Some(leg) = self.legs.live(id) else {
            return;
        };
        if !matches!(leg.phase, Phase::Offered(_)) {
            return self.end_leg(id, end, None, now);
        }
        leg.end = Some(end);
        let session = leg.session;
        self.ua.reject(session, status, None, retry_after, now);
    }

    fn dial(&mut self, id: LegId, device: DeviceId, hub: &HubId, display: String, now: Instant) {
        if self.legs.contains(id) {
            tracing::error!(leg = %id, "leg dialled twice");
            return;
        }
        let Some(source) = self.devices.source(device) else {
            return self.never_began(id, LegEnd::Unreachable);
        };
        if self.legs.len() >= MAX_LEGS {
            return self.never_began(id, LegEnd::Unreachable);
        }
        let Some((port, lease)) = self.ports.take(id) else {
            return self.never_began(id, LegEnd::MediaFailed);
        };
        let mut negotiation = Negotiation::new(
            self.codecs.clone(),
            self.config.media_address,
            source,
            self.session_ids.next(),
        );
        let invite = OutgoingInvite {
            target: Target::Binding(BindingId(device.0)),
            from_display: display,
            from_user: hub.as_str().to_owned(),
            offer: negotiation.offer(lease.number),
            expires: Some(self.config.longest_ring + RING_SLACK),
        };
        let session = self.ua.invite(invite, now);
        let mut leg = Leg::new(session, Side::Outgoing, Phase::Dialled, negotiation);
        leg.port = Some(port);
        self.legs.insert(id, leg);
        self.bind_port(id, port, lease, now);
        tracing::info!(leg = %id, device = device.0, "phone dialled");
    }

    /// A dialled leg for which nothing was sent.
    fn never_began(&mut self, leg: LegId, end: LegEnd) {
        tracing::warn!(%leg, ?end, "phone not dialled");
        self.emit(Event::LegEnded { leg, end });
    }

    fn hang_up(&mut self, id: LegId, reason: HangupReason, now: Instant) {
        tracing::info!(leg = %id, ?reason, "hang up");
        self.end_leg(id, LegEnd::Ordered, Some(hangup_reason(reason)), now);
    }

    fn bridge(&mut self, a: LegId, b: LegId, now: Instant) {
        let Some((from, to)) = self.port_of(a).zip(self.port_of(b)) else {
            return;
        };
        self.stop_playing(a, now);
        self.stop_playing(b, now);
        self.order(a, MediaCommand::Connect { from, to }, now);
        let (from, to) = (to, from);
        self.order(b, MediaCommand::Connect { from, to }, now);
    }

    fn unbridge(&mut self, a: LegId, b: LegId, now: Instant) {
        let Some((from, to)) = self.port_of(a).zip(self.port_of(b)) else {
            return;
        };
        self.order(a, MediaCommand::Disconnect { from, to }, now);
        let (from, to) = (to, from);
        self.order(b, MediaCommand::Disconnect { from, to }, now);
    }

    /// Plays a clip. Where there is none, or nobody to hear it, a prompt that
    /// does not repeat counts as finished, so that no caller waits for its end.
    fn play(&mut self, id: LegId, prompt: &Prompt, repeat: bool, now: Instant) {
        let clip = self.config.clips.get(prompt).copied();
        let Some(leg) = self.legs.live(id) else {
            return;
        };
        let (Some(clip), Some(port)) = (clip, leg.port) else {
            tracing::warn!(leg = %id, hub = %prompt.hub, kind = ?prompt.kind, "nothing to play");
            self.stop_playing(id, now);
            if !repeat {
                let kind = prompt.kind;
                self.emit(Event::PlaybackFinished { leg: id, kind });
            }
            return;
        };
        let kind = prompt.kind;
        leg.playing = Some(Playing { clip, kind, repeat });
        if leg.format.is_some() {
            self.order(id, MediaCommand::Play { port, clip, repeat }, now);
        }
    }

    fn stop_playing(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.live(id) else {
            return;
        };
        let playing = leg.playing.take().is_some() && leg.format.is_some();
        if let Some(port) = leg.port.filter(|_| playing) {
            self.order(id, MediaCommand::StopPlaying { port }, now);
        }
    }

    fn record(
        &mut self,
        id: LegId,
        recording: RecordingId,
        max_length: Duration,
        max_silence: Duration,
        now: Instant,
    ) {
        if self.legs.live(id).is_none() {
            return;
        }
        let port = self.port_of(id);
        let slot = port.and_then(|port| self.ports.recording_mut(port));
        let (Some(port), Some(slot @ None)) = (port, slot) else {
            tracing::error!(leg = %id, "leg cannot be recorded");
            return self.recording_failed(id, recording);
        };
        *slot = Some(recording);
        let command = MediaCommand::Record {
            port,
            recording: RecordingKey(recording.0),
            max_length,
            max_silence,
        };
        self.order(id, command, now);
    }

    fn stop_recording(&mut self, id: LegId, now: Instant) {
        let Some(port) = self.port_of(id) else {
            return;
        };
        if self
            .ports
            .lease(port)
            .is_some_and(|it| it.recording.is_some())
        {
            self.order(id, MediaCommand::StopRecording { port }, now);
        }
    }
}
