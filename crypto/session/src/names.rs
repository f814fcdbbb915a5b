//! Ids as the 32 hexadecimal digits that they are shown as, kinds as words.

use crypto::hub::{IndexField, IndexToken, Visibility};
use crypto::record::{RecordKind, RecordPlace};
use crypto::{DeviceId, HubId, RecordId, UserId};

use crate::refusal::{Code, Refusal};

/// A person's id.
///
/// # Errors
/// [`Code::Malformed`] for anything but 32 lower-case hexadecimal digits.
pub fn user_named(text: &str) -> Result<UserId, Refusal> {
    id("a person", text).map(UserId::from_bytes)
}

/// The ids of several people.
///
/// # Errors
/// [`Code::Malformed`] when one of them is none.
pub fn users_named<C: FromIterator<UserId>>(texts: &[String]) -> Result<C, Refusal> {
    texts.iter().map(|text| user_named(text)).collect()
}

/// A device's id.
///
/// # Errors
/// [`Code::Malformed`] for anything but 32 lower-case hexadecimal digits.
pub fn device_named(text: &str) -> Result<DeviceId, Refusal> {
    id("a device", text).map(DeviceId::from_bytes)
}

/// A hotline's id.
///
/// # Errors
/// [`Code::Malformed`] for anything but 32 lower-case hexadecimal digits.
pub fn hub_named(text: &str) -> Result<HubId, Refusal> {
    id("a hotline", text).map(HubId::from_bytes)
}

/// A record's id.
///
/// # Errors
/// [`Code::Malformed`] for anything but 32 lower-case hexadecimal digits.
pub fn record_named(text: &str) -> Result<RecordId, Refusal> {
    id("a record", text).map(RecordId::from_bytes)
}

/// An invitation's id, as the server names it.
///
/// # Errors
/// [`Code::Malformed`] for anything but 32 lower-case hexadecimal digits.
pub fn invitation_named(text: &str) -> Result<[u8; 16], Refusal> {
    id("an invitation", text)
}

/// What sort of record: `note`, `message`, `transcript`, `report`, `contact` or
/// `attachment`.
///
/// # Errors
/// [`Code::Malformed`] for another word.
pub fn kind_named(word: &str) -> Result<RecordKind, Refusal> {
    match word {
        "note" => Ok(RecordKind::Note),
        "message" => Ok(RecordKind::Message),
        "transcript" => Ok(RecordKind::Transcript),
        "report" => Ok(RecordKind::Report),
        "contact" => Ok(RecordKind::Contact),
        "attachment" => Ok(RecordKind::Attachment),
        _ => Err(Refusal::new(
            Code::Malformed,
            "there is no such kind of record",
        )),
    }
}

/// Which record of which hotline, and its [`kind_named`].
///
/// # Errors
/// [`Code::Malformed`].
pub fn place_named(kind: &str, hub: &str, record: &str) -> Result<RecordPlace, Refusal> {
    Ok(RecordPlace {
        kind: kind_named(kind)?,
        hub: hub_named(hub)?,
        record: record_named(record)?,
    })
}

/// Who reads a record: `private`, `case` or `reporter`.
///
/// # Errors
/// [`Code::Malformed`] for another word.
pub fn visibility_named(word: &str) -> Result<Visibility, Refusal> {
    match word {
        "private" => Ok(Visibility::Private),
        "case" => Ok(Visibility::Case),
        "reporter" => Ok(Visibility::Reporter),
        _ => Err(Refusal::new(
            Code::Malformed,
            "there is no such circle of readers",
        )),
    }
}

/// A field to search in: `name`, `phone`, `email`, `case`, or the number of a
/// field that the hotline has declared and its fewest characters, as `3/4`.
///
/// # Errors
/// [`Code::Malformed`] for another word, [`Code::Limit`] for a declared field
/// whose words could be guessed.
pub fn field_named(word: &str) -> Result<IndexField, Refusal> {
    let declared = || {
        let (number, fewest) = word.split_once('/')?;
        Some((number.parse().ok()?, fewest.parse().ok()?))
    };
    match word {
        "name" => Ok(IndexField::NAME_WORD),
        "phone" => Ok(IndexField::PHONE_NUMBER),
        "email" => Ok(IndexField::EMAIL),
        "case" => Ok(IndexField::CASE_NUMBER),
        _ => {
            let sentence = "there is no such field to search in";
            let declared = declared().ok_or_else(|| Refusal::new(Code::Malformed, sentence));
            let (number, fewest) = declared?;
            Ok(IndexField::declared(number, fewest)?)
        }
    }
}

/// Search tokens as the hexadecimal digits that the server keeps.
pub fn tokens_shown(tokens: &[[u8; IndexToken::BYTES]]) -> Vec<String> {
    let shown = |token: &[u8; 16]| format!("{:032x}", u128::from_be_bytes(*token));
    tokens.iter().map(shown).collect()
}

fn id(of: &str, text: &str) -> Result<[u8; 16], Refusal> {
    let digits = text.as_bytes().as_chunks::<2>();
    let refused = || {
        let sentence = format!("the id of {of} has 32 lower-case hexadecimal digits");
        Refusal::new(Code::Malformed, sentence)
    };
    let (pairs, []) = digits else {
        return Err(refused());
    };
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| byte(*high, *low)).collect();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(refused)
}

fn byte(high: u8, low: u8) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_is_shown() {
        let user = UserId::from_bytes(std::array::from_fn(|place| place as u8 * 17));
        assert_eq!(user_named(&user.to_string()), Ok(user));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let good = "00112233445566778899aabbccddeeff";
        assert!(user_named(good).is_ok());
        for bad in [
            "",
            "00",
            &good[1..],
            &format!("{good}00"),
            &good.to_uppercase(),
            "ключ",
        ] {
            assert_eq!(
                user_named(bad).unwrap_err().code(),
                Code::Malformed,
                "{bad}"
            );
        }
    }

    #[test]
    fn one_bad_name_spoils_the_list() {
        let good = "00112233445566778899aabbccddeeff".to_owned();
        let named: Vec<UserId> = users_named(&[good.clone(), good.clone()]).unwrap();
        assert_eq!(named.len(), 2);
        assert!(users_named::<Vec<UserId>>(&[good, "nobody".to_owned()]).is_err());
    }

    #[test]
    fn a_token_keeps_its_zeros() {
        let mut token = [0; 16];
        token[15] = 0xab;
        assert_eq!(tokens_shown(&[token]), ["000000000000000000000000000000ab"]);
    }

    #[test]
    fn fields_and_circles_have_words() {
        assert_eq!(field_named("phone"), Ok(IndexField::PHONE_NUMBER));
        let declared = IndexField::declared(3, 4).unwrap();
        assert_eq!(field_named("3/4"), Ok(declared));
        let refused = |word| field_named(word).unwrap_err().code();
        assert_eq!(refused("3/3"), Code::Limit);
        for word in ["", "3", "3/", "256/4", "3/4/5", "status"] {
            assert_eq!(refused(word), Code::Malformed, "{word}");
        }
        assert_eq!(visibility_named("case"), Ok(Visibility::Case));
        assert!(visibility_named("all").is_err());
    }
}
