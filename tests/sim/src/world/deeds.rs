//! What happens to a hotline: callers, breaks, changes, clocks, cuts.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{SHIFT, TRUNK, World, address, timestamp};
use crate::endpoint::Call;
use crate::hotline::Hotline;
use crate::watch::Verdict;

/// Callers of one world.
const CALLERS: u64 = 50;

/// Something that happens at a set time.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Call,
    Break(usize),
    Alter,
    TurnClock,
    CutOff(SocketAddr),
    TakeBack(SocketAddr),
    Crash(usize),
    Reboot(usize),
    CheckRing(String),
}

impl World {
    pub(super) fn plan(&mut self, at: Instant, deed: Deed) {
        self.sequence += 1;
        self.deeds.insert((at, self.sequence), deed);
    }

    /// Draws the world's history. In a perfect one nothing is cut, crashes or lies.
    pub(super) fn plan_deeds(&mut self, perfect: bool) {
        let rush = self.rng.chance(300);
        let spread = if rush { SHIFT / 3 } else { SHIFT };
        for _ in 0..CALLERS {
            let at = self.some_time(spread);
            self.plan(at, Deed::Call);
        }
        for _ in 0..self.rng.below(10) {
            let (at, who) = (self.some_time(SHIFT), self.some_volunteer());
            self.plan(at, Deed::Break(who));
        }
        for _ in 0..self.rng.below(5) {
            let at = self.some_time(SHIFT);
            self.plan(at, Deed::Alter);
        }
        for _ in 0..self.rng.below(3) {
            let at = self.some_time(SHIFT);
            self.plan(at, Deed::TurnClock);
        }
        if !perfect {
            self.plan_trouble();
        }
    }

    fn plan_trouble(&mut self) {
        let phones = self.phones.len() as u64;
        for _ in 0..self.rng.below(4) {
            let at = self.some_time(SHIFT);
            let phone = usize::try_from(self.rng.below(phones)).unwrap_or(0);
            let place = self.phones[phone].address();
            let back = at + self.rng.secs(1, 300);
            self.plan(at, Deed::CutOff(place));
            self.plan(back, Deed::TakeBack(place));
        }
        if self.rng.chance(300) {
            let at = self.some_time(SHIFT);
            let back = at + self.rng.secs(1, 60);
            self.plan(at, Deed::CutOff(address(TRUNK)));
            self.plan(back, Deed::TakeBack(address(TRUNK)));
        }
        for _ in 0..self.rng.below(4) {
            let at = self.some_time(SHIFT);
            let phone = usize::try_from(self.rng.below(phones)).unwrap_or(0);
            let back = at + self.rng.secs(1, 400);
            self.plan(at, Deed::Crash(phone));
            self.plan(back, Deed::Reboot(phone));
        }
    }

    fn some_time(&mut self, within: Duration) -> Instant {
        // The first seconds belong to the phones, which register.
        let end = u64::try_from(within.as_millis()).unwrap_or(10_000);
        self.start + self.rng.millis(5_000, end)
    }

    fn some_volunteer(&mut self) -> usize {
        let people = self.hotline.volunteers.len() as u64;
        usize::try_from(self.rng.below(people)).unwrap_or(0)
    }

    pub(super) fn do_deed(&mut self, deed: Deed) -> Verdict {
        self.say(|| format!("            ----    {deed:?}"));
        let now = self.now;
        match deed {
            Deed::Call => {
                let call = self.draw_call();
                self.gateway.call(call, now);
                self.carry_endpoint(0);
                self.forget_rings();
                Ok(())
            }
            Deed::Break(who) => {
                let volunteer = &mut self.hotline.volunteers[who];
                volunteer.on_break = !volunteer.on_break;
                self.configure()
            }
            Deed::Alter => {
                self.hotline.alter(&mut self.rng);
                self.configure()
            }
            Deed::TurnClock => self.turn_clock(),
            Deed::CutOff(place) => {
                self.cut_off(place, true);
                Ok(())
            }
            Deed::TakeBack(place) => {
                self.cut_off(place, false);
                Ok(())
            }
            Deed::Crash(phone) => {
                self.phones[phone].crash();
                self.disturb(phone + 1);
                self.carry_voice(phone + 1);
                Ok(())
            }
            Deed::Reboot(phone) => {
                if !self.phones[phone].is_alive() {
                    self.phones[phone].reboot(now);
                }
                Ok(())
            }
            Deed::CheckRing(call_id) => self.check_ring(&call_id),
        }
    }

    fn cut_off(&mut self, place: SocketAddr, cut_off: bool) {
        self.net.set_cut_off(place.ip(), cut_off);
        if let Some(place) = self.place_of(place) {
            self.disturb(place);
            self.carry_voice(place);
        }
    }

    fn configure(&mut self) -> Verdict {
        let now = self.now;
        self.watch.configured(self.hotline.clone());
        self.watch.foresee(false, now);
        let config = self.injector.config(&self.hotline);
        self.router.configure(config, now);
        self.after_router()?;
        self.turn(false)
    }

    /// The machine's clock is corrected, by a little or by hours.
    fn turn_clock(&mut self) -> Verdict {
        let now = self.now;
        let most = if self.rng.chance(500) { 5 } else { 4 * 3600 };
        let by = i64::try_from(self.rng.below(2 * most + 1)).unwrap_or(0) * 1_000_000_000;
        let half = i64::try_from(most).unwrap_or(0) * 1_000_000_000;
        let wall_ns = self.watch.wall_ns(now) + by - half;
        self.watch.clock_set(wall_ns, now);
        self.watch.foresee(false, now);
        let wall = timestamp(wall_ns, &self.injector);
        self.router.set_wall_clock(wall, now);
        self.after_router()?;
        self.turn(false)
    }

    fn draw_call(&mut self) -> Call {
        let rng = &mut self.rng;
        let nth = rng.below(self.hotline.hubs.len() as u64);
        let hub = &self.hotline.hubs[usize::try_from(nth).unwrap_or(0)];
        let called = match rng.chance(30) {
            true => "+999000".to_owned(),
            false => hub.number.clone(),
        };
        // A few people call often; 1 and 2 are banned where there is a ban list.
        let number = match rng.below(10) {
            0 | 1 => None,
            2 => Some(Hotline::caller(rng.between(1, 2))),
            3 | 4 => Some(Hotline::caller(rng.between(3, 5))),
            _ => Some(Hotline::caller(rng.between(6, 999))),
        };
        Call {
            number,
            called,
            offerless: rng.chance(100),
            without_length: rng.chance(100),
            patience: match rng.chance(400) {
                true => rng.millis(200, 60_000),
                false => rng.secs(200, 400),
            },
            talk: rng.secs(3, 200),
            message: rng.millis(300, 80_000),
            presses: rng.chance(400),
            hangs_up_after_message: rng.chance(500),
            vanishes_after: rng.chance(50).then(|| rng.millis(100, 120_000)),
            holds: rng.chance(60),
        }
    }
}
