//! `[[shift]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::civil::Time;

use super::people::known_names;
use super::unknown;
use crate::hotline::model::{Shift, Volunteer, Weekday};
use crate::hotline::problem::Problems;
use crate::hotline::section::{Section, Text};

pub(super) fn shifts(
    root: &mut Section<'_>,
    hubs: &BTreeMap<String, Range<usize>>,
    volunteers: &BTreeMap<String, Volunteer>,
    groups: &BTreeMap<String, BTreeSet<String>>,
    p: &mut Problems,
) -> Vec<Shift> {
    let mut shifts = Vec::new();
    for mut section in root.sections("shift", p) {
        let hub = section.required_text("hub", "my-hub", p);
        // Without any hub, that is what is wrong.
        let known = |hub: &Text<'_>| hubs.is_empty() || hubs.contains_key(hub.value);
        if let Some(hub) = hub.as_ref().filter(|hub| !known(hub)) {
            unknown("hub", hub.value, hubs.keys(), hub.span.clone(), p);
        }
        let days = days(&mut section, p);
        let from = time(&mut section, "from", "22:00", p);
        let to = time(&mut section, "to", "06:00", p);
        let people = section.texts("volunteers", p);
        let teams = section.texts("groups", p);
        if people.is_empty() && teams.is_empty() {
            p.error(
                section.span.clone(),
                "this shift has nobody on it. Add `volunteers = [\"…\"]` or `groups = [\"…\"]`.",
            );
        }
        let volunteers = known_names(&people, "volunteer", volunteers, p);
        let groups = known_names(&teams, "group", groups, p);
        section.finish(p);
        let (Some(hub), Some(from), Some(to)) = (hub, from, to) else {
            continue;
        };
        shifts.push(Shift {
            hub: hub.value.to_owned(),
            days,
            from,
            to,
            volunteers,
            groups,
        });
    }
    shifts
}

fn days(section: &mut Section<'_>, p: &mut Problems) -> BTreeSet<Weekday> {
    let texts = section.texts("days", p);
    if texts.is_empty() {
        p.error(
            section.span.clone(),
            "this shift has no `days`. Add `days = \"daily\"`, `\"weekdays\"`, `\"weekend\"`, or a list such as `[\"mon\", \"tue\"]`.",
        );
    }
    texts.iter().flat_map(|text| days_of(text, p)).collect()
}

fn days_of(text: &Text<'_>, p: &mut Problems) -> Vec<Weekday> {
    let all = Weekday::ALL;
    match text.value {
        "daily" => all.to_vec(),
        "weekdays" => all[..5].to_vec(),
        "weekend" => all[5..].to_vec(),
        word => {
            let day = all.into_iter().find(|day| day.as_str() == word);
            if day.is_none() {
                p.error(
                    text.span.clone(),
                    format!("\"{word}\" is not a day. Use mon, tue, wed, thu, fri, sat, sun, daily, weekdays or weekend."),
                );
            }
            day.into_iter().collect()
        }
    }
}

fn time(
    section: &mut Section<'_>,
    key: &'static str,
    example: &str,
    p: &mut Problems,
) -> Option<Time> {
    let text = section.required_text(key, example, p)?;
    let time = clock_time(text.value);
    if time.is_none() {
        p.error(
            text.span,
            format!(
                "`{key}` must be a time from 00:00 to 24:00, for example `{key} = \"{example}\"`."
            ),
        );
    }
    time
}

/// `HH:MM`; `24:00` is the midnight at which a day ends.
fn clock_time(text: &str) -> Option<Time> {
    if text == "24:00" {
        return Some(Time::midnight());
    }
    let (hour, minute) = text.split_once(':')?;
    let two = |digits: &str| {
        let fits = digits.len() == 2 && digits.chars().all(|c| c.is_ascii_digit());
        fits.then(|| digits.parse::<i8>().ok()).flatten()
    };
    Time::new(two(hour)?, two(minute)?, 0, 0).ok()
}
