//! What leaves in a tick, and what is recorded.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Pause, Port, Scratch};
use crate::codec::{Rate, encoder};
use crate::control::MediaEvent;
use crate::rtp::HEADER_BYTES;

impl Port {
    pub(super) fn record(&mut self) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        const SILENCE: [i16; Rate::MAX_SAMPLES_PER_FRAME] = [0; Rate::MAX_SAMPLES_PER_FRAME];
        let frame = match &self.playout {
            Some(playout) => playout.frame(),
            None => &SILENCE[..self.rate.samples_per_frame()],
        };
        if let Some(stop) = recorder.hear(frame) {
            self.stop_recording(stop);
        }
    }

    /// Adds the clip and the recorder's beep to the mix.
    pub(super) fn add_own_sounds(&mut self, scratch: &mut Scratch) {
        let samples = self.rate.samples_per_frame();
        if let Some(player) = &mut self.player {
            let finished = player.add_to(&mut scratch.mix[..samples], self.rate);
            scratch.pause = None;
            if finished {
                let (port, clip) = (self.id, player.name());
                self.player = None;
                self.events
                    .push_back(MediaEvent::PlayFinished { port, clip });
            }
        }
        if let Some(recorder) = &mut self.recorder {
            let beep = &mut scratch.pcm[..samples];
            if recorder.beep(beep) {
                scratch.pause = None;
                for (sum, &sample) in scratch.mix.iter_mut().zip(&*beep) {
                    *sum += i32::from(sample);
                }
            }
        }
    }

    /// Makes the packet of this tick; returns where it goes and its length.
    pub(super) fn make_packet(
        &mut self,
        scratch: &mut Scratch,
        now: Instant,
    ) -> Option<(SocketAddr, usize)> {
        if self.sender.is_forwarding(now) {
            self.noise.end();
            return None;
        }
        let session = self.session.as_ref()?;
        let destination = session.source.destination();
        let Some(to) = destination.filter(|_| session.format.direction.sends()) else {
            self.sender.pause();
            return None;
        };
        let comfort_noise = session.format.comfort_noise;
        if let Some(length) = self.key_packet(&mut scratch.datagram) {
            return Some((to, length));
        }
        let length = match (scratch.pause, comfort_noise) {
            (Some(Pause::Noise(level)), Some(payload_type)) => {
                self.noise_packet(payload_type, level, &mut scratch.datagram)
            }
            (Some(Pause::Dtx), _) => {
                self.sender.pause();
                None
            }
            _ => {
                self.noise.end();
                self.audio_packet(scratch)
            }
        };
        Some((to, length?))
    }

    /// Writes the packet of a key that is being sent; returns its length.
    fn key_packet(&mut self, out: &mut [u8]) -> Option<usize> {
        let (payload_type, _) = self.session.as_ref()?.format.telephone_event?;
        let timestamp = self.sender.timestamp();
        let event = self.events_out.as_mut()?.poll_packet(timestamp)?;
        let header = self
            .sender
            .event(payload_type, event.timestamp, event.marker);
        out[..HEADER_BYTES].copy_from_slice(&header.build());
        let end = HEADER_BYTES + event.payload.len();
        out[HEADER_BYTES..end].copy_from_slice(&event.payload);
        Some(end)
    }

    /// Writes the comfort noise that is due in a pause; returns its length.
    fn noise_packet(&mut self, payload_type: u8, level_dbov: f32, out: &mut [u8]) -> Option<usize> {
        self.sender.pause();
        let payload = self.noise.poll(level_dbov)?;
        let header = self.sender.noise(payload_type, payload.len());
        out[..HEADER_BYTES].copy_from_slice(&header.build());
        let end = HEADER_BYTES + payload.len();
        out[HEADER_BYTES..end].copy_from_slice(&payload);
        Some(end)
    }

    /// Encodes the mix into a packet; returns its length.
    fn audio_packet(&mut self, scratch: &mut Scratch) -> Option<usize> {
        let format = &self.session.as_ref()?.format;
        let (codec, payload_type) = (format.codec, format.send_payload_type);
        let samples = self.rate.samples_per_frame();
        for (slot, &sum) in scratch.pcm[..samples].iter_mut().zip(&scratch.mix) {
            *slot = sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
        if self.encoder.is_none() {
            // A codec that cannot be set up leaves the port silent.
            self.encoder = encoder(codec, self.rate).ok();
            if let Some(encoder) = &mut self.encoder {
                encoder.expect_loss(self.reports.loss_percent());
            }
        }
        let encoder = self.encoder.as_mut()?;
        let payload = &mut scratch.datagram[HEADER_BYTES..];
        let bytes = encoder.encode(&scratch.pcm[..samples], payload).ok()?;
        let header = self.sender.audio(payload_type, bytes);
        scratch.datagram[..HEADER_BYTES].copy_from_slice(&header.build());
        Some(HEADER_BYTES + bytes)
    }
}
