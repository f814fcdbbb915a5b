//! What sealing, opening and unlocking costs, natively:
//! `cargo bench -p crypto --bench records`. Beside the browser's build and
//! another implementation: `node crypto/wasm/tests/node/bench.mjs`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the measurement")]
#![allow(clippy::print_stdout, reason = "the figures are for a person")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crypto::hub::{HubEpoch, HubKey};
use crypto::identity::{DeviceKeys, ItemsKey, Puk, Reader, Sigchain};
use crypto::record::{
    Expected, KnownDevice, NOBODY, OpeningKey, Position, RecordAuthor, RecordKind, RecordPlace,
    RecordWriter, SealedRecord,
};
use crypto::vault::{ChosenPasscode, Passcode, Share, Shares, Vault, VaultId};
use crypto::{DeviceId, HubId, OsEntropy, RecordId, UserId};

const NOTE_BYTES: usize = 2_048;
const NOTES: u32 = 10_000;
const ROUNDS: u32 = 300;
const BATCHES: u32 = 5;
const READERS: usize = 8;

fn place(number: u32) -> RecordPlace {
    let mut record = [2; RecordId::BYTES];
    record[..4].copy_from_slice(&number.to_be_bytes());
    RecordPlace {
        kind: RecordKind::Note,
        hub: HubId::from_bytes([1; 16]),
        record: RecordId::from_bytes(record),
    }
}

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

/// Microseconds of CPU.
struct Measured {
    /// Of one round, in the best of the batches: what else runs on the machine
    /// takes the caches away.
    best: f64,
    /// Of all rounds.
    all: f64,
}

/// `work` gets the number of the round.
fn measured<T>(rounds: u32, mut work: impl FnMut(u32) -> T) -> Measured {
    let each = rounds / BATCHES;
    let mut batches = [0.0; BATCHES as usize];
    for (batch, spent_us) in (0..).zip(&mut batches) {
        let start = spent();
        for round in 0..each {
            black_box(work(batch * each + round));
        }
        *spent_us = (spent() - start).as_secs_f64() * 1e6;
    }
    Measured {
        best: batches.into_iter().fold(f64::INFINITY, f64::min) / f64::from(each),
        all: batches.into_iter().sum(),
    }
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
    hub_key(&people);
    unlocking(&people[0].0);
}

fn sealing(people: &[(DeviceKeys, Puk)]) {
    let readers: Vec<Reader> = people.iter().map(|(_, puk)| puk.reader()).collect();
    let (author, text) = (RecordWriter::person(&people[0].0), [b'n'; NOTE_BYTES]);
    let seal = |count: usize| {
        let seal = |_| author.seal(place(0), &text, &readers[..count], &mut OsEntropy);
        measured(ROUNDS, |round| seal(round).unwrap()).best
    };
    let (one, all) = (seal(1), seal(READERS));
    figure("seal a note for one reader", one);
    figure(
        "seal it for one reader more",
        (all - one) / (READERS - 1) as f64,
    );
}

/// Opens as many different notes as there are rounds, each sealed before and
/// read from its bytes.
fn opening(people: &[(DeviceKeys, Puk)]) {
    let (author, puk) = &people[0];
    let items = ItemsKey::generate(puk, &mut OsEntropy).unwrap();
    let allowed: BTreeSet<UserId> = people.iter().map(|(keys, _)| keys.user()).collect();
    let expected = |number| Expected {
        place: place(number),
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
    let by_wrap = OpeningKey::PerUserKey {
        user: puk.user(),
        generation: puk.generation(),
        secret: &secret,
    };
    let by_items_key = OpeningKey::ItemsKey(&items);
    let own = RecordWriter::person(author);
    let open = |writer: RecordWriter<'_>, key: &OpeningKey<'_>| {
        let readers = [puk.reader(), people[1].1.reader()];
        let text = [b'n'; NOTE_BYTES];
        let seal = |number| writer.seal(place(number), &text, &readers, &mut OsEntropy);
        let notes: Vec<Vec<u8>> = (0..NOTES).map(|n| seal(n).unwrap().encode()).collect();
        measured(NOTES, |number| {
            let note = SealedRecord::decode(&notes[number as usize]).unwrap();
            note.open(key, &expected(number)).unwrap()
        })
    };
    let of_others = open(own, &by_wrap);
    let of_ones_own = open(own.with_items_key(&items), &by_items_key);
    figure("verify and open a note of somebody else", of_others.best);
    figure("verify and open a note of one's own", of_ones_own.best);
    figure(
        "open a wrap, by difference",
        of_others.best - of_ones_own.best,
    );
    figure("open all notes of others", of_others.all);
    figure("open all notes of one's own", of_ones_own.all);
}

/// The hub key is one wrap. To open it, the reader's key is derived before and
/// the announced commitment after.
fn hub_key(people: &[(DeviceKeys, Puk)]) {
    let ((admin, puk), hub) = (&people[0], place(0).hub);
    let key = HubKey::generate(hub, 1, &mut OsEntropy).unwrap();
    let epoch = HubEpoch {
        hub,
        epoch: 1,
        commitment: key.commitment(),
        announced: Sigchain::create(admin, 1).unwrap().head(),
    };
    let wrap = key.wrap_for(&epoch, &puk.reader(), &mut OsEntropy).unwrap();
    let open = measured(ROUNDS, |_| wrap.open(&epoch, puk).unwrap());
    figure("open a hub key", open.best);
}

fn unlocking(keys: &DeviceKeys) {
    let share = Share::from_bytes(&[7; 32]);
    let passcode = ChosenPasscode::new("493027").unwrap();
    let shares = Shares::with_device(share.clone());
    let id = VaultId::generate(&mut OsEntropy).unwrap();
    let seed = [keys.device().as_bytes()[0]; DeviceKeys::SEED_BYTES];
    let sealed = Vault::seal(id, &seed, &passcode, &shares, &mut OsEntropy).unwrap();
    let unlock = |_| {
        let attempt = sealed
            .vault
            .attempt(&Passcode::entered("493027"), Some(&share), None);
        attempt.unwrap().unlock(None).unwrap()
    };
    figure("unlock a vault", measured(BATCHES, unlock).best);
}
