//! Many worlds, one world again, and worlds with mistakes made on purpose.
#![allow(
    clippy::print_stdout,
    reason = "the counts and the trace are what these tests show"
)]

use std::panic::{catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sim::fault::Fault;
use sim::world::{Report, Tally, run};

/// Calls of one test run, unless `SIM_CALLS` says otherwise.
const CALLS: u64 = 100_000;
/// Worlds in which a mistake must be noticed.
const WORLDS_FOR_A_FAULT: u64 = 40;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Lives one world; a panic of the product names the world as well.
fn live(seed: u64) -> Report {
    catch_unwind(|| run(seed, None, false)).unwrap_or_else(|panic| {
        println!("world {seed} panics: SIM_SEED={seed} cargo test -p sim replay -- --nocapture");
        resume_unwind(panic)
    })
}

/// Lives worlds from `first` on, on all cores, until there were enough calls or one fails.
fn live_many(first: u64, calls: u64) -> (Tally, Option<(u64, Report)>) {
    let next = AtomicU64::new(first);
    let done = AtomicU64::new(0);
    let all = Mutex::new((Tally::default(), None::<(u64, Report)>));
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while done.load(Ordering::Relaxed) < calls {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let report = live(seed);
                    done.fetch_add(report.tally.calls, Ordering::Relaxed);
                    let mut all = all.lock().expect("no world panicked");
                    all.0.add(&report.tally);
                    if report.breach.is_some() {
                        done.store(u64::MAX / 2, Ordering::Relaxed);
                        if all.1.as_ref().is_none_or(|(other, _)| seed < *other) {
                            all.1 = Some((seed, report));
                        }
                    }
                }
            });
        }
    });
    all.into_inner().expect("no world panicked")
}

#[test]
fn nobody_is_forgotten_in_many_worlds() {
    let start = Instant::now();
    let calls = number("SIM_CALLS").unwrap_or(CALLS);
    let (tally, failed) = live_many(number("SIM_FIRST").unwrap_or(0), calls);
    let took = start.elapsed();
    let hours = tally.simulated.as_secs_f64() / 3600.0;
    println!(
        "{} worlds, {} calls, {} phones dialled, {} picked up too late, {} datagrams, {} checks",
        tally.worlds, tally.calls, tally.dialled, tally.crossed, tally.datagrams, tally.checks
    );
    for (outcome, count) in &tally.outcomes {
        println!("{count:>8} {outcome:?}");
    }
    println!(
        "{hours:.0} hours in {took:.1?}: {:.0} times as fast, {:.0} calls per second",
        hours * 3600.0 / took.as_secs_f64(),
        tally.calls as f64 / took.as_secs_f64()
    );
    if let Some((seed, report)) = failed {
        let (at, breach) = report.breach.unwrap();
        panic!(
            "world {seed} fails after {at:.3?}: {breach}\n\
             SIM_SEED={seed} cargo test -p sim replay -- --nocapture"
        );
    }
}

/// Shows one world: `SIM_SEED=n cargo test -p sim replay -- --nocapture`.
#[test]
fn replay() {
    let seed = number("SIM_SEED");
    let once = run(seed.unwrap_or(1), None, true);
    let again = run(seed.unwrap_or(1), None, true);
    assert!(!once.trace.is_empty());
    assert!(
        once.trace == again.trace,
        "a seed always leads to the same world"
    );
    if seed.is_some() {
        once.trace.iter().for_each(|line| println!("{line}"));
        if let Some((at, breach)) = once.breach {
            panic!("after {at:.3?}: {breach}");
        }
    }
}

#[test]
fn each_invariant_is_noticed() {
    for fault in Fault::ALL {
        let noticed = (0..WORLDS_FOR_A_FAULT).find_map(|seed| {
            let report = run(seed, Some(fault), false);
            report.breach.map(|(at, breach)| (seed, at, breach))
        });
        let (seed, at, breach) = noticed.unwrap_or_else(|| panic!("nobody notices {fault:?}"));
        println!("{fault:?}: world {seed} after {at:.0?}: {breach}");
        let expected = fault.breaks();
        assert!(
            expected.contains(&breach.invariant),
            "{fault:?} is seen as {breach}"
        );
    }
}
