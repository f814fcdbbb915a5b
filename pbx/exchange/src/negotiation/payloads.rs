//! Which payload type number means what, for as long as the session lasts.

use media::codec::Codec;
use sip::sdp::RtpMap;

use super::Chosen;

/// Comfort noise has a static number (RFC 3389 section 5).
const COMFORT_NOISE: u8 = 13;
/// What to start with for dynamic numbers; customary, so that picky devices agree.
const OPUS: u8 = 111;
const EVENT_8000: u8 = 101;
const EVENT_48000: u8 = 110;
/// The dynamic range (RFC 3551 section 6).
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;
/// All sixteen keys (RFC 4733 section 2.4.1).
const EVENTS: &str = "0-15";
/// We decode the redundancy that the peer may send (RFC 7587 section 6.1).
const OPUS_PARAMETERS: &str = "useinbandfec=1";

/// What a payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Codec(Codec),
    TelephoneEvent { clock_hz: u32 },
    ComfortNoise,
}

impl Format {
    /// The format of an rtpmap, if we know it.
    pub(super) fn of(map: &RtpMap) -> Option<Self> {
        if let Some(codec) = Codec::from_encoding_name(&map.encoding) {
            let fits = map.clock_rate_hz == codec.rtp_clock_hz()
                && map.channels <= codec.channels_in_sdp();
            return fits.then_some(Self::Codec(codec));
        }
        if map.encoding.eq_ignore_ascii_case("telephone-event") {
            let clock_hz = map.clock_rate_hz;
            return matches!(clock_hz, 8_000 | 48_000).then_some(Self::TelephoneEvent { clock_hz });
        }
        map.is("CN", 8_000).then_some(Self::ComfortNoise)
    }

    /// What a number stands for by itself (RFC 3551 table 4), if we know it.
    pub(super) fn of_static(payload_type: u8) -> Option<Self> {
        if payload_type == COMFORT_NOISE {
            return Some(Self::ComfortNoise);
        }
        let is_it = |codec: &Codec| codec.static_payload_type() == Some(payload_type);
        Codec::ALL.into_iter().find(is_it).map(Self::Codec)
    }

    /// Its rtpmap under this number.
    pub(super) fn map(self, payload_type: u8) -> RtpMap {
        let (encoding, clock_rate_hz, channels) = match self {
            Self::Codec(codec) => (
                codec.encoding_name(),
                codec.rtp_clock_hz(),
                codec.channels_in_sdp(),
            ),
            Self::TelephoneEvent { clock_hz } => ("telephone-event", clock_hz, 1),
            Self::ComfortNoise => ("CN", 8_000, 1),
        };
        RtpMap {
            payload_type,
            encoding: encoding.to_owned(),
            clock_rate_hz,
            channels,
        }
    }

    /// Its format parameters.
    pub(super) fn parameters(self) -> Option<&'static str> {
        match self {
            Self::Codec(Codec::Opus) => Some(OPUS_PARAMETERS),
            Self::TelephoneEvent { .. } => Some(EVENTS),
            Self::Codec(_) | Self::ComfortNoise => None,
        }
    }

    fn usual_number(self) -> u8 {
        match self {
            Self::Codec(codec) => codec.static_payload_type().unwrap_or(OPUS),
            Self::TelephoneEvent { clock_hz: 48_000 } => EVENT_48000,
            Self::TelephoneEvent { .. } => EVENT_8000,
            Self::ComfortNoise => COMFORT_NOISE,
        }
    }
}

/// The numbers that this side has given out. A number never changes its
/// meaning within a session (RFC 3264 section 8.3.2).
#[derive(Clone, Debug, Default)]
pub(super) struct Payloads {
    given: Vec<(u8, Format)>,
}

impl Payloads {
    /// The number of `format` in our descriptions.
    pub(super) fn number(&self, format: Format) -> Option<u8> {
        let given = self.given.iter().find(|(_, other)| *other == format);
        given.map(|(number, _)| *number)
    }

    /// What we gave this number to.
    pub(super) fn format(&self, number: u8) -> Option<Format> {
        let given = self.given.iter().find(|(other, _)| *other == number);
        given.map(|(_, format)| *format)
    }

    /// The number of `format`, given out now if it has none.
    pub(super) fn assign(&mut self, format: Format) -> u8 {
        if let Some(number) = self.number(format) {
            return number;
        }
        let usual = format.usual_number();
        let number = std::iter::once(usual)
            .chain(DYNAMIC)
            .find(|number| self.format(*number).is_none())
            .unwrap_or(usual);
        self.given.push((number, format));
        number
    }

    /// Our answer uses the peer's numbers, which thereby become ours.
    pub(super) fn adopt(&mut self, chosen: Chosen) {
        self.set(Format::Codec(chosen.codec), chosen.payload_type);
        if let Some((number, clock_hz)) = chosen.telephone_event {
            self.set(Format::TelephoneEvent { clock_hz }, number);
        }
        if let Some(number) = chosen.comfort_noise {
            self.set(Format::ComfortNoise, number);
        }
    }

    fn set(&mut self, format: Format, number: u8) {
        self.given
            .retain(|(other, known)| *other != number && *known != format);
        self.given.push((number, format));
    }
}
