//! What people are told of the panel's own authority.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Devices have to be visited one by one; that is begun so long before.
const WARNED_BEFORE_DAYS: i64 = 365;

/// Where the data folder keeps it.
#[must_use]
pub fn folder(data: &Path) -> PathBuf {
    data.join("tls")
}

/// The day on which something ends, as people write it in a calendar of UTC.
#[must_use]
pub fn day(of: Timestamp) -> String {
    of.to_zoned(TimeZone::UTC).date().to_string()
}

/// What to say of an authority that ends soon or has ended.
#[must_use]
pub fn warning(data: &Path, ends: Timestamp, now: Timestamp) -> Option<String> {
    let next = format!(
        "Make the next one with `centralita authority --renew --data {}`, which says how it comes \
         onto the devices",
        data.display()
    );
    let day = day(ends);
    if ends <= now {
        return Some(format!(
            "the panel's authority ended on {day}: devices refuse the panel. {next}"
        ));
    }
    // Days of 24 hours are always within what can be added.
    let warned_from = ends - (24 * WARNED_BEFORE_DAYS).hours();
    (warned_from <= now).then(|| {
        format!("the panel's authority ends on {day}; devices will then refuse the panel. {next}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_told_a_year_before_and_after_it() {
        let ends: Timestamp = "2036-11-28T00:00:00Z".parse().unwrap();
        let told = |now: &str| warning(Path::new("/d"), ends, now.parse().unwrap());
        assert_eq!(told("2035-11-28T23:59:59Z"), None);
        let soon = told("2035-11-29T00:00:00Z").unwrap();
        assert!(soon.contains("ends on 2036-11-28"), "{soon}");
        let late = told("2036-11-28T00:00:00Z").unwrap();
        assert!(
            late.contains("ended on 2036-11-28: devices refuse"),
            "{late}"
        );
        for sentence in [soon, late] {
            assert!(sentence.contains("centralita authority --renew --data /d"));
        }
    }
}
