//! `centralita calls`.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use store::{CallEnd, CallFilter, CallRow};

use super::say;
use crate::database::DataFolder;

/// Prints the latest calls, newest first.
pub(super) async fn calls(
    data: &DataFolder,
    hub: Option<String>,
    limit: u32,
) -> Result<(), String> {
    let reader = data.reader().await.map_err(|error| error.to_string())?;
    let filter = CallFilter {
        limit,
        ..CallFilter::default()
    };
    let rows = reader
        .unscoped()
        .calls(hub.as_deref(), &filter)
        .await
        .map_err(|error| error.to_string())?;
    if rows.is_empty() {
        say("no calls yet");
        return Ok(());
    }
    say(format_args!(
        "{:<20} {:<12} {:<12} {:>7} {:>7}  {:<24} answered by",
        "came in", "hub", "trunk", "waited", "talked", "outcome"
    ));
    for row in rows {
        say(line(&row));
    }
    Ok(())
}

fn line(row: &CallRow) -> String {
    let start = row.start();
    let hub = start.hub.as_deref().unwrap_or("-");
    let trunk = start.trunk.as_deref().unwrap_or("(phone)");
    let came_in = local_time(start.started_at);
    match row {
        CallRow::Open(_) => format!("{came_in:<20} {hub:<12} {trunk:<12} live"),
        CallRow::Ended(end) => {
            let mut outcome = end.outcome.as_str().to_owned();
            if let Some(reason) = &end.reason {
                outcome = format!("{outcome} ({})", reason.replace('_', " "));
            }
            if let Some((_, length)) = end.voicemail {
                outcome = format!("{outcome} {}", seconds(length));
            }
            format!(
                "{came_in:<20} {hub:<12} {trunk:<12} {:>7} {:>7}  {outcome:<24} {}",
                seconds(end.wait),
                seconds(end.talk),
                spoke_with(end),
            )
        }
    }
}

/// Who spoke with the caller: who answered, then those who took over.
fn spoke_with(end: &CallEnd) -> String {
    let Some(first) = &end.answered_by else {
        return "-".to_owned();
    };
    let later = end.rung.iter().filter(|rung| rung.answered);
    let later = later
        .map(|rung| &rung.volunteer)
        .filter(|name| *name != first);
    let names: Vec<&str> = std::iter::once(first)
        .chain(later)
        .map(String::as_str)
        .collect();
    names.join(", ")
}

/// A moment in the machine's own time zone.
pub(super) fn local_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// A length as people say it.
pub(super) fn seconds(length: Duration) -> String {
    let all = length.as_secs();
    if all >= 60 {
        format!("{}:{:02}", all / 60, all % 60)
    } else {
        format!("{:.1} s", length.as_secs_f64())
    }
}
