//! Anything that may happen, in any order: a tiny back end that lives by the
//! contract drives the router, and checks what no caller or volunteer may suffer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use routing::*;

use crate::desk::*;

/// The people, and the accounts of their phones; Max and Pia share one.
const PEOPLE: [(&str, &str); 5] = [
    ("ana", "ana"),
    ("eva", "eva"),
    ("luis", "luis"),
    ("max", "shared"),
    ("pia", "shared"),
];
const ACCOUNTS: [&str; 4] = ["ana", "eva", "luis", "shared"];
const DEVICES: u64 = 6;

/// Something happens; the numbers pick among what is there at that moment.
#[derive(Clone, Debug)]
enum Step {
    Call {
        number: usize,
        withheld: bool,
    },
    Deliver {
        which: usize,
    },
    PickUp {
        which: usize,
    },
    GiveUp {
        which: usize,
        end: LegEnd,
    },
    HangUp {
        which: usize,
        end: LegEnd,
    },
    LoseMedia {
        which: usize,
    },
    Hold {
        which: usize,
        held: bool,
    },
    Key {
        which: usize,
    },
    Play {
        which: usize,
    },
    EndRecording {
        which: usize,
        ms: u64,
        end: RecordingEnd,
    },
    DeviceUp {
        device: u64,
    },
    DeviceDown {
        device: u64,
    },
    Configure {
        duty: u8,
        on_break: u8,
        known: u8,
        screening: bool,
    },
    Waves {
        most: Option<usize>,
    },
    Wait {
        ms: u64,
    },
    TurnClock {
        hours: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    use LegEnd::{Busy, Declined, HungUp, NoAnswer, SignallingLost, Unreachable};
    let which = 0..8_usize;
    let end = prop::sample::select(vec![Busy, Declined, NoAnswer, Unreachable, SignallingLost]);
    let hang = prop::sample::select(vec![HungUp, HungUp, HungUp, SignallingLost, Unreachable]);
    let recorded = prop::sample::select(vec![
        RecordingEnd::Silence,
        RecordingEnd::MaxLength,
        RecordingEnd::Failed,
    ]);
    prop_oneof![
        4 => (0..3_usize, any::<bool>())
            .prop_map(|(number, withheld)| Step::Call { number, withheld }),
        8 => which.clone().prop_map(|which| Step::Deliver { which }),
        4 => which.clone().prop_map(|which| Step::PickUp { which }),
        3 => (which.clone(), end).prop_map(|(which, end)| Step::GiveUp { which, end }),
        2 => (which.clone(), hang).prop_map(|(which, end)| Step::HangUp { which, end }),
        1 => which.clone().prop_map(|which| Step::LoseMedia { which }),
        1 => (which.clone(), any::<bool>()).prop_map(|(which, held)| Step::Hold { which, held }),
        1 => which.clone().prop_map(|which| Step::Key { which }),
        3 => which.clone().prop_map(|which| Step::Play { which }),
        1 => (which, 0..5000_u64, recorded)
            .prop_map(|(which, ms, end)| Step::EndRecording { which, ms, end }),
        3 => (0..DEVICES).prop_map(|device| Step::DeviceUp { device }),
        1 => (0..DEVICES).prop_map(|device| Step::DeviceDown { device }),
        1 => (any::<u8>(), any::<u8>(), any::<u8>(), any::<bool>()).prop_map(
            |(duty, on_break, known, screening)| Step::Configure {
                duty,
                // Most people are there most of the time.
                on_break: on_break & (on_break >> 3),
                known: known | (known >> 3),
                screening,
            }
        ),
        1 => prop::option::of(1..4_usize).prop_map(|most| Step::Waves { most }),
        6 => (0..20_000_u64).prop_map(|ms| Step::Wait { ms }),
        1 => (-24..24_i64).prop_map(|hours| Step::TurnClock { hours }),
    ]
}

fn scene(duty: u8, on_break: u8, known: u8, screening: bool) -> RouterConfig {
    let chosen = |mask: u8| -> Vec<&str> {
        let names = PEOPLE.iter().enumerate();
        names
            .filter(|(at, _)| mask >> at & 1 == 1)
            .map(|(_, (name, _))| *name)
            .collect()
    };
    let mut night = hub_with(&chosen(duty), &["eva", "pia"]);
    night.answer_after = secs(5);
    night.screening.rate_limit = screening.then(|| RateLimit {
        max_calls: 2,
        window: secs(20),
    });
    let day = HubConfig {
        wrap_up: secs(0),
        ..hub_with(&chosen(duty.rotate_left(2)), &["max"])
    };
    let mut hubs: BTreeMap<HubId, HubConfig> = [(hub("night"), night)].into();
    if duty & 0x80 == 0 {
        hubs.insert(hub("day"), day);
    }
    let volunteers = PEOPLE
        .iter()
        .enumerate()
        .filter(|(at, _)| known >> at & 1 == 1)
        .map(|(at, (name, account))| {
            let volunteer = VolunteerConfig {
                accounts: [AccountId::new(account)].into(),
                on_break: on_break >> at & 1 == 1,
            };
            (person(name), volunteer)
        })
        .collect();
    RouterConfig {
        hubs,
        numbers: [(number(NIGHT), hub("night")), (number(DAY), hub("day"))].into(),
        volunteers,
    }
}

/// A leg as a back end sees it.
#[derive(Default)]
struct Line {
    /// The device of a dialled leg.
    device: Option<u64>,
    up: bool,
    answer_ordered: bool,
    ending: bool,
    playing_once: Option<PromptKind>,
    recording: Option<RecordingId>,
    with: Option<LegId>,
}

struct World {
    router: Router,
    now: Instant,
    config: RouterConfig,
    lines: BTreeMap<LegId, Line>,
    /// What a back end has to tell, but has not yet.
    pending: Vec<Event>,
    registered: BTreeMap<u64, &'static str>,
    /// Who took which call, by their leg.
    talking: BTreeMap<LegId, VolunteerId>,
    ringing: BTreeMap<LegId, VolunteerId>,
    wrap_up: BTreeMap<VolunteerId, Instant>,
    told: BTreeMap<VolunteerId, VolunteerState>,
    started: BTreeSet<CallId>,
    ended: BTreeSet<CallId>,
    callers: u64,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let config = scene(0b111, 0, 0xff, false);
        let router = Router::new(config.clone(), Box::new(PlainHasher), CallId(1), now);
        let mut world = Self {
            router,
            now,
            config,
            lines: BTreeMap::new(),
            pending: Vec::new(),
            registered: BTreeMap::new(),
            talking: BTreeMap::new(),
            ringing: BTreeMap::new(),
            wrap_up: BTreeMap::new(),
            told: BTreeMap::new(),
            started: BTreeSet::new(),
            ended: BTreeSet::new(),
            callers: 0,
        };
        let wall = NOON.parse().unwrap();
        world.router.set_wall_clock(wall, now);
        world.after();
        world
    }

    fn tell(&mut self, event: Event) {
        self.router.handle_event(event, self.now);
        self.after();
    }

    /// Carries the orders out, and checks each.
    fn after(&mut self) {
        self.router.check_invariants().unwrap();
        let mut notices = Vec::new();
        while let Some(notice) = self.router.poll_notice() {
            notices.push(notice);
        }
        // Who is to be rung is told right beside the order.
        for notice in &notices {
            if let Notice::RingStarted { volunteer, leg, .. } = notice {
                self.ringing.insert(*leg, volunteer.clone());
            }
        }
        while let Some(command) = self.router.poll_command() {
            self.obey(command);
        }
        for notice in notices {
            self.note(notice);
        }
    }

    fn obey(&mut self, command: Command) {
        let leg = command.leg();
        match command {
            Command::Dial { device, .. } => {
                self.check_dial(leg, device.0);
                let device = Some(device.0);
                let line = Line {
                    device,
                    ..Line::default()
                };
                assert!(self.lines.insert(leg, line).is_none());
                return;
            }
            Command::Bridge { a, b } => self.check_bridge(a, b),
            Command::Unbridge { a, b } => {
                assert_eq!(self.line(a).with, Some(b));
                self.part(a);
            }
            _ => {}
        }
        let line = self.line(leg);
        match command {
            Command::Reject { .. } => {
                line.ending = true;
                self.pending.push(Event::LegEnded {
                    leg,
                    end: LegEnd::Ordered,
                });
            }
            Command::Answer { .. } => {
                assert!(!line.answer_ordered && line.device.is_none());
                line.answer_ordered = true;
                self.pending.push(Event::LegAnswered { leg });
            }
            Command::Hangup { .. } => {
                if !line.ending {
                    line.ending = true;
                    self.pending.push(Event::LegEnded {
                        leg,
                        end: LegEnd::Ordered,
                    });
                }
                self.talking.remove(&leg);
                self.part(leg);
            }
            Command::Play { prompt, repeat, .. } => {
                assert!(line.up && !line.ending && line.with.is_none());
                line.playing_once = (!repeat).then_some(prompt.kind);
            }
            Command::StopPlaying { .. } => line.playing_once = None,
            Command::Record { recording, .. } => {
                assert!(line.up && !line.ending && line.recording.is_none());
                line.playing_once = None;
                line.recording = Some(recording);
            }
            Command::StopRecording { .. } => self.end_recording(leg, RecordingEnd::Stopped, 3000),
            Command::Ring { .. } => assert!(!line.answer_ordered),
            Command::Dial { .. } | Command::Bridge { .. } | Command::Unbridge { .. } => {}
        }
    }

    /// Every order is for a leg that is live.
    fn line(&mut self, leg: LegId) -> &mut Line {
        self.lines.get_mut(&leg).expect("orders are for live legs")
    }

    fn part(&mut self, leg: LegId) {
        if let Some(other) = self.line(leg).with.take()
            && let Some(other) = self.lines.get_mut(&other)
        {
            other.with = None;
        }
    }

    fn check_bridge(&mut self, a: LegId, b: LegId) {
        for leg in [a, b] {
            let line = self.line(leg);
            assert!(!line.ending && line.with.is_none(), "one at a time");
            line.playing_once = None;
        }
        assert!(self.line(a).device.is_none() && self.line(a).answer_ordered);
        assert!(self.line(b).up);
        self.line(a).with = Some(b);
        self.line(b).with = Some(a);
    }

    /// Only who is free, at hand and wanted is rung.
    fn check_dial(&self, leg: LegId, device: u64) {
        let volunteer = &self.ringing[&leg];
        let account = AccountId::new(self.registered[&device]);
        let settings = &self.config.volunteers[volunteer];
        assert!(settings.accounts.contains(&account));
        assert!(!settings.on_break, "{volunteer} is on break");
        let occupied = |line: &Line| line.device == Some(device);
        assert!(!self.lines.values().any(occupied), "one call per phone");
        assert!(!self.talking.values().any(|who| who == volunteer));
        let wraps_up = self.wrap_up.get(volunteer);
        assert!(wraps_up.is_none_or(|until| *until <= self.now));
    }

    fn note(&mut self, notice: Notice) {
        match notice {
            Notice::CallStarted { call, .. } => assert!(self.started.insert(call)),
            Notice::RingStopped { leg, .. } => {
                self.ringing.remove(&leg);
            }
            Notice::CallAnswered { volunteer, .. } => {
                let ringing = self.ringing.iter();
                let mut taken = ringing.filter(|(leg, who)| {
                    **who == volunteer && self.lines.get(leg).is_some_and(|line| line.up)
                });
                let leg = *taken.next().expect("an answered phone").0;
                self.ringing.remove(&leg);
                self.talking.insert(leg, volunteer);
            }
            Notice::VolunteerChanged { volunteer, state } => {
                let before = self.told.insert(volunteer.clone(), state);
                assert_ne!(before, Some(state), "only changes are told");
                // Others come back from having been removed in the middle of it.
                let from_call = before == Some(VolunteerState::InCall);
                if from_call && state == VolunteerState::WrapUp {
                    self.wrap_up.insert(volunteer, self.now + secs(30));
                }
            }
            Notice::CallEnded(record) => {
                assert!(self.started.contains(&record.call));
                assert!(self.ended.insert(record.call), "one outcome per call");
                let talked = record.outcome == Outcome::Answered;
                assert_eq!(talked, record.answered_by.is_some());
                assert!(talked || record.talk.is_zero());
                assert_eq!(record.until_ring.is_some(), !record.rung.is_empty());
            }
            _ => {}
        }
    }

    fn end_recording(&mut self, leg: LegId, end: RecordingEnd, ms: u64) {
        if let Some(recording) = self.line(leg).recording.take() {
            let length = Duration::from_millis(ms);
            self.pending.push(Event::RecordingFinished {
                leg,
                recording,
                end,
                length,
            });
        }
    }

    fn pick(&self, which: usize, wanted: impl Fn(&Line) -> bool) -> Option<LegId> {
        let lines = self.lines.iter().filter(|(_, line)| wanted(line));
        let legs: Vec<LegId> = lines.map(|(leg, _)| *leg).collect();
        (!legs.is_empty()).then(|| legs[which % legs.len()])
    }

    /// The leg is over: the back end says so, and forgets it.
    fn over(&mut self, leg: LegId, end: LegEnd) {
        self.part(leg);
        self.end_recording(leg, RecordingEnd::Stopped, 900);
        self.lines.remove(&leg);
        self.talking.remove(&leg);
        let stale = |event: &Event| !matches!(event, Event::LegAnswered { leg: of } | Event::LegEnded { leg: of, .. } if *of == leg);
        self.pending.retain(stale);
        self.tell(Event::LegEnded { leg, end });
    }

    fn deliver(&mut self, which: usize) {
        if self.pending.is_empty() {
            return;
        }
        let event = self.pending.remove(which % self.pending.len());
        match event {
            Event::LegEnded { leg, end } => self.over(leg, end),
            Event::LegAnswered { leg } => {
                self.line(leg).up = true;
                self.tell(event);
            }
            _ => self.tell(event),
        }
    }

    fn wait(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some((at, reason)) = self.router.poll_timeout()
            && at <= until
        {
            self.now = self.now.max(at);
            self.router.handle_timeout(self.now);
            self.after();
            let next = self.router.poll_timeout();
            assert!(next.is_none_or(|(next, _)| next > self.now), "{reason:?}");
        }
        self.now = until;
    }

    fn act(&mut self, step: Step) {
        let ringing = |line: &Line| line.device.is_some() && !line.up;
        match step {
            Step::Call {
                number: nth,
                withheld,
            } => self.call(nth, withheld),
            Step::Deliver { which } => self.deliver(which),
            // A phone may be picked up while the order to stop is on its way.
            Step::PickUp { which } => {
                if let Some(leg) = self.pick(which, ringing) {
                    self.line(leg).up = true;
                    self.tell(Event::LegAnswered { leg });
                }
            }
            Step::GiveUp { which, end } => {
                if let Some(leg) = self.pick(which, ringing) {
                    self.over(leg, end);
                }
            }
            Step::HangUp { which, end } => {
                if let Some(leg) = self.pick(which, |line| line.up || line.device.is_none()) {
                    self.over(leg, end);
                }
            }
            Step::LoseMedia { which } => {
                if let Some(leg) = self.pick(which, |line| line.up) {
                    self.tell(Event::MediaLost { leg });
                }
            }
            Step::Hold { which, held } => {
                if let Some(leg) = self.pick(which, |line| line.up) {
                    self.tell(Event::LegHeld { leg, held });
                }
            }
            Step::Key { which } => {
                if let Some(leg) = self.pick(which, |line| line.up) {
                    let digit = Digit::new('#').unwrap();
                    self.tell(Event::DigitPressed { leg, digit });
                }
            }
            Step::Play { which } => {
                if let Some(leg) = self.pick(which, |line| line.playing_once.is_some())
                    && let Some(kind) = self.line(leg).playing_once.take()
                {
                    self.tell(Event::PlaybackFinished { leg, kind });
                }
            }
            Step::EndRecording { which, ms, end } => {
                if let Some(leg) = self.pick(which, |line| line.recording.is_some()) {
                    self.end_recording(leg, end, ms);
                }
            }
            Step::Wait { ms } => self.wait(ms),
            other => self.change(other),
        }
    }

    fn call(&mut self, nth: usize, withheld: bool) {
        self.callers += 1;
        let leg = LegId::incoming(0, self.callers);
        self.lines.insert(leg, Line::default());
        self.tell(Event::CallOffered {
            leg,
            trunk: None,
            caller: (!withheld).then(|| number("+34600111222")),
            called: number([NIGHT, DAY, "+999"][nth]),
        });
    }

    fn change(&mut self, step: Step) {
        match step {
            Step::DeviceUp { device } => {
                let account = ACCOUNTS[usize::try_from(device).unwrap() % ACCOUNTS.len()];
                self.registered.insert(device, account);
                let account = AccountId::new(account);
                let device = DeviceId(device);
                self.tell(Event::DeviceUp { device, account });
            }
            Step::DeviceDown { device } => {
                self.registered.remove(&device);
                let device = DeviceId(device);
                self.tell(Event::DeviceDown { device });
            }
            Step::Configure {
                duty,
                on_break,
                known,
                screening,
            } => {
                self.config = scene(duty, on_break, known, screening);
                self.router.configure(self.config.clone(), self.now);
                self.after();
            }
            Step::Waves { most } => self.router.set_max_parallel_legs(most),
            Step::TurnClock { hours } => {
                let noon: jiff::Timestamp = NOON.parse().unwrap();
                let wall = noon + jiff::SignedDuration::from_hours(hours);
                self.router.set_wall_clock(wall, self.now);
                self.after();
            }
            _ => {}
        }
    }

    /// Everyone hangs up: nothing may be left.
    fn close(&mut self) {
        self.router.drain(self.now);
        self.after();
        while let Some(leg) = self.pick(0, |line| line.device.is_none()) {
            self.over(leg, LegEnd::HungUp);
        }
        while !self.pending.is_empty() {
            self.deliver(0);
        }
        // Dialled legs that are still live were told to end, or their end would be pending.
        assert!(self.lines.is_empty(), "every dialled leg ends");
        assert!(self.router.is_idle());
        assert_eq!(self.started, self.ended);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_happens_leaves_a_caller_or_a_phone_behind(
        steps in prop::collection::vec(step(), 1..150)
    ) {
        let mut world = World::new();
        for device in 0..DEVICES {
            world.change(Step::DeviceUp { device });
        }
        for step in steps {
            world.act(step);
        }
        world.close();
    }
}
