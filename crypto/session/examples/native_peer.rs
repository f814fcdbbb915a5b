//! The other side of the WebAssembly tests: the same formats, natively, without
//! a session. Everything but the text is in hexadecimal.
//!
//! - `native_peer chain` prints the peer's sigchain;
//! - `native_peer write READER_CHAIN TEXT` prints a note of the peer;
//! - `native_peer read AUTHOR_CHAIN RECORD` prints the text of a note for it;
//! - `native_peer server READER_CHAIN` prints, as JSON, what a server has for
//!   the reader: who called, a voicemail, and a key log with their chain.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]
#![allow(clippy::print_stdout, reason = "the test reads it")]

use std::collections::BTreeSet;

use crypto::identity::{DeviceKeys, Puk, Sigchain};
use crypto::record::{
    Expected, KnownDevice, NOBODY, OpeningKey, Position, RecordAuthor, RecordHeader, RecordKind,
    RecordPlace, RecordWriter, SealedRecord,
};
use crypto::transparency::{Leaf, Log, LogSigner, NoteName, Subject, Witness, WitnessSigner};
use crypto::{
    DeviceId, Entropy, EntropyError, HubId, RecordId, SigningKey, UserId, VoicemailMeta,
    VoicemailWriter,
};

const NOW_S: u64 = 1_763_690_000;

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
        ["server", reader] => server(reader),
        _ => panic!(
            "usage: native_peer chain | write READER_CHAIN TEXT | read AUTHOR_CHAIN RECORD | \
             server READER_CHAIN"
        ),
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
        former_readers: &NOBODY,
    };
    let key = OpeningKey::PerUserKey {
        user: puk.user(),
        generation: puk.generation(),
        secret: &puk.reader_key(),
    };
    let opened = record.open(&key, &expected).unwrap();
    println!("{}", String::from_utf8_lossy(&opened.plaintext));
}

fn server(reader: &str) {
    let chain = Sigchain::decode(&unhex(reader)).unwrap();
    let reader = chain.state().reader().unwrap();
    let (id, key) = (
        DeviceId::from_bytes([6; 16]),
        SigningKey::from_seed(&[6; 32]),
    );
    let place = RecordPlace {
        kind: RecordKind::Contact,
        ..PLACE
    };
    let caller = RecordWriter::ingest(id, &key)
        .seal(place, b"+4930123456", &[reader], &mut Counting(100))
        .unwrap();
    let meta = VoicemailMeta {
        hub: PLACE.hub.to_string(),
        recording: PLACE.record.to_string(),
        created_at_ms: NOW_S * 1_000,
        sample_rate_hz: 8_000,
    };
    let mut entropy = Counting(110);
    let (mut writer, mut voicemail) =
        VoicemailWriter::new(&meta, &[reader.key], &mut entropy).unwrap();
    voicemail.extend(writer.push(&[7; 20_000]));
    voicemail.extend(writer.finish());
    let header =
        RecordHeader::of_voicemail(PLACE.hub, PLACE.record, voicemail.as_slice(), id, &key);
    let name = |text| NoteName::new(text).unwrap();
    let signer = LogSigner::new(name("hotline.example/log"), SigningKey::from_seed(&[1; 32]));
    let cosigner = WitnessSigner::new(name("partner.example"), SigningKey::from_seed(&[2; 32]));
    let (log_key, witness_key) = (signer.key().clone(), cosigner.key().clone());
    let mut log = Log::new(log_key.name().clone());
    log.append(Leaf {
        subject: Subject::User(chain.user()),
        head: chain.head(),
    });
    let signed = log.sign(&signer);
    let mut witness = Witness::new(cosigner);
    witness.watch(log_key.clone());
    let request = log.request(0, &signed).unwrap().to_body();
    let lines = witness.add_checkpoint(&request, NOW_S).unwrap();
    let entries: Vec<u8> = log.leaves().iter().flat_map(Leaf::encode).collect();
    let answer = [
        ("id", id.to_string()),
        ("key", hex(key.verifying_key().as_bytes())),
        ("caller", hex(&caller.encode())),
        ("voicemail", hex(&voicemail)),
        ("header", hex(&header.unwrap().encode())),
        ("log", log_key.to_string()),
        ("witness", witness_key.to_string()),
        (
            "checkpoint",
            signed
                .with_cosignatures(&lines)
                .unwrap()
                .as_str()
                .to_owned(),
        ),
        ("entries", hex(&entries)),
    ];
    // Rust quotes these texts as JSON does.
    let fields: Vec<String> = answer
        .iter()
        .map(|(name, text)| format!("{name:?}: {text:?}"))
        .collect();
    println!("{{{}, \"now\": {}}}", fields.join(", "), NOW_S * 1_000);
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
