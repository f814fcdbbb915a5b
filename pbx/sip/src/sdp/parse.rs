//! From text to a session description.

use super::media::{Attribute, Direction, MediaDescription, RtpMap};
use super::{
    Connection, MAX_ATTRIBUTES, MAX_FORMATS, MAX_MEDIA, MAX_SDP_BYTES, Origin, SdpError,
    SessionDescription,
};
use crate::text::Text;

pub(super) fn session(bytes: &[u8]) -> Result<SessionDescription, SdpError> {
    if bytes.len() > MAX_SDP_BYTES {
        return Err(SdpError::TooLarge);
    }
    let text = Text::from_bytes(bytes);
    let mut lines = text
        .as_str()
        .lines()
        .filter_map(|line| line.trim_ascii_end().split_once('='))
        .map(|(kind, value)| (kind.trim_ascii(), value));
    if !lines
        .next()
        .is_some_and(|(kind, value)| kind == "v" && value.trim_ascii() == "0")
    {
        return Err(SdpError::NotSdp);
    }
    let mut reader = Reader::default();
    for (kind, value) in lines {
        reader.line(kind, value)?;
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    origin: Option<Origin>,
    name: Option<String>,
    connection: Option<Connection>,
    direction: Option<Direction>,
    attributes: Vec<Attribute>,
    media: Vec<MediaDescription>,
}

impl Reader {
    fn line(&mut self, kind: &str, value: &str) -> Result<(), SdpError> {
        match kind {
            "o" => self.origin = Some(origin(value).ok_or(SdpError::Line('o'))?),
            "s" => self.name = Some(value.to_owned()),
            "c" => {
                let connection = connection(value).ok_or(SdpError::Line('c'))?;
                match self.media.last_mut() {
                    // The first counts; more are for multicast layers.
                    Some(media) => media.connection.get_or_insert(connection),
                    None => self.connection.insert(connection),
                };
            }
            "m" => {
                if self.media.len() >= MAX_MEDIA {
                    return Err(SdpError::TooLarge);
                }
                self.media.push(media(value)?);
            }
            "a" => match self.media.last_mut() {
                Some(media) => media_attribute(media, value)?,
                None => self.session_attribute(value)?,
            },
            _ => {}
        }
        Ok(())
    }

    fn session_attribute(&mut self, value: &str) -> Result<(), SdpError> {
        if let Some(direction) = Direction::from_name(value) {
            self.direction = Some(direction);
            return Ok(());
        }
        push_attribute(&mut self.attributes, value)
    }

    fn finish(self) -> Result<SessionDescription, SdpError> {
        let session = SessionDescription {
            origin: self.origin.ok_or(SdpError::Line('o'))?,
            name: self.name.unwrap_or_else(|| "-".to_owned()),
            connection: self.connection,
            direction: self.direction,
            attributes: self.attributes,
            media: self.media,
        };
        let lost = session
            .media
            .iter()
            .any(|media| media.port != 0 && session.connection_of(media).is_none());
        if lost {
            return Err(SdpError::Line('c'));
        }
        Ok(session)
    }
}

fn origin(value: &str) -> Option<Origin> {
    let mut words = value.split_ascii_whitespace();
    let username = words.next()?.to_owned();
    let session_id = words.next()?.to_owned();
    let version = words.next()?;
    if !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let _net_type = words.next()?;
    let _address_type = words.next()?;
    Some(Origin {
        username,
        session_id,
        version: version.parse().unwrap_or(u64::MAX),
        address: words.next()?.to_owned(),
    })
}

fn connection(value: &str) -> Option<Connection> {
    let mut words = value.split_ascii_whitespace();
    let net_type = words.next()?;
    let _address_type = words.next()?;
    // A multicast address may carry `/ttl`.
    let address = words.next()?.split('/').next()?;
    (net_type.eq_ignore_ascii_case("IN") && !address.is_empty())
        .then(|| Connection::from_text(address))
}

fn media(value: &str) -> Result<MediaDescription, SdpError> {
    let malformed = SdpError::Line('m');
    let mut words = value.split_ascii_whitespace();
    let kind = words.next().ok_or(malformed)?;
    // The port may carry a number of ports.
    let port = words
        .next()
        .and_then(|word| word.split('/').next())
        .and_then(|port| port.parse().ok())
        .ok_or(malformed)?;
    let profile = words.next().ok_or(malformed)?;
    let mut media = MediaDescription::new(kind, port, profile);
    for format in words {
        if media.formats.len() >= MAX_FORMATS {
            return Err(SdpError::TooLarge);
        }
        media.formats.push(format.to_owned());
    }
    if media.formats.is_empty() {
        return Err(malformed);
    }
    Ok(media)
}

/// A known attribute that is outside its grammar is dropped: the medium works without it.
fn media_attribute(media: &mut MediaDescription, value: &str) -> Result<(), SdpError> {
    if let Some(direction) = Direction::from_name(value) {
        media.direction = Some(direction);
        return Ok(());
    }
    let (name, rest) = value.split_once(':').unwrap_or((value, ""));
    match name {
        "rtpmap" => bounded(&mut media.rtpmaps, rtpmap(rest)),
        "fmtp" => bounded(&mut media.fmtps, fmtp(rest)),
        "ptime" => {
            media.ptime_ms = ptime_ms(rest).or(media.ptime_ms);
            Ok(())
        }
        "rtcp" => {
            media.rtcp = rtcp(rest);
            Ok(())
        }
        "rtcp-mux" => {
            media.rtcp_mux = true;
            Ok(())
        }
        _ => push_attribute(&mut media.attributes, value),
    }
}

fn push_attribute(attributes: &mut Vec<Attribute>, value: &str) -> Result<(), SdpError> {
    let attribute = match value.split_once(':') {
        Some((name, value)) => Attribute::new(name, value),
        None => Attribute::flag(value),
    };
    bounded(attributes, Some(attribute))
}

fn bounded<T>(list: &mut Vec<T>, item: Option<T>) -> Result<(), SdpError> {
    if list.len() >= MAX_ATTRIBUTES {
        return Err(SdpError::TooLarge);
    }
    list.extend(item);
    Ok(())
}

fn rtpmap(value: &str) -> Option<RtpMap> {
    let (payload_type, encoding) = value.trim_ascii().split_once(' ')?;
    let mut parts = encoding.trim_ascii().split('/');
    let encoding = parts.next()?.to_owned();
    let clock_rate_hz = parts.next()?.parse().ok()?;
    let channels = match parts.next() {
        Some(channels) => channels.parse().ok().filter(|channels| *channels > 0)?,
        None => 1,
    };
    Some(RtpMap {
        payload_type: payload_type_number(payload_type)?,
        encoding,
        clock_rate_hz,
        channels,
    })
}

fn fmtp(value: &str) -> Option<(u8, String)> {
    let (payload_type, parameters) = value.trim_ascii().split_once(' ')?;
    Some((
        payload_type_number(payload_type)?,
        parameters.trim_ascii().to_owned(),
    ))
}

fn payload_type_number(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number| *number < 128)
}

/// Whole milliseconds; some devices send a fraction, which is cut.
fn ptime_ms(value: &str) -> Option<u32> {
    value.trim_ascii().split('.').next()?.parse().ok()
}

fn rtcp(value: &str) -> Option<(u16, Option<std::net::IpAddr>)> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok()?;
    let address = words.nth(2).and_then(|address| address.parse().ok());
    Some((port, address))
}
