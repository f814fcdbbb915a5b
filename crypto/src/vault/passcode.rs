//! The code that a person knows: a PIN or a passphrase.

use std::collections::BTreeSet;
use std::fmt;

use zeroize::Zeroizing;

use super::error::PasscodeRefused;

/// The longest code, in bytes of UTF-8.
pub const MAX_PASSCODE_BYTES: usize = 256;

const MIN_PIN_DIGITS: usize = 6;
const MIN_PASSPHRASE_CHARS: usize = 12;
const MIN_DIFFERENT_CHARS: usize = 5;

/// A code as it was typed to unlock. White space around it does not count;
/// otherwise its UTF-8 bytes are taken as they are.
///
/// Wiped from memory when dropped; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Passcode(Zeroizing<Vec<u8>>);

impl Passcode {
    /// What somebody typed. Any text is taken: a wrong one does not unlock.
    pub fn entered(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().as_bytes().to_vec()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passcode(…)")
    }
}

/// A code that is good enough to seal a vault with: at least six digits without
/// an obvious pattern, or at least twelve characters.
#[derive(Clone, Debug)]
pub struct ChosenPasscode(Passcode);

impl ChosenPasscode {
    /// Checks a code that somebody chose.
    ///
    /// # Errors
    /// [`PasscodeRefused`], which says what to choose instead.
    pub fn new(text: &str) -> Result<Self, PasscodeRefused> {
        let text = text.trim();
        if text.len() > MAX_PASSCODE_BYTES {
            return Err(PasscodeRefused::TooLong);
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            check_pin(text.as_bytes())?;
        } else {
            check_passphrase(text)?;
        }
        Ok(Self(Passcode::entered(text)))
    }

    /// The same code, to unlock with.
    pub fn as_passcode(&self) -> &Passcode {
        &self.0
    }
}

fn check_pin(digits: &[u8]) -> Result<(), PasscodeRefused> {
    if digits.len() < MIN_PIN_DIGITS {
        return Err(PasscodeRefused::PinTooShort);
    }
    let repeats = |period: usize| digits[period..].iter().eq(&digits[..digits.len() - period]);
    if (1..=digits.len() / 2).any(repeats) {
        return Err(PasscodeRefused::PinRepeats);
    }
    // 890123 counts up too: 9 is followed by 0.
    let steps = |step: u8| {
        let mut pairs = digits.windows(2);
        pairs.all(|pair| (pair[0] - b'0' + step) % 10 == pair[1] - b'0')
    };
    if steps(1) || steps(9) {
        return Err(PasscodeRefused::PinCounts);
    }
    Ok(())
}

fn check_passphrase(text: &str) -> Result<(), PasscodeRefused> {
    if text.chars().count() < MIN_PASSPHRASE_CHARS {
        return Err(PasscodeRefused::PassphraseTooShort);
    }
    let different: BTreeSet<char> = text.chars().collect();
    if different.len() < MIN_DIFFERENT_CHARS {
        return Err(PasscodeRefused::PassphraseRepeats);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> PasscodeRefused {
        ChosenPasscode::new(text).unwrap_err()
    }

    #[test]
    fn pins_with_a_pattern_are_refused() {
        for text in ["", "1", "12345", "  5921  "] {
            let short = refusal(text);
            assert!(matches!(
                short,
                PasscodeRefused::PinTooShort | PasscodeRefused::PassphraseTooShort
            ));
        }
        for text in ["000000", "11111111", "121212", "123123", "1231231", "48484"] {
            let expected = match text.len() {
                5 => PasscodeRefused::PinTooShort,
                _ => PasscodeRefused::PinRepeats,
            };
            assert_eq!(refusal(text), expected, "{text}");
        }
        for text in ["123456", "654321", "890123", "3210987"] {
            assert_eq!(refusal(text), PasscodeRefused::PinCounts, "{text}");
        }
        for text in ["593018", " 593018\n", "1234567891", "112358"] {
            assert!(ChosenPasscode::new(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn passphrases_need_length_and_variety() {
        assert_eq!(refusal("élan vital"), PasscodeRefused::PassphraseTooShort);
        assert_eq!(
            refusal("ababababababab"),
            PasscodeRefused::PassphraseRepeats
        );
        assert_eq!(refusal(&"ab cdef".repeat(40)), PasscodeRefused::TooLong);
        assert!(ChosenPasscode::new("niebla tren faro limón").is_ok());
    }

    #[test]
    fn debug_shows_no_code() {
        let chosen = ChosenPasscode::new("593018").unwrap();
        assert_eq!(format!("{chosen:?}"), "ChosenPasscode(Passcode(…))");
    }
}
