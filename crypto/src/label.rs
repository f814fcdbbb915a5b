//! Domain separation: every use of a key or a hash says what it is for.
//!
//! The registry is `labels.json`; `registry.rs` is generated from it by
//! `tests/labels.rs`, which also refuses label text anywhere else.

mod registry;

use crate::encoding::push_vector;

pub use registry::Label;

impl Label {
    /// Binds `context` to this purpose: `struct { opaque label<V>; opaque
    /// context<V>; }`, the shape of RFC 9420 section 5.1.2. Because both parts
    /// carry their length, no two pairs encode alike.
    ///
    /// # Panics
    /// When `context` is longer than 16383 bytes; contexts have fixed limits
    /// far below.
    pub fn bind(self, context: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.value().len() + context.len() + 4);
        push_vector(&mut out, self.value().as_bytes());
        push_vector(&mut out, context);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_moved_between_label_and_context_changes_the_encoding() {
        let label = Label::VoicemailBody;
        let bound = label.bind(b"abc");
        assert_eq!(usize::from(bound[0]), label.value().len());
        assert_eq!(&bound[1..=label.value().len()], label.value().as_bytes());
        assert_eq!(&bound[1 + label.value().len()..], b"\x03abc");
    }
}
