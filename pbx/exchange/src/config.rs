//! What the exchange is told about the box and the hotline.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use media::codec::Codec;
use media::control::ClipId;
use routing::Prompt;
use sip::ua::UaConfig;

use crate::called::CalledNumbers;

/// Legs at the same time; a further one is refused.
pub const MAX_LEGS: usize = 4_000;
/// Orders to the media engine that wait for the runner. A leg whose order finds
/// no room is ended instead; only `Close`, of which there is one for each port,
/// always finds room.
pub const MAX_QUEUED_OUTPUTS: usize = 16_384;
/// Events that wait for the router. Beyond it, digits and hold changes are
/// dropped and counted; what a call depends on never is.
pub const MAX_QUEUED_EVENTS: usize = 16_384;

/// Settings of the exchange. Replaced as a whole while calls are live; a call
/// keeps the addresses and codecs that it began with.
#[derive(Clone, Debug)]
pub struct ExchangeConfig {
    /// The SIP side: realm, accounts, trunks, timers.
    pub ua: UaConfig,
    /// The address that session descriptions show.
    pub media_address: IpAddr,
    /// The address that media sockets are bound to.
    pub media_bind: IpAddr,
    /// UDP ports for media, in pairs: RTP on the even one, RTCP on the next.
    pub rtp_ports: RangeInclusive<u16>,
    /// The codecs that we speak, in the order in which phones are offered them.
    pub codecs: Vec<Codec>,
    /// A party that sends no media for this long while it should is reported lost; zero switches it off.
    pub media_timeout: Duration,
    /// The longest time for which a phone is rung: the longest queue time-out
    /// of all hubs. A phone that is cut off from us stops by itself soon after it.
    pub longest_ring: Duration,
    /// The numbers that callers may dial.
    pub called: CalledNumbers,
    /// The decoded prompts that the media engine holds.
    pub clips: BTreeMap<Prompt, ClipId>,
    /// Our number among the back ends, for the names of incoming legs and ports.
    pub back_end: u8,
}
