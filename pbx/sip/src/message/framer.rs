//! Messages and keep-alives out of a byte stream.

use bytes::{Buf, Bytes, BytesMut};

use super::{Framing, MAX_BODY_BYTES, MAX_HEADER_BYTES, Message, parse};
use crate::error::{ParseError, ParseErrorKind};

/// What a stream delivers.
#[expect(
    clippy::large_enum_variant,
    reason = "moved once; a box would be an allocation for each message"
)]
#[derive(Debug)]
pub enum StreamItem {
    /// A whole message.
    Message(Message),
    /// A whole message that was framed but is malformed; the stream goes on after it.
    Malformed(ParseError),
    /// A double CRLF between messages: the peer wants a single CRLF back (RFC 5626 section 4.4.1).
    Ping,
    /// A single CRLF between messages: the answer to our ping.
    Pong,
}

/// Why a stream cannot go on: where the next message starts is unknown. Close the connection,
/// after answering the error within if it can be answered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FramerError {
    /// The header section exceeds [`MAX_HEADER_BYTES`] without an end.
    #[error("header section too large")]
    HeadersTooLarge,
    /// Content-Length is missing, malformed or exceeds [`MAX_BODY_BYTES`].
    #[error("unusable Content-Length: {0}")]
    Length(ParseError),
}

/// Cuts a byte stream into messages (RFC 3261 section 18.3) and keep-alives (RFC 5626).
///
/// A message is held until it is whole, so at most [`MAX_HEADER_BYTES`] plus [`MAX_BODY_BYTES`]
/// plus one read are kept.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: BytesMut,
    /// Bytes already searched for the end of the header section.
    searched: usize,
    /// Length of the message at the front, once its header section is whole.
    total: Option<usize>,
    /// Whether the last item was a single CRLF, perhaps the first half of a ping.
    half_ping: bool,
    failed: Option<FramerError>,
}

impl StreamFramer {
    /// A framer at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they arrived. Call [`poll`](Self::poll) until it yields nothing after each.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Bytes held for a message that is not whole yet.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The next message or keep-alive, `None` until more bytes arrive.
    ///
    /// # Errors
    /// When the stream cannot go on; the same error from then on.
    pub fn poll(&mut self) -> Result<Option<StreamItem>, FramerError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.skip_stray_returns();
        let result = match self.buffer.first() {
            None => Ok(None),
            Some(b'\r' | b'\n') => Ok(self.keep_alive()),
            Some(_) => self.message(),
        };
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.buffer = BytesMut::new();
        }
        result
    }

    fn message(&mut self) -> Result<Option<StreamItem>, FramerError> {
        self.half_ping = false;
        let total = match self.total {
            Some(total) => total,
            None => match self.find_total()? {
                Some(total) => total,
                None => return Ok(None),
            },
        };
        if self.buffer.len() < total {
            self.total = Some(total);
            return Ok(None);
        }
        self.total = None;
        self.searched = 0;
        let bytes = self.buffer.split_to(total).freeze();
        Ok(Some(match Message::parse(bytes, Framing::Stream) {
            Ok(message) => StreamItem::Message(message),
            Err(error) => StreamItem::Malformed(error),
        }))
    }

    /// A CR between messages that no LF follows says nothing.
    fn skip_stray_returns(&mut self) {
        while matches!(self.buffer.as_ref(), [b'\r', next, ..] if *next != b'\n') {
            self.buffer.advance(1);
        }
    }

    /// Reads a line end between messages. Two at once are a ping. One alone is taken for a pong at
    /// once, since waiting for a second would hide it; should the second come, that makes a ping.
    fn keep_alive(&mut self) -> Option<StreamItem> {
        // Without one, this is a CR whose LF is still to come.
        let first = line_end(&self.buffer)?;
        self.buffer.advance(first);
        if self.half_ping {
            self.half_ping = false;
            return Some(StreamItem::Ping);
        }
        if let Some(second) = line_end(&self.buffer) {
            self.buffer.advance(second);
            return Some(StreamItem::Ping);
        }
        self.half_ping = true;
        Some(StreamItem::Pong)
    }

    /// The length of the message at the front, once its header section is whole.
    fn find_total(&mut self) -> Result<Option<usize>, FramerError> {
        let end = header_section_end(&self.buffer, self.searched);
        // The blank line may straddle two reads.
        self.searched = self.buffer.len().saturating_sub(3);
        if end.unwrap_or(self.buffer.len()) > MAX_HEADER_BYTES {
            return Err(FramerError::HeadersTooLarge);
        }
        let Some(head_end) = end else {
            return Ok(None);
        };
        let head = self.buffer.get(..head_end).unwrap_or_default();
        let (method, headers) = parse::head(Bytes::copy_from_slice(head));
        let kind = match parse::content_length(&headers) {
            Ok(Some(length)) if length <= MAX_BODY_BYTES => return Ok(Some(head_end + length)),
            Ok(Some(_)) => ParseErrorKind::BodyTooLarge,
            Ok(None) => ParseErrorKind::MissingContentLength,
            Err(kind) => kind,
        };
        Err(FramerError::Length(ParseError::with(kind, method, headers)))
    }
}

/// The length of the line end at the start of `bytes`.
fn line_end(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n', ..] => Some(1),
        _ => None,
    }
}

/// The offset just after the blank line that ends the header section, searching from `from`.
pub(super) fn header_section_end(buffer: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = buffer.get(at..)?;
        at += rest.iter().position(|byte| *byte == b'\n')? + 1;
        if let Some(length) = line_end(buffer.get(at..)?) {
            return Some(at + length);
        }
    }
}
