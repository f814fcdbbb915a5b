//! What sealing and opening notes costs: `cargo bench -p crypto --bench records`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the measurement")]
#![allow(clippy::print_stdout, reason = "the figures are for a person")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

use crypto::identity::{DeviceKeys, ItemsKey, Puk, Reader, Sigchain};
use crypto::record::{
    Expected, KnownDevice, OpeningKey, Position, RecordAuthor, RecordKind, RecordPlace,
    RecordWriter,
};
use crypto::{DeviceId, HubId, OsEntropy, RecordId, UserId};

const NOTE_BYTES: usize = 2_048;
const NOTES: u32 = 10_000;
const ROUNDS: u32 = 300;

fn person(number: u8) -> (DeviceKeys, Puk) {
    let user = UserId::from_bytes([number; 16]);
    let device = DeviceId::from_bytes([number; 16]);
    let keys = DeviceKeys::from_seed(user, device, &[number; 32]);
    let mut chain = Sigchain::create(&keys, 1).unwrap();
    let puk = chain.rotate_puk(&keys, None, 2, &mut OsEntropy).unwrap();
    (keys, puk)
}

/// Microseconds of one round, on average.
fn measured<T>(rounds: u32, mut work: impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    (0..rounds).for_each(|_| {
        black_box(work());
    });
    start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds)
}

fn main() {
    let people: Vec<(DeviceKeys, Puk)> = (1..=8).map(person).collect();
    let (author, puk) = &people[0];
    let readers: Vec<Reader> = people.iter().map(|(_, puk)| puk.reader()).collect();
    let items = ItemsKey::generate(puk, &mut OsEntropy).unwrap();
    let place = RecordPlace {
        kind: RecordKind::Note,
        hub: HubId::from_bytes([1; 16]),
        record: RecordId::from_bytes([2; 16]),
    };
    let allowed: BTreeSet<UserId> = people.iter().map(|(keys, _)| keys.user()).collect();
    let expected = Expected {
        place,
        at_least: Position::START,
        author: RecordAuthor::Person(KnownDevice {
            user: author.user(),
            device: author.device(),
            key: author.signing_key().verifying_key(),
        }),
        manifest_signers: &[],
        allowed_readers: &allowed,
    };
    let text = vec![b'n'; NOTE_BYTES];
    let writer = RecordWriter::person(author);
    println!("notes of {NOTE_BYTES} bytes, one thread");
    for count in [1, 4, 8] {
        let seal = || {
            writer
                .seal(place, &text, &readers[..count], &mut OsEntropy)
                .unwrap()
        };
        println!("seal, {count} readers: {:.0} us", measured(ROUNDS, seal));
    }
    let secret = puk.reader_key();
    let keys = [
        (
            "per-user key",
            OpeningKey::PerUserKey {
                user: puk.user(),
                generation: puk.generation(),
                secret: &secret,
            },
        ),
        ("items key", OpeningKey::ItemsKey(&items)),
    ];
    for (name, key) in &keys {
        let writer = match key {
            OpeningKey::ItemsKey(items) => writer.with_items_key(items),
            OpeningKey::PerUserKey { .. } => writer,
        };
        let note = writer
            .seal(place, &text, &readers[..4], &mut OsEntropy)
            .unwrap();
        let open = || note.open(key, &expected).unwrap();
        let each = measured(NOTES, open);
        let all = each * f64::from(NOTES) / 1e6;
        println!("verify and open, {name}: {each:.0} us; {NOTES} notes: {all:.2} s");
    }
}
