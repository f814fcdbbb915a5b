//! Time, speech, and what the system allows this process.

use std::process::{Command, Stdio};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Finding, calls_at_once};
use crate::hotline::Hotline;
use crate::open_files;

/// This program did not exist before; a clock that says so has not been set.
const FIRST_YEAR: i16 = 2026;
/// A clock this far ahead has not been set either.
const LAST_YEAR: i16 = 2126;
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
    let enough = open_files::enough(calls);
    let set = format!("Set `LimitNOFILE={enough}` in the service");
    // The server takes all that it may have.
    match limit(limits, "Max open files", Column::Hard) {
        Some(allowed) if allowed < open_files::scant(calls) => Finding::fail(format!(
            "{allowed} open files are allowed; {calls} calls may need more. {set}"
        )),
        Some(allowed) if allowed < enough => {
            let left = open_files::share(allowed, calls);
            Finding::warn(format!(
                "{allowed} open files are allowed; so that {calls} calls have theirs, only {} \
                 phones at once may be connected over TCP and {} connections to the panel be \
                 open. {set}",
                left.streams, left.panel
            ))
        }
        Some(_) => Finding::ok(format!(
            "enough open files are allowed for {calls} calls and all connections"
        )),
        None => Finding::ok("the limit on open files is not known here"),
    }
}

fn real_time(limits: &str, status: &str) -> Finding {
    let by_limit =
        limit(limits, "Max realtime priority", Column::Soft).is_some_and(|most| most > 0);
    if by_limit || has_capability(status, CAP_SYS_NICE) {
        return Finding::ok("voice may run ahead of other programs (SCHED_FIFO)");
    }
    Finding::warn(
        "voice may not run ahead of other programs, so it may stutter on a busy machine. \
         Set `LimitRTPRIO=20` in the service",
    )
}

/// A column of the table of /proc/self/limits.
#[derive(Clone, Copy)]
enum Column {
    /// What is in force.
    Soft,
    /// What a process may take.
    Hard,
}

/// The limit called `name` in the table of /proc/self/limits.
fn limit(limits: &str, name: &str, column: Column) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_whitespace().nth(column as usize)? {
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
        assert_eq!(open_files(LIMITS, 50).verdict, Verdict::Ok);
        let few = open_files(&LIMITS.replace("524288", "1024"), 50);
        assert_eq!(few.verdict, Verdict::Warn);
        assert!(few.sentence.contains("LimitNOFILE=6796"), "{few}");
        let too_few = open_files(&LIMITS.replace("524288", "800"), 50);
        assert_eq!(too_few.verdict, Verdict::Fail);
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
