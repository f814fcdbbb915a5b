//! The file around the links of a roster or a device list (`docs/protocol/hub-v1.md`): the API
//! sends links, a session takes files.

const ROSTER: [u8; 4] = *b"HLRO";
const VERSION: u8 = 1;
const FRONT_BYTES: usize = ROSTER.len() + 1 + 2;
/// Longer lengths are written in two bytes, with this bit set.
const TWO_BYTES: u16 = 0x4000;
const ONE_BYTE_MAX: usize = 63;

/// The file of a roster.
pub(crate) fn of_roster(links: &[Vec<u8>]) -> Vec<u8> {
    let mut file = ROSTER.to_vec();
    file.push(VERSION);
    let count = u16::try_from(links.len()).unwrap_or(u16::MAX);
    file.extend(count.to_be_bytes());
    for link in links {
        match u16::try_from(link.len()).unwrap_or(u16::MAX) {
            short if link.len() <= ONE_BYTE_MAX => file.extend(&short.to_be_bytes()[1..]),
            long => file.extend((TWO_BYTES | long).to_be_bytes()),
        }
        file.extend(link);
    }
    file
}

/// The links in a file that a session wrote.
pub(crate) fn links(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = file.get(FRONT_BYTES..).unwrap_or_default();
    let mut links = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        let (length, after) = match after.split_first() {
            Some((second, after)) if u16::from(*first) << 8 & TWO_BYTES != 0 => {
                let length = u16::from_be_bytes([*first, *second]) & !TWO_BYTES;
                (usize::from(length), after)
            }
            _ => (usize::from(*first), after),
        };
        let (link, after) = after.split_at(length.min(after.len()));
        links.push(link);
        rest = after;
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_come_out_as_they_went_in() {
        let wrapped = vec![
            vec![7; 1],
            vec![8; 63],
            vec![9; 64],
            vec![1; 700],
            Vec::new(),
        ];
        let file = of_roster(&wrapped);
        assert_eq!(file[..7], *b"HLRO\x01\x00\x05");
        assert_eq!(links(&file), wrapped);
    }
}
