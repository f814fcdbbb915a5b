//! What sealing, opening and unlocking costs, natively:
//! `cargo bench -p crypto --bench records`. Beside the browser's build and
//! another implementation: `node crypto/wasm/tests/node/bench.mjs`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the measurement")]
#![allow(clippy::print_stdout, reason = "the figures are for a person")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crypto::identity::{DeviceKeys, ItemsKey, Puk, Reader, Sigchain};
use crypto::record::{
    Expected, KnownDevice, NOBODY, OpeningKey, Position, RecordAuthor, RecordKind, RecordPlace,
    RecordWriter,
};
use crypto::vault::{ChosenPasscode, Passcode, Share, Shares, Vault, VaultId};
use crypto::{DeviceId, HubId, OsEntropy, RecordId, UserId};

const NOTE_BYTES: usize = 2_048;
const NOTES: u32 = 10_000;
const ROUNDS: u32 = 300;
const BATCHES: u32 = 5;
const READERS: usize = 8;
const PLACE: RecordPlace = RecordPlace {
    kind: RecordKind::Note,
    hub: HubId::from_bytes([1; 16]),
    record: RecordId::from_bytes([2; 16]),
};

fn person(number: u8) -> (DeviceKeys, Puk) {
    let user = UserId::from_bytes([number; 16]);
    let device = DeviceId::from_bytes([number; 16]);
    let keys = DeviceKeys::from_seed(user, device, &[number; 32]);
    let mut chain = Sigchain::create(&keys, 1).unwrap();
    let puk = chain.rotate_puk(&keys, None, 2, &mut OsEntropy).unwrap();
    (keys, puk)
}

/// What this thread has spent on a processor, where Linux says it; elsewhere
/// the time that went by.
fn spent() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let scheduled = std::fs::read_to_string("/proc/thread-self/schedstat");
    let scheduled = scheduled.ok().and_then(|text| {
        let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    });
    scheduled.unwrap_or_else(|| START.elapsed())
}

/// Microseconds of CPU for one round, in the best of the batches: what else runs
/// on the machine takes the caches away.
fn measured<T>(rounds: u32, mut work: impl FnMut() -> T) -> f64 {
    let each = rounds / BATCHES;
    let batch = |_| {
        let start = spent();
        (0..each).for_each(|_| {
            black_box(work());
        });
        (spent() - start).as_secs_f64() * 1e6 / f64::from(each)
    };
    (0..BATCHES).map(batch).fold(f64::INFINITY, f64::min)
}

/// One line that a person reads and `bench.mjs` too.
fn figure(what: &str, microseconds: f64) {
    println!("{what}: {microseconds:.1} us");
}

fn main() {
    let people: Vec<(DeviceKeys, Puk)> = (1..=READERS as u8).map(person).collect();
    println!("notes of {NOTE_BYTES} bytes, CPU time of one thread");
    sealing(&people);
    opening(&people);
    unlocking(&people[0].0);
}

fn sealing(people: &[(DeviceKeys, Puk)]) {
    let readers: Vec<Reader> = people.iter().map(|(_, puk)| puk.reader()).collect();
    let (author, text) = (RecordWriter::person(&people[0].0), [b'n'; NOTE_BYTES]);
    let seal = |count: usize| {
        measured(ROUNDS, || {
            author
                .seal(PLACE, &text, &readers[..count], &mut OsEntropy)
                .unwrap()
        })
    };
    let (one, all) = (seal(1), seal(READERS));
    figure("seal a note for one reader", one);
    figure(
        "seal it for one reader more",
        (all - one) / (READERS - 1) as f64,
    );
}

fn opening(people: &[(DeviceKeys, Puk)]) {
    let (author, puk) = &people[0];
    let items = ItemsKey::generate(puk, &mut OsEntropy).unwrap();
    let allowed: BTreeSet<UserId> = people.iter().map(|(keys, _)| keys.user()).collect();
    let expected = Expected {
        place: PLACE,
        at_least: Position::START,
        author: RecordAuthor::Person(KnownDevice {
            user: author.user(),
            device: author.device(),
            key: author.signing_key().verifying_key(),
        }),
        manifest_signers: &[],
        allowed_readers: &allowed,
        former_readers: &NOBODY,
    };
    let secret = puk.reader_key();
    let own = RecordWriter::person(author);
    let keys = [
        (
            "verify and open a note of somebody else",
            own,
            OpeningKey::PerUserKey {
                user: puk.user(),
                generation: puk.generation(),
                secret: &secret,
            },
        ),
        (
            "verify and open a note of one's own",
            own.with_items_key(&items),
            OpeningKey::ItemsKey(&items),
        ),
    ];
    for (what, writer, key) in &keys {
        let readers = [puk.reader(), people[1].1.reader()];
        let text = [b'n'; NOTE_BYTES];
        let note = writer.seal(PLACE, &text, &readers, &mut OsEntropy).unwrap();
        figure(what, measured(NOTES, || note.open(key, &expected).unwrap()));
    }
}

fn unlocking(keys: &DeviceKeys) {
    let share = Share::from_bytes(&[7; 32]);
    let passcode = ChosenPasscode::new("493027").unwrap();
    let shares = Shares::with_device(share.clone());
    let id = VaultId::generate(&mut OsEntropy).unwrap();
    let seed = [keys.device().as_bytes()[0]; DeviceKeys::SEED_BYTES];
    let sealed = Vault::seal(id, &seed, &passcode, &shares, &mut OsEntropy).unwrap();
    let unlock = || {
        let attempt = sealed
            .vault
            .attempt(&Passcode::entered("493027"), Some(&share), None);
        attempt.unwrap().unlock(None).unwrap()
    };
    figure("unlock a vault", measured(BATCHES, unlock));
}
