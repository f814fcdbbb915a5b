//! From bytes to an indexed message.

use bytes::{Bytes, BytesMut};

use super::StatusCode;
use super::{Framing, MAX_BODY_BYTES, MAX_HEADER_BYTES, Message, Method, Request, Response};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Buffer, Entry, HeaderName, Headers, MAX_HEADERS, ParseValue};
use crate::scan;
use crate::text::Text;
use crate::uri::Uri;

/// Room for the headers of most messages, so that the index grows at most once.
const USUAL_HEADERS: usize = 20;

pub(super) fn message(buffer: Bytes, framing: Framing) -> Result<Message, ParseError> {
    let buffer = skip_line_ends(buffer);
    if buffer.is_empty() {
        return Err(ParseError::bare(ParseErrorKind::Empty));
    }
    let (buffer, lines) = read_lines(buffer);
    let head_end = lines.end.unwrap_or(buffer.len());
    if head_end > MAX_HEADER_BYTES {
        return Err(ParseError::bare(ParseErrorKind::HeadersTooLarge));
    }
    let head = Buffer::new(buffer.slice(..head_end));
    let start = StartLine::parse(&head.first(lines.start_line_end));
    let incomplete = lines.end.is_none().then_some(ParseErrorKind::Incomplete);
    let error = lines.error.or(incomplete);
    let headers = Headers::new(head, lines.index);
    let start = match start {
        Ok(start) => start,
        Err((kind, method)) => return Err(ParseError::with(kind, method, headers)),
    };
    if let Some(kind) = error {
        return Err(ParseError::with(kind, start.into_method(), headers));
    }
    let body = match body(&buffer, head_end, &headers, framing) {
        Ok(body) => body,
        Err(kind) => return Err(ParseError::with(kind, start.into_method(), headers)),
    };
    Ok(start.into_message(headers, body))
}

/// The method, if it is a request, and the headers of a header section whose body is still to come.
pub(super) fn head(buffer: Bytes) -> (Option<Method>, Headers) {
    let (buffer, lines) = read_lines(buffer);
    let head = Buffer::new(buffer);
    let method = match StartLine::parse(&head.first(lines.start_line_end)) {
        Ok(start) => start.into_method(),
        Err((_, method)) => method,
    };
    (method, Headers::new(head, lines.index))
}

fn skip_line_ends(buffer: Bytes) -> Bytes {
    let skipped = buffer
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    buffer.slice(skipped..)
}

/// Reads the lines of the header section, folded ones as one. The buffer is copied only when there
/// is a fold.
fn read_lines(buffer: Bytes) -> (Bytes, Lines) {
    let lines = Lines::read(&buffer);
    if !lines.folded {
        return (buffer, lines);
    }
    let head_end = lines.end.unwrap_or(buffer.len());
    let buffer = unfold(&buffer, head_end);
    let lines = Lines::read(&buffer);
    (buffer, lines)
}

/// A copy with the line ends of folded lines (RFC 3261 section 7.3.1), and any CR that ends no
/// line, replaced by spaces.
fn unfold(buffer: &Bytes, head_end: usize) -> Bytes {
    let head = buffer.get(..head_end).unwrap_or_default();
    let stray = |at: usize, byte: u8| match byte {
        b'\r' => match head.get(at + 1) {
            Some(b'\n') => matches!(head.get(at + 2), Some(b' ' | b'\t')),
            _ => true,
        },
        b'\n' => matches!(head.get(at + 1), Some(b' ' | b'\t')),
        _ => false,
    };
    let mut copy = BytesMut::from(buffer.as_ref());
    for (to, (at, byte)) in copy.iter_mut().zip(head.iter().enumerate()) {
        if stray(at, *byte) {
            *to = b' ';
        }
    }
    copy.freeze()
}

/// The lines of the header section.
struct Lines {
    start_line_end: usize,
    index: Vec<Entry>,
    error: Option<ParseErrorKind>,
    /// Just after the blank line that ends the section, if there is one.
    end: Option<usize>,
    /// Whether a line is folded, or holds a CR that does not end it.
    folded: bool,
}

impl Lines {
    fn read(buffer: &[u8]) -> Self {
        let mut lines = Self {
            start_line_end: 0,
            index: Vec::with_capacity(USUAL_HEADERS),
            error: None,
            end: None,
            folded: false,
        };
        let mut start = 0;
        while start < buffer.len() && start <= MAX_HEADER_BYTES {
            let rest = buffer.get(start..).unwrap_or_default();
            let (length, returns) = measure(rest);
            let line = rest.get(..length).unwrap_or_default();
            let (line, ended) = match line.strip_suffix(b"\r") {
                Some(line) => (line, 1),
                None => (line, 0),
            };
            lines.folded |= returns > ended || matches!(line, [b' ' | b'\t', ..]);
            if start == 0 {
                lines.start_line_end = line.len();
            } else if line.is_empty() && length < rest.len() {
                lines.end = Some(start + length + 1);
                break;
            } else if !line.is_empty() {
                lines.push(line, start);
            }
            start += length + 1;
        }
        lines
    }

    fn push(&mut self, line: &[u8], start: usize) {
        if self.index.len() >= MAX_HEADERS {
            self.error.get_or_insert(ParseErrorKind::TooManyHeaders);
            return;
        }
        match entry(line, start) {
            Some(entry) => self.index.push(entry),
            None => {
                self.error.get_or_insert(ParseErrorKind::HeaderLine);
            }
        }
    }
}

/// The length of the first line without its LF, and how many CRs it holds.
fn measure(rest: &[u8]) -> (usize, usize) {
    let mut returns = 0;
    for (at, byte) in rest.iter().enumerate() {
        // Nearly all bytes are beyond both.
        if *byte > b'\r' {
            continue;
        }
        match byte {
            b'\n' => return (at, returns),
            b'\r' => returns += 1,
            _ => {}
        }
    }
    (rest.len(), returns)
}

/// One header line: a token, white space, a colon, the value.
fn entry(line: &[u8], start: usize) -> Option<Entry> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line.get(..colon)?.trim_ascii_end();
    if name.is_empty() || !name.iter().all(|byte| scan::is_token_byte(*byte)) {
        return None;
    }
    let raw = line.get(colon + 1..)?;
    let value = raw.trim_ascii_start();
    let value_start = start + colon + 1 + (raw.len() - value.len());
    let value = value.trim_ascii_end();
    Some(Entry {
        name: HeaderName::from_bytes(name),
        name_start: u32::try_from(start).ok()?,
        name_end: u32::try_from(start + name.len()).ok()?,
        value_start: u32::try_from(value_start).ok()?,
        value_end: u32::try_from(value_start + value.len()).ok()?,
    })
}

enum StartLine {
    Request { method: Method, uri: Uri },
    Response { status: StatusCode, reason: Text },
}

impl StartLine {
    /// The error carries the method of what was meant as a request.
    fn parse(text: &Text) -> Result<Self, (ParseErrorKind, Option<Method>)> {
        let line = text.as_str();
        let has_version = |part: &str| {
            part.get(..4)
                .is_some_and(|start| start.eq_ignore_ascii_case("SIP/"))
        };
        if has_version(line) {
            return Self::status_line(text).map_err(|kind| (kind, None));
        }
        let (method, rest) =
            scan::split_at_byte(line, b' ').ok_or((ParseErrorKind::StartLine, None))?;
        let method =
            Method::parse(&text.share(method)).map_err(|_| (ParseErrorKind::StartLine, None))?;
        let Some((uri, version)) = rest.rsplit_once(' ') else {
            return Err((ParseErrorKind::StartLine, Some(method)));
        };
        if !has_version(version) {
            return Err((ParseErrorKind::StartLine, Some(method)));
        }
        if !version.eq_ignore_ascii_case("SIP/2.0") {
            return Err((ParseErrorKind::Version, Some(method)));
        }
        match Uri::parse(&text.share(uri)) {
            Ok(uri) => Ok(Self::Request { method, uri }),
            Err(_) => Err((ParseErrorKind::RequestUri, Some(method))),
        }
    }

    fn status_line(text: &Text) -> Result<Self, ParseErrorKind> {
        let (version, rest) = text
            .as_str()
            .split_once(' ')
            .ok_or(ParseErrorKind::StartLine)?;
        if !version.eq_ignore_ascii_case("SIP/2.0") {
            return Err(ParseErrorKind::Version);
        }
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = (code.len() == 3)
            .then(|| scan::decimal(code))
            .flatten()
            .and_then(|code| u16::try_from(code).ok())
            .and_then(StatusCode::new)
            .ok_or(ParseErrorKind::StatusCode)?;
        let reason = text.share(scan::trim(reason));
        Ok(Self::Response { status, reason })
    }

    fn into_method(self) -> Option<Method> {
        match self {
            Self::Request { method, .. } => Some(method),
            Self::Response { .. } => None,
        }
    }

    fn into_message(self, headers: Headers, body: Bytes) -> Message {
        match self {
            Self::Request { method, uri } => Message::Request(Request {
                method,
                uri,
                headers,
                body,
                source: None,
            }),
            Self::Response { status, reason } => Message::Response(Response {
                status,
                reason,
                headers,
                body,
            }),
        }
    }
}

fn body(
    buffer: &Bytes,
    head_end: usize,
    headers: &Headers,
    framing: Framing,
) -> Result<Bytes, ParseErrorKind> {
    let rest = buffer.len() - head_end;
    let length = match (content_length(headers)?, framing) {
        (Some(length), _) => length,
        (None, Framing::Datagram) => rest,
        (None, Framing::Stream) => return Err(ParseErrorKind::MissingContentLength),
    };
    if length > MAX_BODY_BYTES {
        return Err(ParseErrorKind::BodyTooLarge);
    }
    if length > rest {
        return Err(ParseErrorKind::BodyTooShort);
    }
    Ok(buffer.slice(head_end..head_end + length))
}

/// The value of Content-Length; repeated lines must agree.
pub(super) fn content_length(headers: &Headers) -> Result<Option<usize>, ParseErrorKind> {
    let mut found = None;
    for value in headers.lines(HeaderName::ContentLength) {
        let text = value.to_str().unwrap_or_default();
        if !scan::all_digits(text) {
            return Err(ParseErrorKind::ContentLength);
        }
        // A number beyond u64 is beyond every limit too.
        let length = scan::decimal(text)
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or(usize::MAX);
        if found.is_some_and(|before| before != length) {
            return Err(ParseErrorKind::ContentLength);
        }
        found = Some(length);
    }
    Ok(found)
}
