//! The other side of the WebAssembly tests: the same formats, natively, without
//! a session. Everything but the text is in hexadecimal.
//!
//! - `native_peer chain` prints the peer's sigchain;
//! - `native_peer write READER_CHAIN TEXT` prints a note of the peer;
//! - `native_peer read AUTHOR_CHAIN RECORD` prints the text of a note for it.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]
#![allow(clippy::print_stdout, reason = "the test reads it")]

use std::collections::BTreeSet;

use crypto::identity::{DeviceKeys, Puk, Sigchain};
use crypto::record::{
    Expected, KnownDevice, OpeningKey, Position, RecordAuthor, RecordKind, RecordPlace,
    RecordWriter, SealedRecord,
};
use crypto::{DeviceId, Entropy, EntropyError, HubId, RecordId, UserId};

const PLACE: RecordPlace = RecordPlace {
    kind: RecordKind::Note,
    hub: HubId::from_bytes([0x11; 16]),
    record: RecordId::from_bytes([0x22; 16]),
};

/// The peer is the same person each time that it is started.
struct Counting(u8);

impl Entropy for Counting {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.0 += 1;
        out.fill(self.0);
        Ok(())
    }
}

fn peer() -> (DeviceKeys, Sigchain, Puk) {
    let (user, device) = (UserId::from_bytes([9; 16]), DeviceId::from_bytes([8; 16]));
    let keys = DeviceKeys::from_seed(user, device, &[7; 32]);
    let mut chain = Sigchain::create(&keys, 1).unwrap();
    let puk = chain.rotate_puk(&keys, None, 2, &mut Counting(0)).unwrap();
    (keys, chain, puk)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["chain"] => println!("{}", hex(&peer().1.encode())),
        ["write", reader, text] => write(reader, text),
        ["read", author, record] => read(author, record),
        _ => {
            panic!("usage: native_peer chain | write READER_CHAIN TEXT | read AUTHOR_CHAIN RECORD")
        }
    }
}

fn write(reader: &str, text: &str) {
    let (keys, _, puk) = peer();
    let reader = Sigchain::decode(&unhex(reader)).unwrap();
    let readers = [puk.reader(), reader.state().reader().unwrap()];
    let writer = RecordWriter::person(&keys);
    let sealed = writer.seal(PLACE, text.as_bytes(), &readers, &mut Counting(100));
    println!("{}", hex(&sealed.unwrap().encode()));
}

fn read(author: &str, record: &str) {
    let (_, _, puk) = peer();
    let author = Sigchain::decode(&unhex(author)).unwrap();
    let (device, known) = author.state().live_devices().next().unwrap();
    let record = SealedRecord::decode(&unhex(record)).unwrap();
    let expected = Expected {
        place: PLACE,
        at_least: Position::START,
        author: RecordAuthor::Person(KnownDevice {
            user: author.user(),
            device,
            key: known.sign_key,
        }),
        manifest_signers: &[],
        allowed_readers: &BTreeSet::from([author.user(), puk.user()]),
    };
    let key = OpeningKey::PerUserKey {
        user: puk.user(),
        generation: puk.generation(),
        secret: &puk.reader_key(),
    };
    let opened = record.open(&key, &expected).unwrap();
    println!("{}", String::from_utf8_lossy(&opened.plaintext));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    let pairs = pairs.iter().map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}
