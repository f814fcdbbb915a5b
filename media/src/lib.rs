//! Call media without sockets or clocks: what is done with packets and audio
//! between the moment a datagram arrives and the moment one is to be sent.
//!
//! - [`rtp`], [`rtcp`]: packets, parsed without trust.
//! - [`codec`] and what it stands on ([`g711`], [`plc`], [`resample`]): payloads
//!   to PCM and back.
//! - [`dtmf`], [`tone`], [`noise`], [`level`], [`prompt`], [`music`], [`wav`]:
//!   keys, sounds and their measurement.
//! - [`jitter`]: packets in order and in time.
//! - [`port`]: one RTP stream pair with everything that belongs to it.
//! - [`mixer`]: all ports of one thread, who hears whom, and the 20 ms tick.
//! - [`record`]: what a caller says after the beep.
//! - [`control`]: what the control plane orders and hears back.
//!
//! Time is an argument, randomness a seed; the same inputs give the same
//! outputs. After warm-up nothing allocates per packet, except the Opus encoder.

pub mod codec;
pub mod control;
pub mod dtmf;
pub mod g711;
pub mod jitter;
pub mod level;
pub mod mixer;
pub mod music;
pub mod noise;
pub mod plc;
pub mod port;
pub mod prompt;
pub mod record;
pub mod resample;
pub mod rtcp;
pub mod rtp;
pub mod tone;
pub mod wav;
