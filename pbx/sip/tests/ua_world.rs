//! Two whole user agents on a network that loses, repeats and reorders.

mod ua_support;

use std::time::Duration;

use sip::ua::{
    BindingId, ReofferKind, SessionEnd, SessionId, Trunk, TrunkKind, TrunkPassword, UaConfig,
    UaEvent,
};
use ua_support::net::{Weather, World};
use ua_support::*;

const HUB: usize = 0;
const PHONE_NODE: usize = 1;
const LONG: Duration = Duration::from_secs(70);

/// A user agent in the part of a phone: the hub is the carrier that it registers with.
fn phone_config() -> UaConfig {
    let mut config = config();
    config.realm = "phone.example".into();
    config.default_local = addr(PHONE);
    config.accounts.clear();
    config.trunks = vec![Trunk {
        name: "hub".into(),
        kind: TrunkKind::Register {
            host: "192.0.2.1".into(),
            port: 5060,
            tcp: false,
            user: "ana".into(),
            password: TrunkPassword("ana".into()),
            expires: Duration::from_secs(3600),
        },
    }];
    config
}

/// A hub and a phone that has registered with it.
fn world(seed: u64) -> (World, BindingId) {
    let mut hub = config();
    hub.trunks.clear();
    let mut world = World::new(seed, vec![hub, phone_config()]);
    let binding = world
        .wait(HUB, LONG, |event| match event {
            UaEvent::BindingUpserted(binding) => Some(binding.id),
            _ => None,
        })
        .expect("registered");
    world
        .wait(PHONE_NODE, LONG, |event| {
            matches!(
                event,
                UaEvent::TrunkState {
                    registered: true,
                    ..
                }
            )
            .then_some(())
        })
        .expect("told so");
    (world, binding)
}

fn call(world: &mut World, binding: BindingId) -> SessionId {
    let invite = outgoing(binding);
    let now = world.now;
    world.nodes[HUB].ua.invite(invite, now)
}

fn incoming(world: &mut World, node: usize) -> Option<SessionId> {
    world.wait(node, LONG, |event| match event {
        UaEvent::Incoming { session, .. } => Some(*session),
        _ => None,
    })
}

fn ended(world: &mut World, node: usize) -> Option<SessionEnd> {
    world.wait(node, LONG, |event| match event {
        UaEvent::Ended { end, .. } => Some(end.clone()),
        _ => None,
    })
}

/// Ring, answer, re-offer from both sides, hang up: all told once, nothing left.
fn whole_call(world: &mut World, binding: BindingId) {
    let ours = call(world, binding);
    let theirs = incoming(world, PHONE_NODE).expect("a call");
    let now = world.now;
    world.nodes[PHONE_NODE].ua.ring(theirs, now);
    world.run(Duration::from_secs(3));
    let now = world.now;
    world.nodes[PHONE_NODE].ua.answer(theirs, sdp(7000), now);
    world
        .wait(HUB, LONG, |event| {
            matches!(event, UaEvent::Answered { .. }).then_some(())
        })
        .expect("answered");
    world
        .wait(PHONE_NODE, LONG, |event| {
            matches!(event, UaEvent::Acknowledged { .. }).then_some(())
        })
        .expect("acknowledged");
    for (from, session, to, other) in [
        (HUB, ours, PHONE_NODE, theirs),
        (PHONE_NODE, theirs, HUB, ours),
    ] {
        let now = world.now;
        world.nodes[from].ua.reinvite(session, sdp(4002), now);
        let kind = world.wait(to, LONG, |event| match event {
            UaEvent::Reoffer { kind, .. } => Some(matches!(kind, ReofferKind::Offer(_))),
            _ => None,
        });
        assert_eq!(kind, Some(true));
        let now = world.now;
        world.nodes[to].ua.accept_reoffer(other, sdp(7002), now);
        let done = |event: &UaEvent| matches!(event, UaEvent::Reanswered { .. }).then_some(());
        world.wait(from, LONG, done).expect("answered again");
        world.run(Duration::from_secs(8));
    }
    let now = world.now;
    world.nodes[HUB].ua.hangup(ours, None, now);
    assert_eq!(ended(world, HUB), Some(SessionEnd::Local));
    assert_eq!(ended(world, PHONE_NODE), Some(SessionEnd::RemoteBye));
}

fn assert_clean(world: &mut World) {
    world.weather = Weather::default();
    world.drop_numbers.clear();
    world.run(Duration::from_secs(200));
    for node in &mut world.nodes {
        let counts = node.ua.counts();
        assert_eq!((counts.transactions, counts.sessions), (0, 0), "{counts:?}");
        let sessions: Vec<&UaEvent> = node
            .events
            .iter()
            .filter(|event| {
                !matches!(
                    event,
                    UaEvent::TrunkState { .. } | UaEvent::BindingUpserted(_)
                )
            })
            .collect();
        assert!(sessions.is_empty(), "told more than once: {sessions:?}");
    }
}

#[test]
fn a_whole_call_survives_the_loss_of_any_single_message() {
    let (mut world, binding) = world(1);
    world.forget_numbers();
    whole_call(&mut world, binding);
    let messages = world.sent();
    assert_clean(&mut world);
    assert_eq!(messages, 15, "nothing is said that need not be");
    for lost in 1..=messages {
        let (mut world, binding) = self::world(1);
        world.forget_numbers();
        world.drop_numbers = vec![lost];
        whole_call(&mut world, binding);
        assert_clean(&mut world);
    }
}

#[test]
fn a_whole_call_survives_the_loss_of_any_two_messages_in_a_row() {
    for lost in 1..=24 {
        let (mut world, binding) = world(2);
        world.forget_numbers();
        world.drop_numbers = vec![lost, lost + 1];
        whole_call(&mut world, binding);
        assert_clean(&mut world);
    }
}

#[test]
fn bad_weather_changes_nothing_but_the_time() {
    for seed in 1..=60 {
        let (mut world, binding) = world(seed);
        world.weather = Weather {
            loss: 15,
            repeat: 20,
            jitter_ms: 400,
        };
        for _ in 0..3 {
            whole_call(&mut world, binding);
        }
        assert_clean(&mut world);
    }
}

#[test]
fn cancelling_in_bad_weather_never_leaves_a_phone_ringing() {
    let mut crossings = 0;
    for seed in 1..=200 {
        let (mut world, binding) = world(seed);
        world.weather = Weather {
            loss: 10,
            repeat: 20,
            jitter_ms: 300,
        };
        let ours = call(&mut world, binding);
        if let Some(theirs) = incoming(&mut world, PHONE_NODE) {
            let now = world.now;
            world.nodes[PHONE_NODE].ua.ring(theirs, now);
            let wait = Duration::from_millis(world.rng.below(800) as u64);
            world.run(wait);
            let now = world.now;
            world.nodes[PHONE_NODE].ua.answer(theirs, sdp(7000), now);
        }
        let wait = Duration::from_millis(world.rng.below(400) as u64);
        world.run(wait);
        let answered = world.nodes[HUB]
            .events
            .iter()
            .any(|event| matches!(event, UaEvent::Answered { .. }));
        crossings += u32::from(!answered);
        let now = world.now;
        world.nodes[HUB].ua.hangup(ours, None, now);
        world.weather = Weather::default();
        world.run(Duration::from_secs(200));
        for node in &world.nodes {
            let counts = node.ua.counts();
            assert_eq!(
                (counts.transactions, counts.sessions),
                (0, 0),
                "seed {seed}"
            );
            let ends = node
                .events
                .iter()
                .filter(|event| matches!(event, UaEvent::Ended { .. }))
                .count();
            assert_eq!(ends, 1, "seed {seed}");
        }
    }
    assert!(crossings > 20, "{crossings} answers crossed the hang-up");
}

#[test]
fn offers_that_cross_are_settled() {
    for seed in 1..=20 {
        let (mut world, binding) = world(seed);
        let ours = call(&mut world, binding);
        let theirs = incoming(&mut world, PHONE_NODE).expect("a call");
        let now = world.now;
        world.nodes[PHONE_NODE].ua.answer(theirs, sdp(7000), now);
        world.run(Duration::from_secs(1));
        for node in &mut world.nodes {
            node.events.clear();
        }
        let now = world.now;
        world.nodes[HUB].ua.reinvite(ours, sdp(4002), now);
        world.nodes[PHONE_NODE].ua.reinvite(theirs, sdp(7002), now);
        let (mut answers, end) = (0, world.now + Duration::from_secs(30));
        while world.step(end) {
            let now = world.now;
            for (node, session) in [(HUB, ours), (PHONE_NODE, theirs)] {
                while let Some(event) = world.nodes[node].events.pop_front() {
                    match event {
                        UaEvent::Reoffer { .. } => {
                            world.nodes[node].ua.accept_reoffer(session, sdp(4444), now);
                        }
                        UaEvent::Reanswered { .. } => answers += 1,
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
        assert_eq!(answers, 2, "both offers were answered in the end");
    }
}
