//! Codes that people pass on: invitations, and that of the first admin.

use crypto::{Entropy, EntropyError};
use zeroize::Zeroizing;

/// The alphabet of Crockford's Base32: no letter looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code, of five random bits each: 140 bits. Only its hash is kept, so it must
/// be beyond guessing.
const CHARACTERS: usize = 28;
const GROUP: usize = 4;

/// A new code, as it is written: groups of four with dashes.
pub(crate) fn generate(
    entropy: &mut (impl Entropy + ?Sized),
) -> Result<Zeroizing<String>, EntropyError> {
    let mut random = Zeroizing::new([0; CHARACTERS]);
    entropy.fill(&mut *random)?;
    let symbols = random.iter().map(|byte| ALPHABET[usize::from(byte % 32)]);
    Ok(grouped(symbols))
}

/// What somebody typed, as it is written; `None` when it is no code.
pub(crate) fn normal(typed: &str) -> Option<Zeroizing<String>> {
    if typed.len() > 4 * CHARACTERS {
        return None;
    }
    let mut symbols = Zeroizing::new(Vec::with_capacity(CHARACTERS));
    for typed in typed.chars() {
        let symbol = match typed.to_ascii_uppercase() {
            ' ' | '-' | '_' | '\t' | '\r' | '\n' => continue,
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let symbol = u8::try_from(symbol).ok()?;
        if !ALPHABET.contains(&symbol) {
            return None;
        }
        symbols.push(symbol);
    }
    (symbols.len() == CHARACTERS).then(|| grouped(symbols.iter().copied()))
}

fn grouped(symbols: impl Iterator<Item = u8>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(CHARACTERS + CHARACTERS / GROUP));
    for (place, symbol) in symbols.enumerate() {
        if place > 0 && place % GROUP == 0 {
            text.push('-');
        }
        text.push(char::from(symbol));
    }
    text
}

#[cfg(test)]
mod tests {
    use crypto::OsEntropy;

    use super::*;

    #[test]
    fn a_code_is_understood_as_people_type_it() {
        let code = generate(&mut OsEntropy).unwrap();
        assert_eq!(code.len(), 34);
        let typed = code.to_lowercase().replace('-', " ").replace('0', "o");
        assert_eq!(*normal(&typed).unwrap(), *code);
        assert_ne!(*code, *generate(&mut OsEntropy).unwrap());
    }

    #[test]
    fn what_is_no_code_is_none() {
        let code = generate(&mut OsEntropy).unwrap();
        assert!(normal(&code[1..]).is_none());
        assert!(normal(&format!("{}0", *code)).is_none());
        assert!(normal(&code.replacen(|_| true, "U", 1)).is_none());
        assert!(normal(&" ".repeat(10_000)).is_none());
    }
}
