//! Every decoder against noise, and against genuine messages that somebody has altered. What must
//! hold is in `exercise`, which the fuzz targets share.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod exercise;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use exercise::{Chains, World};
use proptest::prelude::*;
use proptest::sample::Index;

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}

fn chains() -> &'static Chains {
    static CHAINS: OnceLock<Chains> = OnceLock::new();
    CHAINS.get_or_init(|| Chains::new(world()))
}

/// What a fuzzer does to a message.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Cut(Index, Index),
    Repeat(Index, Index),
    Take(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<Index>;
    prop_oneof![
        4 => (place(), 0_u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        4 => (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        1 => (place(), place()).prop_map(|(from, to)| Damage::Cut(from, to)),
        1 => (place(), place()).prop_map(|(from, to)| Damage::Repeat(from, to)),
        1 => (place(), place()).prop_map(|(other, at)| Damage::Take(other, at)),
    ]
}

fn range(from: &Index, to: &Index, length: usize) -> std::ops::Range<usize> {
    let (from, to) = (from.index(length + 1), to.index(length + 1));
    from.min(to)..from.max(to)
}

fn damaged(mut bytes: Vec<u8>, damage: &[Damage], others: &[&[u8]]) -> Vec<u8> {
    for damage in damage {
        let length = bytes.len();
        match damage {
            Damage::Flip(at, bit) if length > 0 => bytes[at.index(length)] ^= 1 << bit,
            Damage::Set(at, byte) if length > 0 => bytes[at.index(length)] = *byte,
            Damage::Flip(..) | Damage::Set(..) => {}
            Damage::Cut(from, to) => drop(bytes.drain(range(from, to, length))),
            Damage::Repeat(from, to) => bytes.extend_from_within(range(from, to, length)),
            // The front of one message and the end of another.
            Damage::Take(other, at) => {
                let other = other.get(others);
                let at = at.index(length.min(other.len()) + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at..]);
            }
        }
    }
    bytes
}

#[test]
fn genuine_messages_are_taken() {
    for (name, bytes) in exercise::seeds(world()) {
        assert!(exercise::decoders(world(), bytes) > 0, "{name}");
    }
    for seed in chains().seeds() {
        assert_eq!(exercise::links(chains(), &seed), 4);
    }
    let moves = exercise::some_moves();
    let moves = moves.iter().map(|seed| exercise::moves(chains(), seed));
    assert!(moves.sum::<usize>() > 100);
}

/// Names of functions that read what anybody may have written.
const READERS: [&str; 5] = ["decode", "parse", "scan", "enter", "from_"];

#[test]
fn whatever_reads_is_exercised() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exercised = sources(&root.join("tests/exercise")).concat();
    let is_word = |one: char| one.is_alphanumeric() || one == '_';
    let exercised: BTreeSet<&str> = exercised.split(|one| !is_word(one)).collect();
    let mut reading = BTreeSet::new();
    for source in sources(&root.join("src")) {
        let shipped = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let mut of = "";
        for line in shipped.lines() {
            if let Some(block) = line.strip_prefix("impl") {
                let from_text = block.strip_prefix(" FromStr for ");
                let name = from_text.unwrap_or(block.split_once(' ').unwrap().1);
                of = name.split(|one| !is_word(one)).next().unwrap();
                reading.extend(from_text.map(|_| of.to_owned()));
            }
            let reads = line.strip_prefix("    pub fn ").is_some_and(|rest| {
                // What cannot be refused takes an array or what was read already.
                READERS.iter().any(|name| rest.starts_with(name))
                    && (rest.contains("-> Result") || rest.ends_with('('))
            });
            if reads {
                reading.insert(of.to_owned());
            }
        }
    }
    assert!(reading.len() > 30, "{reading:?}");
    let forgotten: Vec<_> = reading
        .iter()
        .filter(|it| !exercised.contains(it.as_str()))
        .collect();
    assert!(
        forgotten.is_empty(),
        "tests/exercise gives nothing to {forgotten:?}"
    );
}

/// The text of all Rust files below a folder.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
    found
}

/// One bit of each byte of each message.
#[test]
fn what_was_altered_anywhere_is_noticed() {
    for (_, bytes) in exercise::seeds(world()) {
        for at in 0..bytes.len() {
            let mut altered = bytes.to_vec();
            altered[at] ^= 1 << (at % 8);
            exercise::decoders(world(), &altered);
        }
    }
}

proptest! {
    #[test]
    fn noise_is_refused_and_nothing_panics(
        begins_like in any::<Index>(),
        version in 0_u8..3,
        rest in prop::collection::vec(any::<u8>(), 0..600),
        bare in prop::collection::vec(any::<u8>(), 0..64),
        text in ".{0,100}",
    ) {
        let genuine: Vec<_> = exercise::seeds(world()).collect();
        let (_, genuine) = begins_like.get(&genuine);
        let mut bytes = genuine[..4].to_vec();
        bytes.push(version);
        bytes.extend(rest);
        exercise::decoders(world(), &bytes);
        exercise::decoders(world(), &bare);
        exercise::decoders(world(), text.as_bytes());
        exercise::links(chains(), &bare);
    }

    #[test]
    fn altered_messages_are_nobody_s(
        which in any::<Index>(),
        damage in prop::collection::vec(damage(), 1..4),
    ) {
        let genuine: Vec<_> = exercise::seeds(world()).map(|(_, bytes)| bytes).collect();
        let altered = damaged(which.get(&genuine).to_vec(), &damage, &genuine);
        exercise::decoders(world(), &altered);
    }

    #[test]
    fn whatever_is_done_in_whatever_order_the_rules_hold(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        exercise::moves(chains(), &bytes);
    }

    #[test]
    fn whoever_has_a_key_is_bound_by_the_rules(
        which in any::<Index>(),
        damage in prop::collection::vec(damage(), 1..4),
    ) {
        let seeds = chains().seeds();
        let genuine: Vec<_> = seeds.iter().map(Vec::as_slice).collect();
        let altered = damaged(which.get(&genuine).to_vec(), &damage, &genuine);
        exercise::links(chains(), &altered);
    }
}
