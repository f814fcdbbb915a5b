//! Keys as text that people copy between files: Bech32m (BIP-350).
//!
//! `prefix 1 data checksum`, where the prefix names the kind of key, the data
//! is the 32-byte key in 52 Base32 characters and the checksum has six. Any
//! mistake in up to four characters is caught. Lower case is written; all upper
//! case is read too, because QR codes prefer it.
//!
//! Decoding is not constant-time; it happens once, on the machine that owns the
//! key file.

use zeroize::Zeroizing;

/// Bytes of every key that has a text form.
pub(crate) const KEY_BYTES: usize = 32;

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM_CHARS: usize = 6;
/// 256 bits in 5-bit groups; the last group carries four zero bits.
const DATA_CHARS: usize = 52;
/// The final constant of BIP-350.
const BECH32M: u32 = 0x2bc8_30a3;

/// What a key is for, as its text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `hlpub1…`: recordings are sealed to it. Not secret.
    ReaderPublic,
    /// `hlsec1…`: opens recordings. Secret.
    ReaderSecret,
    /// `hlcid1…`: tags caller numbers. Secret.
    CallerId,
    /// `hlinv1…`: what the link of an invitation carries past the server. Secret.
    InviteSecret,
}

impl KeyKind {
    const ALL: [Self; 4] = [
        Self::ReaderPublic,
        Self::ReaderSecret,
        Self::CallerId,
        Self::InviteSecret,
    ];

    /// The text before the separator `1`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::ReaderPublic => "hlpub",
            Self::ReaderSecret => "hlsec",
            Self::CallerId => "hlcid",
            Self::InviteSecret => "hlinv",
        }
    }
}

impl std::fmt::Display for KeyKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ReaderPublic => "public reader key (hlpub1…)",
            Self::ReaderSecret => "secret reader key (hlsec1…)",
            Self::CallerId => "caller-id key (hlcid1…)",
            Self::InviteSecret => "secret of an invitation (hlinv1…)",
        })
    }
}

/// Why a text is not the key that was asked for. Never repeats the text, which
/// may be a secret in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyTextError {
    /// A key, but of another kind.
    #[error("this is a {found}, a {expected} is needed here")]
    WrongKind {
        /// The kind asked for.
        expected: KeyKind,
        /// The kind that the text names.
        found: KeyKind,
    },
    /// The text starts like no key.
    #[error("this is not a {expected}")]
    UnknownPrefix {
        /// The kind asked for.
        expected: KeyKind,
    },
    /// Upper and lower case are mixed.
    #[error("upper and lower case are mixed in the key")]
    MixedCase,
    /// A character that keys never have.
    #[error("character {position} of the key is not one that keys have")]
    Character {
        /// Place in the text, from 1.
        position: usize,
    },
    /// Characters are missing or surplus.
    #[error("the key has {found} characters, {expected} are needed")]
    Length {
        /// Characters that this kind has.
        expected: usize,
        /// Characters found.
        found: usize,
    },
    /// A character is wrong somewhere.
    #[error("the key's checksum does not match: a character was mistyped")]
    Checksum,
    /// A public key with which every message would be readable by anyone
    /// (a point of small order, RFC 7748 section 6.1).
    #[error("this public key is unsafe and must not be used")]
    UnsafeKey,
}

/// Writes a key as text.
pub(crate) fn encode(kind: KeyKind, key: &[u8; KEY_BYTES]) -> Zeroizing<String> {
    let prefix = kind.prefix();
    let data = to_groups(key);
    let mut text = Zeroizing::new(String::with_capacity(text_chars(kind)));
    text.push_str(prefix);
    text.push('1');
    for group in data.iter().chain(&checksum(prefix.as_bytes(), &data)) {
        text.push(char::from(ALPHABET[usize::from(group & 31)]));
    }
    text
}

/// Reads a key of the given kind; white space around it is ignored.
pub(crate) fn decode(
    kind: KeyKind,
    text: &str,
) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyTextError> {
    let text = text.trim_ascii();
    let lower = text.bytes().any(|byte| byte.is_ascii_lowercase());
    let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
    expect_kind(kind, text)?;
    if lower && upper {
        return Err(KeyTextError::MixedCase);
    }
    let prefix = kind.prefix().as_bytes();
    let mut groups = Zeroizing::new(Vec::with_capacity(DATA_CHARS + CHECKSUM_CHARS));
    for (place, symbol) in text.chars().enumerate().skip(prefix.len() + 1) {
        let found = u8::try_from(symbol.to_ascii_lowercase())
            .ok()
            .and_then(|symbol| ALPHABET.iter().position(|known| *known == symbol));
        // A place in the 32-character alphabet fits a byte.
        let group = found.ok_or(KeyTextError::Character {
            position: place + 1,
        })? as u8;
        groups.push(group);
    }
    if groups.len() != DATA_CHARS + CHECKSUM_CHARS {
        return Err(KeyTextError::Length {
            expected: text_chars(kind),
            found: groups.len() + prefix.len() + 1,
        });
    }
    if !checksum_holds(prefix, &groups) {
        return Err(KeyTextError::Checksum);
    }
    from_groups(&groups[..DATA_CHARS]).ok_or(KeyTextError::Checksum)
}

/// Characters of a key's text.
fn text_chars(kind: KeyKind) -> usize {
    kind.prefix().len() + 1 + DATA_CHARS + CHECKSUM_CHARS
}

fn expect_kind(expected: KeyKind, text: &str) -> Result<(), KeyTextError> {
    let head = text.split_once('1').map(|(head, _)| head).unwrap_or(text);
    let found = KeyKind::ALL
        .into_iter()
        .find(|kind| kind.prefix().eq_ignore_ascii_case(head));
    match found {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(KeyTextError::WrongKind { expected, found }),
        None => Err(KeyTextError::UnknownPrefix { expected }),
    }
}

fn to_groups(key: &[u8; KEY_BYTES]) -> Zeroizing<Vec<u8>> {
    let mut groups = Zeroizing::new(Vec::with_capacity(DATA_CHARS));
    let (mut pending, mut bits) = (0u32, 0u32);
    for byte in key {
        pending = (pending << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            groups.push((pending >> bits & 31) as u8);
        }
    }
    groups.push((pending << (5 - bits) & 31) as u8);
    groups
}

/// `None` when the four surplus bits are not zero.
fn from_groups(groups: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let mut places = key.iter_mut();
    let (mut pending, mut bits) = (0u32, 0u32);
    for group in groups {
        pending = (pending << 5 | u32::from(*group)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *places.next()? = (pending >> bits) as u8;
        }
    }
    let surplus = pending & ((1 << bits) - 1);
    (places.next().is_none() && surplus == 0).then_some(key)
}

fn checksum(prefix: &[u8], data: &[u8]) -> [u8; CHECKSUM_CHARS] {
    let state = run(run_prefix(prefix), data);
    let state = run(state, &[0; CHECKSUM_CHARS]) ^ BECH32M;
    std::array::from_fn(|place| (state >> (5 * (CHECKSUM_CHARS - 1 - place)) & 31) as u8)
}

fn checksum_holds(prefix: &[u8], data_and_checksum: &[u8]) -> bool {
    run(run_prefix(prefix), data_and_checksum) == BECH32M
}

/// Feeds the prefix as BIP-173 spreads it: high bits, a zero, low bits.
fn run_prefix(prefix: &[u8]) -> u32 {
    let high: Vec<u8> = prefix.iter().map(|symbol| symbol >> 5).collect();
    let low: Vec<u8> = prefix.iter().map(|symbol| symbol & 31).collect();
    run(run(run(1, &high), &[0]), &low)
}

/// The BCH code of BIP-173 over 5-bit groups.
fn run(mut state: u32, groups: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    for group in groups {
        let top = state >> 25;
        state = (state & 0x01ff_ffff) << 5 ^ u32::from(*group);
        for (bit, generator) in GENERATOR.into_iter().enumerate() {
            if top >> bit & 1 == 1 {
                state ^= generator;
            }
        }
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn groups_of(data: &str) -> Vec<u8> {
        let place = |symbol| ALPHABET.iter().position(|known| *known == symbol);
        data.bytes()
            .map(|symbol| place(symbol).unwrap() as u8)
            .collect()
    }

    #[test]
    fn the_checksums_of_bip_350_hold() {
        for text in [
            "a1lqfn3a",
            "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
            "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
            "?1v759aa",
        ] {
            let (prefix, data) = text.rsplit_once('1').unwrap();
            assert!(
                checksum_holds(prefix.as_bytes(), &groups_of(data)),
                "{text}"
            );
        }
        // The same data under the older constant of BIP-173.
        assert!(!checksum_holds(b"a", &groups_of("2uel5l")));
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        let kind = KeyKind::ReaderPublic;
        let text = encode(kind, &[7; KEY_BYTES]);
        let secret = encode(KeyKind::ReaderSecret, &[7; KEY_BYTES]);
        assert_eq!(
            decode(kind, &secret).unwrap_err(),
            KeyTextError::WrongKind {
                expected: kind,
                found: KeyKind::ReaderSecret
            }
        );
        for stranger in ["", "hello", "age1qqqq", "1", "hlpub", "ключ"] {
            let refused = decode(kind, stranger).unwrap_err();
            match stranger {
                "hlpub" => assert_eq!(
                    refused,
                    KeyTextError::Length {
                        expected: 64,
                        found: 6
                    }
                ),
                _ => assert_eq!(refused, KeyTextError::UnknownPrefix { expected: kind }),
            }
        }
        assert_eq!(
            decode(kind, &text[..63]).unwrap_err(),
            KeyTextError::Length {
                expected: 64,
                found: 63
            }
        );
        assert_eq!(
            decode(kind, &text.replacen("hlpub1", "hlpub1b", 1)).unwrap_err(),
            KeyTextError::Character { position: 7 }
        );
        assert_eq!(
            decode(kind, &text.replacen("hlpub", "HLPUB", 1)).unwrap_err(),
            KeyTextError::MixedCase
        );
        let mistyped = text.replacen("hlpub1q", "hlpub1p", 1);
        assert_ne!(mistyped, *text);
        assert_eq!(decode(kind, &mistyped).unwrap_err(), KeyTextError::Checksum);
    }

    #[test]
    fn a_key_file_may_end_in_a_line_break_and_a_qr_code_may_shout() {
        let text = encode(KeyKind::ReaderSecret, &[9; KEY_BYTES]);
        let file = format!(" {}\r\n", text.to_uppercase());
        assert_eq!(
            *decode(KeyKind::ReaderSecret, &file).unwrap(),
            [9; KEY_BYTES]
        );
    }

    #[test]
    fn surplus_bits_must_be_zero() {
        let mut groups = to_groups(&[0; KEY_BYTES]);
        assert!(from_groups(&groups).is_some());
        groups[DATA_CHARS - 1] = 1;
        assert!(from_groups(&groups).is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(key: [u8; KEY_BYTES]) {
            let text = encode(KeyKind::CallerId, &key);
            prop_assert_eq!(text.len(), text_chars(KeyKind::CallerId));
            prop_assert_eq!(*decode(KeyKind::CallerId, &text).unwrap(), key);
        }

        #[test]
        fn one_wrong_character_is_always_caught(
            key: [u8; KEY_BYTES], place in 6usize..64, other in 0usize..32,
        ) {
            let text = encode(KeyKind::ReaderPublic, &key);
            let mut altered = text.as_bytes().to_vec();
            prop_assume!(altered[place] != ALPHABET[other]);
            altered[place] = ALPHABET[other];
            let altered = String::from_utf8(altered).unwrap();
            prop_assert_eq!(
                decode(KeyKind::ReaderPublic, &altered).unwrap_err(),
                KeyTextError::Checksum
            );
        }

        #[test]
        fn no_text_makes_decoding_panic(text: String, tail in "hlpub1.{0,70}") {
            let _ = decode(KeyKind::ReaderPublic, &text);
            prop_assert!(decode(KeyKind::ReaderPublic, &tail).is_err());
        }
    }
}
