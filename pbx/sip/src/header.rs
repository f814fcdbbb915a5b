//! Header names, and the header section of a message.

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::error::ValueError;
use crate::headers::{CSeq, CallId};
use crate::name_addr::NameAddr;
use crate::scan;
use crate::text::{Encode, Text};
use crate::via::Via;

mod name;
mod typed;

pub use name::HeaderName;

/// Most header lines in one message.
pub const MAX_HEADERS: usize = 256;

/// A value that stands in a header.
pub trait ParseValue: Sized {
    /// Reads one value: for list headers one element, for others the whole line.
    ///
    /// # Errors
    /// When the text is outside the grammar of the type.
    fn parse(text: &Text) -> Result<Self, ValueError>;
}

impl ParseValue for Text {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        Ok(text.clone())
    }
}

/// The header section: an index over the buffer of the message, in the order of arrival.
///
/// Values hold no CR and no LF: folds (RFC 3261 section 7.3.1) became spaces when the message was
/// framed, so a value may be copied into another message as it is.
#[derive(Clone, Default)]
pub struct Headers {
    buffer: Buffer,
    index: Vec<Entry>,
    mandatory: OnceLock<Box<Mandatory>>,
}

/// Start line and header section.
#[derive(Clone)]
pub(crate) enum Buffer {
    /// UTF-8 throughout.
    Text(Text),
    /// With at least one line in another encoding.
    Mixed(Bytes),
}

/// The values that every message must have, read when the first of them is asked for.
#[derive(Clone)]
struct Mandatory {
    top_via: Result<Via, ValueError>,
    from: Result<NameAddr, ValueError>,
    to: Result<NameAddr, ValueError>,
    call_id: Result<CallId, ValueError>,
    cseq: Result<CSeq, ValueError>,
}

#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) name: Option<HeaderName>,
    pub(crate) name_start: u32,
    pub(crate) name_end: u32,
    pub(crate) value_start: u32,
    pub(crate) value_end: u32,
}

impl Headers {
    pub(crate) fn new(buffer: Buffer, index: Vec<Entry>) -> Self {
        Self {
            buffer,
            index,
            mandatory: OnceLock::new(),
        }
    }

    /// Number of header lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The first line with this name, in long or compact form.
    #[must_use]
    pub fn get(&self, name: HeaderName) -> Option<HeaderValue<'_>> {
        self.lines(name).next()
    }

    /// The first line with a name that [`HeaderName`] does not list, in any case.
    #[must_use]
    pub fn get_other(&self, name: &str) -> Option<HeaderValue<'_>> {
        self.iter()
            .find(|line| line.name_bytes().eq_ignore_ascii_case(name.as_bytes()))
            .map(|line| line.value())
    }

    /// Whether there is a line with this name.
    #[must_use]
    pub fn contains(&self, name: HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// All lines with this name, in order, not split.
    pub fn lines(&self, name: HeaderName) -> impl Iterator<Item = HeaderValue<'_>> {
        self.index
            .iter()
            .filter(move |entry| entry.name == Some(name))
            .map(|entry| HeaderValue {
                buffer: &self.buffer,
                entry: *entry,
            })
    }

    /// All lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = HeaderLine<'_>> {
        self.index.iter().map(|entry| HeaderLine {
            buffer: &self.buffer,
            entry: *entry,
        })
    }

    /// All elements of all lines with this name, split at commas (outside quotes and angle
    /// brackets), in order. Empty elements are left out.
    pub fn all(&self, name: HeaderName) -> impl Iterator<Item = Text> {
        self.elements(name).filter(|element| !element.is_empty())
    }

    /// The first value with this name, parsed; `None` when the header is absent.
    ///
    /// # Errors
    /// When the value is outside the grammar of `T`.
    pub fn parse<T: ParseValue>(&self, name: HeaderName) -> Result<Option<T>, ValueError> {
        self.get(name)
            .map(|value| T::parse(&value.text()).map_err(|error| error.within(name)))
            .transpose()
    }

    /// The value of a header that must stand exactly once.
    ///
    /// # Errors
    /// When it is absent, repeated or outside the grammar of `T`.
    pub fn require<T: ParseValue>(&self, name: HeaderName) -> Result<T, ValueError> {
        let mut lines = self.lines(name);
        let value = lines.next().ok_or(ValueError::Missing(name))?;
        if lines.next().is_some() {
            return Err(ValueError::Repeated(name));
        }
        T::parse(&value.text()).map_err(|error| error.within(name))
    }

    /// All elements of a list header, parsed one by one. An empty element is an error.
    pub fn parse_all<T: ParseValue>(
        &self,
        name: HeaderName,
    ) -> impl Iterator<Item = Result<T, ValueError>> {
        self.elements(name)
            .map(move |element| T::parse(&element).map_err(|error| error.within(name)))
    }

    fn elements(&self, name: HeaderName) -> impl Iterator<Item = Text> {
        self.lines(name).flat_map(|line| {
            let text = line.text();
            // Most lines hold one element: only a comma makes the list worth a vector.
            if !text.as_bytes().contains(&b',') {
                return Elements::One(Some(text));
            }
            let parts: Vec<Text> = scan::split_list(text.as_str())
                .map(|part| text.share(part))
                .collect();
            Elements::Many(parts.into_iter())
        })
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Headers({} lines, {} bytes)",
            self.len(),
            self.buffer.as_bytes().len()
        )
    }
}

enum Elements {
    One(Option<Text>),
    Many(std::vec::IntoIter<Text>),
}

impl Iterator for Elements {
    type Item = Text;

    fn next(&mut self) -> Option<Text> {
        match self {
            Self::One(text) => text.take(),
            Self::Many(parts) => parts.next(),
        }
    }
}

/// One header line.
#[derive(Clone, Copy)]
pub struct HeaderLine<'a> {
    buffer: &'a Buffer,
    entry: Entry,
}

impl<'a> HeaderLine<'a> {
    /// The name, when it is one that the stack knows.
    #[must_use]
    pub fn name(&self) -> Option<HeaderName> {
        self.entry.name
    }

    /// The name as it was sent.
    #[must_use]
    pub fn name_bytes(&self) -> &'a [u8] {
        slice(self.buffer, self.entry.name_start, self.entry.name_end)
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> HeaderValue<'a> {
        HeaderValue {
            buffer: self.buffer,
            entry: self.entry,
        }
    }
}

impl fmt::Debug for HeaderLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?}", self.name(), self.value())
    }
}

/// The value of one header line, without the white space around it.
#[derive(Clone, Copy)]
pub struct HeaderValue<'a> {
    buffer: &'a Buffer,
    entry: Entry,
}

impl<'a> HeaderValue<'a> {
    /// The bytes as they were sent, folds replaced by spaces.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        slice(self.buffer, self.entry.value_start, self.entry.value_end)
    }

    /// The value as text that shares the buffer of the message.
    #[must_use]
    pub fn text(&self) -> Text {
        let (start, end) = (self.entry.value_start, self.entry.value_end);
        match self.buffer {
            Buffer::Text(text) => text.range(start as usize..end as usize),
            Buffer::Mixed(_) => Text::from_bytes(self.as_bytes()),
        }
    }

    /// The value, if it is UTF-8.
    #[must_use]
    pub fn to_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }
}

impl Encode for HeaderValue<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl fmt::Debug for HeaderValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…({} bytes)", self.as_bytes().len())
    }
}

/// The indexed slice; empty if the index were wrong, which it never is.
fn slice(buffer: &Buffer, start: u32, end: u32) -> &[u8] {
    let range = start as usize..end as usize;
    buffer.as_bytes().get(range).unwrap_or_default()
}

impl Buffer {
    pub(crate) fn new(bytes: Bytes) -> Self {
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::Text(Text::from(text)),
            Err(_) => Self::Mixed(bytes),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Mixed(bytes) => bytes,
        }
    }

    /// The first `length` bytes as text.
    pub(crate) fn first(&self, length: usize) -> Text {
        match self {
            Self::Text(text) => text.range(0..length),
            Self::Mixed(bytes) => Text::from_bytes(bytes.get(..length).unwrap_or_default()),
        }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::Text(Text::default())
    }
}
