//! Which packets are the peer's, and where they belong.

use std::net::SocketAddr;
use std::time::Instant;

use super::playout::is_dtx;
use super::{Content, Pause, Port, Received, Refused};
use crate::codec::Codec;
use crate::control::{MediaEvent, PortFormat};
use crate::dtmf::DigitEvent;
use crate::noise::parse_level_dbov;
use crate::rtcp::{Arrival, Reception};
use crate::rtp::Packet;

impl Port {
    pub(super) fn admit(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Result<Received, Refused> {
        let session = self.session.as_mut().ok_or(Refused::NotConfigured)?;
        let packet = Packet::parse(datagram).map_err(|_| Refused::Malformed)?;
        let content = content(&session.format, packet.header.payload_type)?;
        if !session.source.admits(source, now) {
            return Err(Refused::Source);
        }
        if packet.payload(datagram).is_empty() {
            // Padding only: from the peer, but nothing to learn an address by.
            return Err(Refused::Malformed);
        }
        session.source.heard(source);
        session.last_media = now;
        session.lost_told = false;
        if !session.format.direction.receives() {
            return Err(Refused::Direction);
        }
        let (sequence, restarted) = self.place(&packet, now)?;
        match content {
            Content::Event => self.hear_key(&packet, datagram, now),
            Content::Noise => {
                self.sends_noise = true;
                self.pause = parse_level_dbov(packet.payload(datagram)).map(Pause::Noise);
            }
            Content::Audio => {
                let codec = self.codec();
                let is_dtx = codec.is_some_and(|codec| is_dtx(codec, packet.payload(datagram)));
                self.pause = is_dtx.then_some(Pause::Dtx);
            }
        }
        Ok(Received {
            packet,
            sequence,
            content,
            restarted,
        })
    }

    /// The extended sequence number, and whether a new numbering begins.
    fn place(&mut self, packet: &Packet, now: Instant) -> Result<(u64, bool), Refused> {
        let header = &packet.header;
        if let Some(reception) = &mut self.reception
            && reception.ssrc() == header.ssrc
        {
            return match reception.update(header.sequence, header.timestamp, now) {
                Arrival::Known(sequence) => Ok((sequence, false)),
                Arrival::Restarted(sequence) => Ok((sequence, true)),
                Arrival::Implausible => Err(Refused::Implausible),
            };
        }
        self.end_reception();
        let clock_hz = self.codec().map_or(8_000, Codec::rtp_clock_hz);
        let (sequence, timestamp) = (header.sequence, header.timestamp);
        let reception = Reception::new(header.ssrc, clock_hz, sequence, timestamp, now);
        let first = reception.first();
        self.reception = Some(reception);
        Ok((first, true))
    }

    pub(super) fn end_reception(&mut self) {
        if let Some(reception) = self.reception.take() {
            self.lost_before += reception.lost_in_all();
        }
    }

    fn hear_key(&mut self, packet: &Packet, datagram: &[u8], now: Instant) {
        let Some(events) = &mut self.events_in else {
            return;
        };
        let payload = packet.payload(datagram);
        events.handle_packet(packet.header.timestamp, payload, now);
        while let Some(event) = events.poll_event() {
            if let DigitEvent::Pressed(digit) = event {
                self.pressed = Some(digit);
                let port = self.id;
                self.events.push_back(MediaEvent::Digit { port, digit });
            }
        }
    }

    pub(super) fn watch_media(&mut self, now: Instant) {
        let Some(session) = &mut self.session else {
            return;
        };
        let watched = session.format.direction.receives() && !session.media_timeout.is_zero();
        let silent = now.saturating_duration_since(session.last_media);
        if watched && !session.lost_told && silent >= session.media_timeout {
            session.lost_told = true;
            self.events
                .push_back(MediaEvent::MediaLost { port: self.id });
        }
    }
}

/// What a payload type stands for in `format`.
fn content(format: &PortFormat, payload_type: u8) -> Result<Content, Refused> {
    let is_event = |(_, receive)| payload_type == receive;
    if payload_type == format.receive_payload_type {
        Ok(Content::Audio)
    } else if format.telephone_event.is_some_and(is_event) {
        Ok(Content::Event)
    } else if format.comfort_noise == Some(payload_type) {
        Ok(Content::Noise)
    } else {
        Err(Refused::PayloadType)
    }
}
