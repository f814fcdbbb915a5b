//! A caller with a name, and where it could come to light.

use super::peer::{CALLER_NAME, CALLER_NUMBER};
use super::raw::header;
use super::{TRUNK, World, addr, ms, phone, secs};

/// A call with everything that phones are told: INVITE, CANCEL, re-INVITE both ways, BYE.
pub fn eventful_call(world: &mut World) {
    let now = world.now;
    world.trunk().call(now);
    world.run(secs(1));
    let now = world.now;
    world.phone(1).pick_up(now);
    world.run(secs(1));
    for (from, to) in [("a=sendrecv", "a=sendonly"), ("a=sendonly", "a=sendrecv")] {
        let now = world.now;
        world.phone(1).change(from, to, now);
        world.run(ms(200));
        let now = world.now;
        world.trunk().change(from, to, now);
        world.run(ms(200));
    }
    world.in_dialog(phone(1), "INFO", 60, ("application/dtmf", "1"));
    let now = world.now;
    world.trunk().hang_up(now);
    world.run(secs(60));
}

/// Everything on the carrier's side that is of the caller or of the call.
pub fn secrets(world: &World) -> Vec<String> {
    let invite = world
        .wire
        .iter()
        .find(|packet| packet.from == addr(TRUNK))
        .expect("the caller's INVITE")
        .text();
    let from = header(&invite, "From");
    let tag = from.split("tag=").nth(1).expect("a tag");
    let via = header(&invite, "Via");
    let branch = via.split("branch=z9hG4bK").nth(1).expect("a branch");
    let mut secrets = vec![
        header(&invite, "Call-ID").to_owned(),
        tag.to_owned(),
        branch.split(';').next().expect("a branch").to_owned(),
        // The number in any format: its end is enough to find it.
        CALLER_NUMBER[CALLER_NUMBER.len() - 6..].to_owned(),
        TRUNK.split(':').next().expect("an address").to_owned(),
        "771177117711".to_owned(),
        "41238".to_owned(),
        "carrier".to_owned(),
    ];
    secrets.extend(CALLER_NAME.split(' ').map(str::to_lowercase));
    secrets
}
