//! Codes that people write down and type: Base32 with check characters.
//!
//! The alphabet is Crockford's (digits and letters without I, L, O and U), in
//! groups of four. The last two characters are the remainder of a Reed-Solomon
//! code over GF(32) with the roots 1 and α, which finds every mistake in one or
//! two characters, wherever they are, and so every swap of two.

use zeroize::Zeroizing;

use super::error::CodeTextError;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHECK_CHARS: usize = 2;
const GROUP_CHARS: usize = 4;
/// The code finds two mistakes in at most as many characters as GF(32) has
/// elements other than zero.
const MAX_CHARS: usize = 31;
/// x⁵ + x² + 1, of which α = 2 is a primitive root.
const FIELD: u8 = 0b10_0101;

/// Data characters for so many bits.
const fn data_chars(bits: usize) -> usize {
    bits.div_ceil(5)
}

/// Characters of a code without its dashes.
const fn code_chars(bits: usize) -> usize {
    data_chars(bits) + CHECK_CHARS
}

/// The first `bits` bits of `data`, in groups of four with a dash between.
pub(crate) fn encode(data: &[u8], bits: usize) -> Zeroizing<String> {
    debug_assert!(code_chars(bits) <= MAX_CHARS && bits <= data.len() * 8);
    let mut values = Zeroizing::new(Vec::with_capacity(MAX_CHARS));
    values.extend((0..data_chars(bits)).map(|place| quintet(data, place)));
    let check = remainder(values.iter().copied().chain([0, 0]));
    values.extend(check);
    let mut text = Zeroizing::new(String::with_capacity(2 * MAX_CHARS));
    for (place, value) in values.iter().enumerate() {
        if place > 0 && place.is_multiple_of(GROUP_CHARS) {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(*value)]));
    }
    text
}

/// Reads `bits` bits from what somebody typed, into `N` bytes of which the rest
/// is zero. Case, spaces and dashes do not count; O is 0, I and L are 1.
pub(crate) fn decode<const N: usize>(
    text: &str,
    bits: usize,
) -> Result<Zeroizing<[u8; N]>, CodeTextError> {
    debug_assert!(bits <= N * 8);
    let mut values = Zeroizing::new(Vec::with_capacity(MAX_CHARS));
    let mut given = 0;
    for character in text.chars().filter(|character| !is_filler(*character)) {
        given += 1;
        let value = value(character).ok_or(CodeTextError::Character { position: given })?;
        // A surplus is counted, and not kept.
        if given <= MAX_CHARS {
            values.push(value);
        }
    }
    let expected = code_chars(bits);
    if given != expected {
        return Err(CodeTextError::Length { expected, given });
    }
    if remainder(values.iter().copied()) != [0, 0] {
        return Err(CodeTextError::Mistyped);
    }
    let mut data = Zeroizing::new([0; N]);
    for (place, value) in values[..data_chars(bits)].iter().enumerate() {
        for bit in (0..5).filter(|bit| value & (0b1_0000 >> bit) != 0) {
            let at = place * 5 + bit;
            if at >= bits {
                return Err(CodeTextError::Mistyped);
            }
            data[at / 8] |= 0x80 >> (at % 8);
        }
    }
    Ok(data)
}

/// Any bytes in the same alphabet, without groups or check: for QR codes, which
/// have a check of their own.
pub(crate) fn encode_bytes(data: &[u8]) -> String {
    let values = (0..data_chars(data.len() * 8)).map(|place| quintet(data, place));
    values
        .map(|value| char::from(ALPHABET[usize::from(value)]))
        .collect()
}

/// Reads exactly `N` bytes that [`encode_bytes`] wrote.
pub(crate) fn decode_bytes<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    if text.len() != data_chars(N * 8) {
        return None;
    }
    let mut data = Zeroizing::new([0; N]);
    for (place, character) in text.chars().enumerate() {
        let value = value(character)?;
        for bit in (0..5).filter(|bit| value & (0b1_0000 >> bit) != 0) {
            let at = place * 5 + bit;
            *data.get_mut(at / 8)? |= 0x80 >> (at % 8);
        }
    }
    Some(data)
}

/// Five bits of `data`; bits after its end are zero.
fn quintet(data: &[u8], place: usize) -> u8 {
    let bits = (place * 5..place * 5 + 5).map(|at| {
        let byte = data.get(at / 8).copied().unwrap_or(0);
        byte >> (7 - at % 8) & 1
    });
    bits.fold(0, |value, bit| value << 1 | bit)
}

fn is_filler(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '-' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn value(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let found = ALPHABET
        .iter()
        .position(|known| char::from(*known) == character)?;
    u8::try_from(found).ok()
}

/// The remainder by (x + 1)(x + α) = x² + (1 + α)x + α, highest power first.
fn remainder(values: impl IntoIterator<Item = u8>) -> [u8; 2] {
    values.into_iter().fold([0, 0], |[high, low], value| {
        let doubled = double(high);
        [low ^ high ^ doubled, value ^ doubled]
    })
}

/// Multiplies by α.
fn double(value: u8) -> u8 {
    let shifted = value << 1;
    if shifted & 0b10_0000 == 0 {
        shifted
    } else {
        shifted ^ FIELD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: [u8; 16] = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";

    fn plain(bits: usize) -> Vec<char> {
        let text = encode(&DATA, bits);
        text.chars().filter(|character| *character != '-').collect()
    }

    fn read(characters: &[char], bits: usize) -> Result<Zeroizing<[u8; 16]>, CodeTextError> {
        decode(&characters.iter().collect::<String>(), bits)
    }

    #[test]
    fn every_wrong_character_is_found() {
        let code = plain(128);
        assert_eq!(code.len(), 28);
        assert_eq!(*read(&code, 128).unwrap(), DATA);
        for place in 0..code.len() {
            for other in ALPHABET.iter().map(|byte| char::from(*byte)) {
                let mut altered = code.clone();
                altered[place] = other;
                let read = read(&altered, 128);
                assert_eq!(read.is_ok(), other == code[place], "{place} {other}");
            }
        }
    }

    #[test]
    fn every_swap_is_found_also_of_characters_that_are_not_neighbours() {
        let code = plain(128);
        for one in 0..code.len() {
            for other in 0..one {
                let mut altered = code.clone();
                altered.swap(one, other);
                assert_eq!(read(&altered, 128).is_ok(), code[one] == code[other]);
            }
        }
    }

    #[test]
    fn two_wrong_characters_are_found() {
        let code = plain(128);
        for (one, other) in [(0, 1), (0, 27), (3, 17), (25, 26), (26, 27)] {
            for pair in 0..1024_usize {
                let mut altered = code.clone();
                altered[one] = char::from(ALPHABET[pair / 32]);
                altered[other] = char::from(ALPHABET[pair % 32]);
                assert_eq!(read(&altered, 128).is_ok(), altered == code);
            }
        }
    }

    #[test]
    fn what_people_type_is_understood() {
        let text = encode(&[0; 16], 128);
        assert_eq!(*text, "0000-0000-0000-0000-0000-0000-0000");
        let typed = "oOo0 0000\t0000–0000\n0000_0000-0000";
        assert_eq!(*decode::<16>(typed, 128).unwrap(), [0; 16]);
        let text = encode(&[0x08, 0x42, 0x10], 20);
        let typed = text.replace('1', "l").to_lowercase();
        assert_eq!(*decode::<3>(&typed, 20).unwrap(), [0x08, 0x42, 0x10]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let read = |text| decode::<16>(text, 128).unwrap_err();
        let (expected, given) = (28, 5);
        assert_eq!(read("0000-0"), CodeTextError::Length { expected, given });
        assert_eq!(read("00U"), CodeTextError::Character { position: 3 });
        let long = "0".repeat(4000);
        let given = 4000;
        assert_eq!(read(&long), CodeTextError::Length { expected, given });
    }

    #[test]
    fn bytes_round_trip_without_a_check() {
        let text = encode_bytes(&DATA);
        assert_eq!(*decode_bytes::<16>(&text).unwrap(), DATA);
        assert!(decode_bytes::<16>(&text[1..]).is_none());
        assert!(decode_bytes::<15>(&text).is_none());
        // The last character carries two bits that belong to no byte.
        let mut surplus = text.clone();
        surplus.pop();
        surplus.push('Z');
        assert!(decode_bytes::<16>(&surplus).is_none());
    }
}
