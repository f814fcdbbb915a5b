//! Offer and answer for one leg's audio (RFC 3264, RFC 6337).
//!
//! What we accept: one audio stream over `RTP/AVP` with one of the codecs of
//! the configuration; `telephone-event` (RFC 4733) and comfort noise (RFC 3389)
//! beside it. Every other medium is refused with port 0, in its place. Secured
//! and feedback profiles are refused as a whole: the peer then hears 488 and
//! may offer plain RTP.
//!
//! As answerer we pick one codec: the one in use when it is offered again, so
//! that hold and session refreshes do not switch codecs, else the first of the
//! peer's list that we have. As offerer we list all of ours; the first of ours
//! in the answer counts.
//!
//! A stream of ours is always `sendrecv` when we offer; an answer mirrors the
//! peer's direction. Packets last 20 ms whatever `ptime` the peer asks for,
//! which RFC 8866 section 6.4 leaves to the sender.
//!
//! Our descriptions are written from scratch: user name, session name and
//! session id are ours, and nothing of one leg's description is ever put into
//! that of another leg.

mod address;
mod payloads;

use std::net::IpAddr;
use std::sync::Arc;

use media::codec::Codec;
use media::control::{Direction as Flow, PortFormat};
use sip::sdp::{Direction, MediaDescription, SessionDescription};
use thiserror::Error;

use address::Remote;
use payloads::{Format, Payloads};

/// The profile we speak (RFC 3551).
const PROFILE: &str = "RTP/AVP";
/// Length of a packet of ours.
const PTIME_MS: u32 = 20;
/// Longest name of a medium or profile of the peer's that is kept to refuse it again.
const MAX_KEPT_CHARS: usize = 32;

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What the media port has to speak.
    pub format: PortFormat,
    /// Whether the peer does not want to hear us: hold.
    pub held: bool,
}

/// Why a description leads to no audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoMedia {
    /// There is no audio stream, or it was refused.
    #[error("no audio stream")]
    NoAudio,
    /// Audio comes only over a profile that we do not speak.
    #[error("no plain RTP")]
    Profile,
    /// No codec in common.
    #[error("no common codec")]
    Codec,
    /// No address that we can send to.
    #[error("no usable media address")]
    Address,
}

/// The state of offer and answer on one leg.
#[derive(Debug)]
pub struct Negotiation {
    codecs: Arc<[Codec]>,
    /// What our descriptions show.
    local: IpAddr,
    /// Where the peer's signalling comes from.
    signalling: IpAddr,
    session_id: u64,
    payloads: Payloads,
    layout: Layout,
    chosen: Option<Chosen>,
    remote: Option<Remote>,
    sent: Option<Sent>,
}

/// Our last description, as far as descriptions of one session differ.
#[derive(Debug)]
struct Sent {
    version: u64,
    audio: Audio,
    layout: Layout,
}

/// Our audio line.
#[derive(Debug, PartialEq, Eq)]
struct Audio {
    port: u16,
    /// In order of preference, under our numbers.
    formats: Vec<(u8, Format)>,
    direction: Direction,
}

/// The media lines of the session that are not ours, as we refuse them. They
/// keep their places for good (RFC 3264 section 8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Layout {
    before: Vec<MediaDescription>,
    after: Vec<MediaDescription>,
}

/// The formats that a peer's description leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chosen {
    codec: Codec,
    /// The peer's number for it.
    payload_type: u8,
    /// The peer's number for `telephone-event`, and its clock rate in Hz.
    telephone_event: Option<(u8, u32)>,
    comfort_noise: Option<u8>,
    direction: Direction,
}

impl Negotiation {
    /// For a leg whose peer signals from `signalling`. `local` is the address
    /// that our descriptions show, `session_id` their `o=` id.
    #[must_use]
    pub fn new(codecs: Arc<[Codec]>, local: IpAddr, signalling: IpAddr, session_id: u64) -> Self {
        Self {
            codecs,
            local: local.to_canonical(),
            signalling: signalling.to_canonical(),
            session_id,
            payloads: Payloads::default(),
            layout: Layout::default(),
            chosen: None,
            remote: None,
            sent: None,
        }
    }

    /// Our offer, for media at `port`.
    pub fn offer(&mut self, port: u16) -> SessionDescription {
        let assign = |format| (self.payloads.assign(format), format);
        let formats = formats(&self.codecs).map(assign).collect();
        self.describe(Audio {
            port,
            formats,
            direction: Direction::SendRecv,
        })
    }

    /// Takes the peer's offer. Nothing changes when it leads to no audio.
    ///
    /// # Errors
    /// When no line of it can be accepted; the offer is to be refused with 488.
    pub fn receive_offer(&mut self, offer: &SessionDescription) -> Result<Agreed, NoMedia> {
        let mut failure = NoMedia::NoAudio;
        for (index, line) in offer.media.iter().enumerate() {
            if line.kind != "audio" || line.port == 0 {
                continue;
            }
            match self.consider(offer, line) {
                Ok((chosen, remote)) => {
                    self.layout = Layout::of(offer, index);
                    self.payloads.adopt(chosen);
                    return self.agree(chosen, remote);
                }
                Err(reason) => failure = reason,
            }
        }
        Err(failure)
    }

    /// Our answer to the offer taken last, for media at `port`. Without one it
    /// is an offer.
    pub fn answer(&mut self, port: u16) -> SessionDescription {
        let Some(chosen) = self.chosen else {
            return self.offer(port);
        };
        let codec = (chosen.payload_type, Format::Codec(chosen.codec));
        let noise = chosen.comfort_noise;
        let noise = noise.map(|number| (number, Format::ComfortNoise));
        let event = chosen
            .telephone_event
            .map(|(number, clock_hz)| (number, Format::TelephoneEvent { clock_hz }));
        self.describe(Audio {
            port,
            formats: [Some(codec), noise, event].into_iter().flatten().collect(),
            direction: chosen.direction.reversed(),
        })
    }

    /// Takes the peer's answer to our last offer. Nothing changes when it leads to no audio.
    ///
    /// # Errors
    /// When our audio was refused, or what it says cannot be used.
    pub fn receive_answer(&mut self, answer: &SessionDescription) -> Result<Agreed, NoMedia> {
        let line = answer
            .media
            .get(self.layout.before.len())
            .filter(|line| line.kind == "audio" && line.port != 0)
            .ok_or(NoMedia::NoAudio)?;
        let (chosen, remote) = self.consider(answer, line)?;
        self.agree(chosen, remote)
    }

    /// The codec in use.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        self.chosen.map(|chosen| chosen.codec)
    }

    /// What a line of the peer's would lead to.
    fn consider(
        &self,
        description: &SessionDescription,
        line: &MediaDescription,
    ) -> Result<(Chosen, Remote), NoMedia> {
        if !line.profile.eq_ignore_ascii_case(PROFILE) {
            return Err(NoMedia::Profile);
        }
        let offered = self.mapped(line);
        let (codec, payload_type) = self.pick_codec(&offered).ok_or(NoMedia::Codec)?;
        let connection = description.connection_of(line).ok_or(NoMedia::Address)?;
        let remote = Remote::of(connection, line, self.signalling, self.remote)
            .filter(|remote| remote.rtp.is_ipv4() == self.local.is_ipv4())
            .ok_or(NoMedia::Address)?;
        let direction = match (description.direction_of(line), remote.muted) {
            (Direction::SendRecv, true) => Direction::SendOnly,
            (Direction::RecvOnly, true) => Direction::Inactive,
            (direction, _) => direction,
        };
        let chosen = Chosen {
            codec,
            payload_type,
            telephone_event: pick_event(&offered, codec),
            comfort_noise: offered
                .iter()
                .find(|(_, format)| *format == Format::ComfortNoise)
                .filter(|_| codec.rtp_clock_hz() == 8_000)
                .map(|(payload_type, _)| *payload_type),
            direction,
        };
        Ok((chosen, remote))
    }

    fn pick_codec(&self, offered: &[(u8, Format)]) -> Option<(Codec, u8)> {
        let usable = || {
            offered
                .iter()
                .filter_map(|(payload_type, format)| match format {
                    Format::Codec(codec) if self.codecs.contains(codec) => {
                        Some((*codec, *payload_type))
                    }
                    _ => None,
                })
        };
        let in_use = self.codec();
        usable()
            .find(|(codec, _)| Some(*codec) == in_use)
            .or_else(|| usable().next())
    }

    /// The formats of a line that we know, in order. A dynamic number without
    /// an rtpmap means what we gave it, since some devices answer so.
    fn mapped(&self, line: &MediaDescription) -> Vec<(u8, Format)> {
        let known = |payload_type: u8| {
            let mut maps = line.rtpmaps.iter();
            let format = match maps.find(|map| map.payload_type == payload_type) {
                Some(map) => Format::of(map),
                None => {
                    Format::of_static(payload_type).or_else(|| self.payloads.format(payload_type))
                }
            };
            format.map(|format| (payload_type, format))
        };
        line.payload_types().filter_map(known).collect()
    }

    fn agree(&mut self, chosen: Chosen, remote: Remote) -> Result<Agreed, NoMedia> {
        self.chosen = Some(chosen);
        self.remote = Some(remote);
        let receive = |format, theirs| self.payloads.number(format).unwrap_or(theirs);
        let format = PortFormat {
            remote: remote.rtp,
            remote_rtcp: remote.rtcp,
            codec: chosen.codec,
            send_payload_type: chosen.payload_type,
            receive_payload_type: receive(Format::Codec(chosen.codec), chosen.payload_type),
            telephone_event: chosen.telephone_event.map(|(theirs, clock_hz)| {
                (theirs, receive(Format::TelephoneEvent { clock_hz }, theirs))
            }),
            comfort_noise: chosen.comfort_noise,
            direction: flow(chosen.direction.reversed()),
            latch: remote.latch,
        };
        Ok(Agreed {
            format,
            held: !chosen.direction.receives(),
        })
    }

    /// The description with our audio in its place. Its version rises by one
    /// when anything changed (RFC 3264 section 8).
    fn describe(&mut self, audio: Audio) -> SessionDescription {
        let version = match &self.sent {
            None => 1,
            Some(sent) if sent.audio == audio && sent.layout == self.layout => sent.version,
            Some(sent) => sent.version + 1,
        };
        let mut description = SessionDescription::new(self.session_id, version, self.local);
        let Layout { before, after } = &self.layout;
        let lines = before.len() + 1 + after.len();
        description.media.reserve_exact(lines);
        description.media.extend_from_slice(before);
        description.media.push(audio.line());
        description.media.extend_from_slice(after);
        self.sent = Some(Sent {
            version,
            audio,
            layout: self.layout.clone(),
        });
        description
    }
}

impl Audio {
    fn line(&self) -> MediaDescription {
        let mut line = MediaDescription::audio(self.port);
        line.formats.reserve_exact(self.formats.len());
        line.rtpmaps.reserve_exact(self.formats.len());
        for (payload_type, format) in &self.formats {
            line = line.with_format(format.map(*payload_type), format.parameters());
        }
        line.ptime_ms = Some(PTIME_MS);
        line.direction = Some(self.direction);
        line
    }
}

impl Layout {
    fn of(offer: &SessionDescription, audio: usize) -> Self {
        let refused = |lines: &[MediaDescription]| lines.iter().map(refusal).collect();
        let (before, rest) = offer.media.split_at(audio);
        Self {
            before: refused(before),
            after: refused(rest.get(1..).unwrap_or_default()),
        }
    }
}

/// All that we speak, in the order in which we offer it.
fn formats(codecs: &[Codec]) -> impl Iterator<Item = Format> + '_ {
    let clocks = |hz| codecs.iter().any(move |it| it.rtp_clock_hz() == hz);
    let events = [8_000, 48_000]
        .into_iter()
        .filter(move |hz| clocks(*hz))
        .map(|clock_hz| Format::TelephoneEvent { clock_hz });
    let noise = clocks(8_000).then_some(Format::ComfortNoise);
    let codecs = codecs.iter().map(|codec| Format::Codec(*codec));
    codecs.chain(noise).chain(events)
}

/// `telephone-event` at the codec's own clock (RFC 4733 section 2.1), else at any.
fn pick_event(offered: &[(u8, Format)], codec: Codec) -> Option<(u8, u32)> {
    let events = || {
        offered
            .iter()
            .filter_map(|(payload_type, format)| match format {
                Format::TelephoneEvent { clock_hz } => Some((*payload_type, *clock_hz)),
                _ => None,
            })
    };
    events()
        .find(|(_, clock_hz)| *clock_hz == codec.rtp_clock_hz())
        .or_else(|| events().next())
}

/// A line with port 0. One format is enough there, and keeps what a peer can
/// make us remember small.
fn refusal(line: &MediaDescription) -> MediaDescription {
    let short = |text: &str| text.chars().take(MAX_KEPT_CHARS).collect::<String>();
    let mut refusal = MediaDescription::new(&short(&line.kind), 0, &short(&line.profile));
    let format = line
        .formats
        .first()
        .map_or_else(|| "0".to_owned(), |it| short(it));
    refusal.formats.push(format);
    refusal
}

/// The direction in the words of the media engine.
fn flow(ours: Direction) -> Flow {
    match ours {
        Direction::SendRecv => Flow::SendRecv,
        Direction::SendOnly => Flow::SendOnly,
        Direction::RecvOnly => Flow::RecvOnly,
        Direction::Inactive => Flow::Inactive,
    }
}
