//! Time, speech, and what the system allows this process.

use std::process::{Command, Stdio};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Finding, calls_at_once};
use crate::hotline::Hotline;

/// This program did not exist before; a clock that says so has not been set.
const FIRST_YEAR: i16 = 2026;
/// A clock this far ahead has not been set either.
const LAST_YEAR: i16 = 2126;
/// Open files for a call: sockets of its legs, the recording.
const FILES_PER_CALL: u64 = 10;
/// Open files for the rest: phones on TCP, the database, requests.
const FILES_APART_FROM_CALLS: u64 = 600;
/// The capability to use real-time priorities (capabilities(7)).
const CAP_SYS_NICE: u32 = 23;

pub(super) fn speech() -> Finding {
    let version = Command::new("espeak-ng")
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    match version {
        Ok(output) if output.status.success() => Finding::ok("espeak-ng can speak texts"),
        _ => Finding::warn(
            "espeak-ng does not work here, so texts cannot be spoken and callers hear tones in their place. \
             Install it (for example `apt install espeak-ng`), or give recordings for all prompts",
        ),
    }
}

pub(super) fn time_zones(hotline: Option<&Hotline>) -> Finding {
    let Ok(zone) = TimeZone::get("Europe/Madrid") else {
        return Finding::fail("there is no time zone data. Install the package `tzdata`");
    };
    // Summer time in July and not in January: the data are real.
    let hours = |text: &str| {
        let at: Timestamp = text.parse().ok()?;
        Some(zone.to_offset(at).seconds() / 3_600)
    };
    if (hours("2026-01-15T12:00Z"), hours("2026-07-15T12:00Z")) != (Some(1), Some(2)) {
        return Finding::fail("the time zone data are wrong. Install the package `tzdata` anew");
    }
    let now = Timestamp::now();
    let local = hotline
        .into_iter()
        .flat_map(|hotline| &hotline.hubs)
        .map(|(id, hub)| {
            let time = now.to_zoned(hub.time_zone.time_zone().clone());
            format!("; hub \"{id}\" has {}", time.strftime("%a %H:%M"))
        });
    Finding::ok(format!(
        "time zone data are there{}",
        local.collect::<String>()
    ))
}

pub(super) fn clock() -> Finding {
    let synchronised = Command::new("timedatectl")
        .args(["show", "-p", "NTPSynchronized", "--value"])
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map(|output| output.stdout.starts_with(b"yes"));
    clock_finding(Timestamp::now(), synchronised)
}

fn clock_finding(now: Timestamp, synchronised: Option<bool>) -> Finding {
    let utc = now.to_zoned(TimeZone::UTC);
    let shown = utc.strftime("%Y-%m-%d %H:%M UTC").to_string();
    if !(FIRST_YEAR..=LAST_YEAR).contains(&utc.year()) {
        return Finding::fail(format!(
            "the clock says {shown}, so shifts would be wrong. Set it, best with `timedatectl set-ntp true`"
        ));
    }
    match synchronised {
        Some(true) => Finding::ok(format!("the clock says {shown} and is kept right")),
        Some(false) => Finding::warn(format!(
            "the clock says {shown} and is not kept right. Run `timedatectl set-ntp true`"
        )),
        None => Finding::ok(format!(
            "the clock says {shown}; whether it is kept right cannot be told here"
        )),
    }
}

pub(super) fn limits(hotline: Option<&Hotline>) -> Vec<Finding> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    vec![
        open_files(&limits, calls_at_once(hotline)),
        real_time(&limits, &status),
    ]
}

fn open_files(limits: &str, calls: u32) -> Finding {
    let needed = u64::from(calls) * FILES_PER_CALL + FILES_APART_FROM_CALLS;
    match soft_limit(limits, "Max open files") {
        Some(allowed) if allowed < needed => Finding::warn(format!(
            "{allowed} open files are allowed; {calls} calls may need {needed}. Set `LimitNOFILE={needed}` in the service"
        )),
        Some(_) => Finding::ok(format!("enough open files are allowed for {calls} calls")),
        None => Finding::ok("the limit on open files is not known here"),
    }
}

fn real_time(limits: &str, status: &str) -> Finding {
    let by_limit = soft_limit(limits, "Max realtime priority").is_some_and(|most| most > 0);
    if by_limit || has_capability(status, CAP_SYS_NICE) {
        return Finding::ok("voice may run ahead of other programs (SCHED_FIFO)");
    }
    Finding::warn(
        "voice may not run ahead of other programs, so it may stutter on a busy machine. \
         Set `LimitRTPRIO=20` in the service",
    )
}

/// The first number after `name` in the table of /proc/self/limits.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

fn has_capability(status: &str, bit: u32) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    set.is_some_and(|set| set & (1 << bit) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units
Max open files            1024                 524288               files
Max realtime priority     0                    0
";

    #[test]
    fn few_open_files_are_warned_about() {
        assert_eq!(open_files(LIMITS, 10).verdict, Verdict::Ok);
        let few = open_files(LIMITS, 50);
        assert_eq!(few.verdict, Verdict::Warn);
        assert!(few.sentence.contains("LimitNOFILE=1100"), "{few}");
    }

    #[test]
    fn real_time_comes_from_a_limit_or_a_capability() {
        let without = "CapEff:\t0000000000000000\n";
        let with = "CapEff:\t0000000000800000\n";
        assert_eq!(real_time(LIMITS, without).verdict, Verdict::Warn);
        assert_eq!(real_time(LIMITS, with).verdict, Verdict::Ok);
        let raised = LIMITS.replace("priority     0", "priority     20");
        assert_eq!(real_time(&raised, without).verdict, Verdict::Ok);
    }

    #[test]
    fn a_clock_that_was_never_set_fails() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let verdict = |now, synchronised| clock_finding(now, synchronised).verdict;
        assert_eq!(verdict(at("1970-01-01T00:10Z"), Some(true)), Verdict::Fail);
        assert_eq!(verdict(at("2027-03-01T00:10Z"), Some(true)), Verdict::Ok);
        assert_eq!(verdict(at("2027-03-01T00:10Z"), Some(false)), Verdict::Warn);
        assert_eq!(verdict(at("2027-03-01T00:10Z"), None), Verdict::Ok);
    }

    #[test]
    fn time_zone_data_are_there() {
        assert_eq!(time_zones(None).verdict, Verdict::Ok);
    }
}
