//! Phones that are picked up at the same moment.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use e2e::hotline::Hotline;
use e2e::net::Net;
use e2e::server::Server;
use e2e::sipp::Plan;
use e2e::wire::{Arrived, Phones, headers};

const ROUNDS: u32 = 100;
/// Two are picked up at once; the others only ring.
const PHONES: usize = 8;
/// How long a caller stays with the winner. Whoever is released before that was not the winner.
const HOLD_MS: u32 = 150;
const QUIET: Duration = Duration::from_millis(60);
const WITHIN: Duration = Duration::from_secs(10);

/// What became of one round.
#[derive(Default)]
struct Round {
    invites: Vec<Option<String>>,
    acknowledged: BTreeSet<usize>,
    released: Vec<(usize, Instant)>,
    cancelled: Vec<(usize, Instant)>,
}

#[test]
fn of_two_who_pick_up_at_once_one_has_the_caller_each_time() {
    let net = Net::new();
    let names: Vec<String> = (0..PHONES).map(|n| format!("v{n}")).collect();
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    let server = Server::start(&Hotline::new(net, &ids).offering_sha256());
    let mut phones = Phones::new();
    for (n, name) in (0_u8..).zip(&names) {
        let phone = phones.plug_in(net, net.phone(n), name);
        phones.register(phone);
    }
    server.wait_phones(PHONES as u64);
    let mut callers = Plan::caller("caller", net, "+34911987654")
        .set("hold_ms", &HOLD_MS.to_string())
        .set("play", "")
        .calls(ROUNDS)
        .start(net);
    let (mut gaps, mut stops) = (Vec::new(), Vec::new());
    let (mut first_wins, mut early) = (0, Vec::new());
    for round in 0..ROUNDS {
        let (gap, stop, winner) = play(&phones, round, &mut early);
        gaps.push(gap);
        stops.push(stop);
        first_wins += u32::from(winner == first_of(round));
    }
    callers.succeeds();
    server.wait_idle();
    println!(
        "{ROUNDS} rounds, every caller connected; the first of the two won {first_wins} times"
    );
    println!("between the two 200s: {}", spread(&mut gaps));
    println!(
        "from the first 200 out of the phone to the last of {} CANCELs in: {}",
        PHONES - 2,
        spread(&mut stops)
    );
    let calls = server.say(&["calls", "--limit", "200"]);
    assert_eq!(
        calls.matches("answered").count() - 1,
        ROUNDS as usize,
        "{calls}"
    );
}

/// Which of the two is picked up first.
fn first_of(round: u32) -> usize {
    round as usize % 2
}

/// One call. The time between the two answers, the time until the last other phone was told to
/// stop, and which of the two has the caller. `early` are INVITEs of the next call, which comes in
/// while this one is still looked at.
fn play(phones: &Phones, round: u32, early: &mut Vec<Arrived>) -> (Duration, Duration, usize) {
    let mut seen = Round {
        invites: vec![None; PHONES],
        ..Round::default()
    };
    let mut waiting = std::mem::take(early).into_iter();
    while seen.invites.iter().any(Option::is_none) {
        let arrived = waiting.next().or_else(|| phones.next(WITHIN));
        let arrived = arrived.expect("an INVITE at every phone");
        if arrived.is("INVITE") {
            let ringing = phones.response_to(arrived.phone, &arrived.text, "180 Ringing", false);
            phones.send(arrived.phone, &ringing);
            seen.invites[arrived.phone] = Some(arrived.text);
        }
    }
    // Whoever was first in one round is second in the next.
    let pair = [first_of(round), 1 - first_of(round)];
    let answers = pair.map(|phone| {
        let invite = seen.invites[phone].as_deref().unwrap();
        phones.response_to(phone, invite, "200 OK", true)
    });
    let first = Instant::now();
    phones.send(pair[0], &answers[0]);
    let second = Instant::now();
    phones.send(pair[1], &answers[1]);
    // Until the winner was released too, because the caller hung up, and then nothing more comes.
    while let Some(arrived) = phones.next(if seen.released.len() < 2 {
        WITHIN
    } else {
        QUIET
    }) {
        if arrived.is("INVITE") {
            early.push(arrived);
        } else {
            take(phones, &mut seen, arrived);
        }
    }
    judge(&seen, round);
    let stopped = seen.cancelled.iter().filter(|(phone, _)| *phone > 1);
    let stop = stopped.map(|(_, at)| *at - first).max().unwrap();
    (second - first, stop, seen.released[1].0)
}

fn take(phones: &Phones, seen: &mut Round, arrived: Arrived) {
    let Arrived { phone, at, text } = &arrived;
    if arrived.is("ACK") {
        let number = |text: &str| {
            headers(text, "CSeq")[0]
                .split(' ')
                .next()
                .map(str::to_owned)
        };
        if number(text) == number(seen.invites[*phone].as_deref().unwrap()) {
            seen.acknowledged.insert(*phone);
        }
        return;
    }
    if !arrived.is("BYE") && !arrived.is("CANCEL") {
        return;
    }
    phones.send(*phone, &phones.response_to(*phone, text, "200 OK", false));
    if arrived.is("BYE") {
        seen.released.push((*phone, *at));
    } else {
        seen.cancelled.push((*phone, *at));
        if *phone > 1 {
            let invite = seen.invites[*phone].as_deref().unwrap();
            let ended = phones.response_to(*phone, invite, "487 Request Terminated", false);
            phones.send(*phone, &ended);
        }
    }
}

fn judge(seen: &Round, round: u32) {
    assert_eq!(
        seen.released.len(),
        2,
        "round {round}: each answer ends in one BYE"
    );
    let [(loser, early), (winner, late)] = seen.released[..] else {
        panic!("round {round}");
    };
    assert_ne!(loser, winner, "round {round}");
    assert!(
        seen.acknowledged.contains(&0) && seen.acknowledged.contains(&1),
        "round {round}"
    );
    let kept = late - early;
    assert!(
        kept >= Duration::from_millis(u64::from(HOLD_MS) / 2),
        "round {round}: the winner was released {kept:?} after the loser"
    );
    let others: BTreeSet<usize> = seen.cancelled.iter().map(|(phone, _)| *phone).collect();
    let expected: BTreeSet<usize> = (2..PHONES).collect();
    assert!(
        others.is_superset(&expected),
        "round {round}: only {others:?} stopped"
    );
}

fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    format!(
        "median {:?}, 95 % {:?}, longest {:?}",
        at(50),
        at(95),
        at(100)
    )
}
