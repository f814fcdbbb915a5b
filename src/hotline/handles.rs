//! What a hotline file calls people: it and the database keep that in clear.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Volunteer;

/// More of them are counted.
const MAX_NAMED: usize = 4;

/// What to say about volunteers whose ids or phone users may be their names: those without a digit.
/// `None` where all of them say nothing, as extensions do.
#[must_use]
pub fn telling_handles(volunteers: &BTreeMap<String, Volunteer>) -> Option<String> {
    let mut handles = BTreeSet::new();
    for (id, volunteer) in volunteers {
        handles.insert(id.as_str());
        handles.extend(volunteer.phones.keys().map(String::as_str));
    }
    handles.retain(|handle| !handle.contains(|c: char| c.is_ascii_digit()));
    if handles.is_empty() {
        return None;
    }
    let named: Vec<String> = handles
        .iter()
        .take(MAX_NAMED)
        .map(|handle| format!("\"{handle}\""))
        .collect();
    let more = match handles.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "{}{more} may be names of people, and whoever seizes this machine reads them. Call \
         volunteers and their phones by what says nothing, such as \"v01\"",
        named.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_extensions_are_not() {
        let with = |ids: &[&str]| -> BTreeMap<String, Volunteer> {
            let nobody = || Volunteer {
                phones: BTreeMap::new(),
            };
            ids.iter().map(|id| ((*id).to_owned(), nobody())).collect()
        };
        assert_eq!(telling_handles(&with(&["101", "v02", "night-3"])), None);
        let told = telling_handles(&with(&["ana", "v02", "ben"])).unwrap();
        assert!(told.starts_with("\"ana\", \"ben\" may be"), "{told}");
        let many = with(&["ana", "ben", "chris", "dora", "eva", "fritz"]);
        let told = telling_handles(&many).unwrap();
        assert!(told.contains("\"dora\" and 2 more"), "{told}");
    }
}
