//! Scanning shared by all grammars: character classes, quoted strings, lists.

/// A set of bytes as a table: one look tells whether a byte is in it.
pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    /// The letters and digits of ASCII with `others`, and all bytes from `first_high` on.
    pub(crate) const fn alphanumeric_and(others: &[u8], first_high: usize) -> Self {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = (byte as u8).is_ascii_alphanumeric() || byte >= first_high;
            byte += 1;
        }
        let mut at = 0;
        while at < others.len() {
            table[others[at] as usize] = true;
            at += 1;
        }
        Self(table)
    }

    #[inline]
    pub(crate) const fn contains(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }

    /// Whether all bytes of `text` are in the set.
    #[inline]
    pub(crate) fn contains_all(&self, text: &str) -> bool {
        text.bytes().all(|byte| self.contains(byte))
    }
}

/// No byte beyond ASCII, for [`ByteSet::alphanumeric_and`].
pub(crate) const ASCII_ONLY: usize = 256;
/// All bytes beyond ASCII, for [`ByteSet::alphanumeric_and`].
pub(crate) const AND_NON_ASCII: usize = 128;

static TOKEN: ByteSet = ByteSet::alphanumeric_and(b"-.!%*_+`'~", ASCII_ONLY);

/// Whether `byte` may stand in a token (RFC 3261 section 25.1).
#[inline]
pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN.contains(byte)
}

/// Whether `text` is a token and not empty.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && TOKEN.contains_all(text)
}

/// Whether `byte` is linear white space; folds have been replaced by spaces at framing.
#[inline]
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// `text` without white space around it.
#[inline]
pub(crate) fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let Some(start) = bytes.iter().position(|byte| !is_space(*byte)) else {
        return "";
    };
    let last = bytes.iter().rposition(|byte| !is_space(*byte));
    let end = last.map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

/// The offset of the first `byte`, which must be ASCII. Values are short: a plain loop beats the
/// searchers of the standard library.
#[inline]
pub(crate) fn find(text: &str, byte: u8) -> Option<usize> {
    text.bytes().position(|other| other == byte)
}

/// What stands before and after the first space or tab.
pub(crate) fn split_at_space(text: &str) -> Option<(&str, &str)> {
    let at = text.bytes().position(is_space)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// What stands before and after the first `byte`, which must be ASCII.
#[inline]
pub(crate) fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = find(text, byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// The offset just after the quoted-string that starts at `start`, if it ends.
pub(crate) fn quoted_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// What stands between the quotes of `raw`, if it is one whole quoted-string.
pub(crate) fn quoted_inner(raw: &str) -> Option<&str> {
    let bytes = raw.as_bytes();
    if bytes.first() != Some(&b'"') || quoted_end(bytes, 0) != Some(bytes.len()) {
        return None;
    }
    raw.get(1..raw.len() - 1)
}

/// The offset of the first `wanted` outside quoted strings and angle brackets.
pub(crate) fn find_outside(text: &str, wanted: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut in_angle = false;
    while let Some(&byte) = bytes.get(at) {
        if !in_angle && byte == wanted {
            return Some(at);
        }
        match byte {
            b'"' if !in_angle => {
                at = quoted_end(bytes, at)?;
                continue;
            }
            b'<' => in_angle = true,
            b'>' => in_angle = false,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The trimmed elements of a comma-separated list, minding quotes and angle brackets.
/// Empty elements are yielded, so that a strict reader can refuse them.
pub(crate) fn split_list(text: &str) -> Split<'_> {
    Split {
        rest: Some(text),
        separator: b',',
    }
}

/// The trimmed parts between semicolons, minding quotes and angle brackets.
pub(crate) fn split_params(text: &str) -> Split<'_> {
    Split {
        rest: Some(text),
        separator: b';',
    }
}

pub(crate) struct Split<'a> {
    rest: Option<&'a str>,
    separator: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        match find_outside(rest, self.separator) {
            Some(at) => {
                self.rest = rest.get(at + 1..);
                rest.get(..at).map(trim)
            }
            None => {
                self.rest = None;
                Some(trim(rest))
            }
        }
    }
}

/// An unsigned decimal that fits `u64`; digits alone, at least one.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Whether `text` is digits alone, however long.
pub(crate) fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_mind_quotes_escapes_and_brackets() {
        let list = r#""a, \"b" <sip:x@y;z=1,2> ;p="q,r" , <sip:c>,d"#;
        let parts: Vec<_> = split_list(list).collect();
        assert_eq!(
            parts,
            [r#""a, \"b" <sip:x@y;z=1,2> ;p="q,r""#, "<sip:c>", "d"]
        );
    }

    #[test]
    fn an_open_quote_swallows_the_rest() {
        assert_eq!(split_list("a,\"b,c").collect::<Vec<_>>(), ["a", "\"b,c"]);
        assert_eq!(quoted_end(b"\"abc\\", 0), None);
    }

    #[test]
    fn numbers_are_digits_alone() {
        assert_eq!(decimal("0068"), Some(68));
        assert_eq!(decimal("-1"), None);
        assert_eq!(decimal("+1"), None);
        assert_eq!(decimal("36893488147419103232"), None);
    }
}
