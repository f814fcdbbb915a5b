//! Whole calls with people who do anything at any time, over a network that loses packets.

mod support;

use media::control::ClipId;
use media::control::MediaEvent;
use routing::{Event, LegId};
use sip::entropy::Entropy;
use std::collections::BTreeSet;
use support::house::house;
use support::{Seeded, World, ms, secs};

const SEEDS: u64 = 150;
const PHONES: u64 = 3;

struct Dice(Seeded);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        let mut raw = [0; 8];
        self.0.fill(&mut raw);
        u64::from_le_bytes(raw) % n
    }
}

/// Somebody does something that may or may not make sense now.
fn step(world: &mut World, dice: &mut Dice) {
    let now = world.now;
    let n = 1 + dice.below(PHONES);
    let in_call = world.phone(n).session.is_some();
    match dice.below(9) {
        0 if world.trunk().session.is_none() => world.trunk().call(now),
        1 if world.trunk().session.is_some() && dice.below(4) == 0 => world.trunk().hang_up(now),
        2 | 3 if in_call => world.phone(n).pick_up(now),
        4 if in_call => world.phone(n).refuse(486, now),
        5 if in_call => world.phone(n).hang_up(now),
        6 if in_call && world.phone(n).up > 0 => hold(world, n),
        7 => play_out(world, dice),
        _ => {}
    }
    let time = [ms(5), ms(40), ms(700), secs(12)];
    world.run(time[dice.below(4) as usize]);
}

fn hold(world: &mut World, n: u64) {
    let now = world.now;
    let phone = world.phone(n);
    let held = phone.sdp.contains("a=sendonly");
    let (from, to) = match held {
        true => ("a=sendonly", "a=sendrecv"),
        false => ("a=sendrecv", "a=sendonly"),
    };
    phone.change(from, to, now);
}

fn play_out(world: &mut World, dice: &mut Dice) {
    let ports: Vec<_> = world.engine.ports.keys().copied().collect();
    if let Some(port) = ports.get(dice.below(8) as usize).copied() {
        world.media(match dice.below(4) {
            0 => MediaEvent::MediaLost { port },
            _ => {
                let clip = ClipId(1 + dice.below(4));
                MediaEvent::PlayFinished { port, clip }
            }
        });
    }
}

/// Each leg that was ever named has ended, once.
fn check_ends(world: &World, seed: u64) {
    let mut legs: BTreeSet<LegId> = BTreeSet::new();
    for event in &world.events {
        match event {
            Event::CallOffered { leg, .. } => assert!(legs.insert(*leg), "seed {seed}"),
            Event::LegRinging { leg }
            | Event::LegAnswered { leg }
            | Event::LegEnded { leg, .. } => {
                legs.insert(*leg);
            }
            _ => {}
        }
    }
    for leg in legs {
        assert_eq!(world.ends(leg).len(), 1, "seed {seed}, leg {leg}");
        let ended = |event: &Event| matches!(event, Event::LegEnded { leg: it, .. } if *it == leg);
        let last = world.events.iter().rposition(|event| match event {
            Event::LegRinging { leg: it }
            | Event::LegAnswered { leg: it }
            | Event::LegHeld { leg: it, .. } => *it == leg,
            event => ended(event),
        });
        assert!(
            last.is_some_and(|at| ended(&world.events[at])),
            "seed {seed}: nothing after the end"
        );
    }
}

#[test]
fn whatever_people_do_every_leg_ends_once_and_nothing_stays() {
    let (mut calls, mut talks) = (0, 0);
    for seed in 0..SEEDS {
        let mut dice = Dice(Seeded(seed));
        let mut world = house(PHONES);
        // Every other world has a network that loses one packet in ten.
        world.loses_one_in = if seed % 2 == 0 { 0 } else { 10 };
        for _ in 0..60 {
            step(&mut world, &mut dice);
        }
        let now = world.now;
        if world.trunk().session.is_some() {
            world.trunk().hang_up(now);
        }
        world.run(secs(600));
        check_ends(&world, seed);
        world.assert_empty();
        assert!(world.router.as_ref().is_some_and(routing::Router::is_idle));
        for n in 1..=PHONES {
            assert_eq!(
                world.phone(n).session,
                None,
                "seed {seed}: phone {n} is free"
            );
        }
        calls += world.records().len();
        let answered = |event: &&Event| matches!(event, Event::LegAnswered { .. });
        talks += world.events.iter().filter(answered).count();
    }
    assert!(
        calls > 200 && talks > 200,
        "enough happened: {calls} calls, {talks} pickups"
    );
}
