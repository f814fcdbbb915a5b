//! The exchange does what every back end must do.

mod support;

use std::time::{Duration, Instant};

use routing::{DeviceId, Event};
use support::{World, device};
use telephony::Telephony;
use telephony::conformance::{self, check_all};

impl conformance::World for World {
    fn back_end(&mut self) -> &mut dyn Telephony {
        &mut self.exchange
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn run(&mut self, time: Duration) -> Vec<Event> {
        let before = self.events.len();
        World::run(self, time);
        let events = self.events[before..].iter();
        let about_devices =
            |event: &&Event| matches!(event, Event::DeviceUp { .. } | Event::DeviceDown { .. });
        events
            .filter(|event| !about_devices(event))
            .cloned()
            .collect()
    }

    fn caller_calls(&mut self) {
        let now = self.now;
        self.trunk().call(now);
    }

    fn caller_hangs_up(&mut self) {
        let now = self.now;
        self.trunk().hang_up(now);
    }

    fn device(&mut self) -> DeviceId {
        device(1)
    }

    fn device_picks_up(&mut self) {
        let now = self.now;
        self.phone(1).pick_up(now);
    }

    fn device_declines(&mut self) {
        let now = self.now;
        self.phone(1).refuse(603, now);
    }

    fn device_hangs_up(&mut self) {
        let now = self.now;
        self.phone(1).hang_up(now);
    }

    fn open_ports(&self) -> usize {
        self.engine.ports.len()
    }
}

#[test]
fn the_exchange_conforms() {
    check_all(|| World::new(1));
}
