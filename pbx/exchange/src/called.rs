//! Which of the hotline's numbers a caller dialled.

use std::collections::{BTreeMap, BTreeSet};

use routing::{PhoneNumber, TrunkId};

/// What stands for a dialled number that is none; no hub can have it.
const UNREADABLE_NUMBER: &str = "unreadable";

/// The numbers that callers may dial.
///
/// Carriers that we register to name the callee in several places, and not all
/// of them with its number: the first place that has one of ours counts.
#[derive(Clone, Debug, Default)]
pub struct CalledNumbers {
    /// The numbers of all hubs.
    pub known: BTreeSet<PhoneNumber>,
    /// Which number a call over a trunk is for when the carrier names none of `known`.
    pub assumed: BTreeMap<TrunkId, PhoneNumber>,
}

impl CalledNumbers {
    /// The number dialled, where the callee goes by `names`, most telling first.
    pub(crate) fn pick<'a>(
        &self,
        trunk: Option<&TrunkId>,
        names: impl Iterator<Item = &'a str>,
    ) -> PhoneNumber {
        let mut first = None;
        for name in names.filter_map(PhoneNumber::parse) {
            if let Some(known) = self.known(&name) {
                return known;
            }
            first = first.or(Some(name));
        }
        trunk
            .and_then(|trunk| self.assumed.get(trunk).cloned())
            .or(first)
            .or_else(|| PhoneNumber::parse(UNREADABLE_NUMBER))
            .expect("the stand-in is a number")
    }

    /// Our number of that name. Some carriers leave the `+` of an international number away.
    fn known(&self, name: &PhoneNumber) -> Option<PhoneNumber> {
        let with_plus = || PhoneNumber::parse(&format!("+{}", name.reveal()));
        let known = |number: &PhoneNumber| self.known.contains(number);
        Some(name.clone())
            .filter(known)
            .or_else(|| with_plus().filter(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).unwrap()
    }

    fn picked(names: &[&str]) -> String {
        let trunk = TrunkId::new("carrier");
        let numbers = CalledNumbers {
            known: ["+15550199", "+15550200", "112"].map(number).into(),
            assumed: [(TrunkId::new("flat"), number("+15550200"))].into(),
        };
        let picked = numbers.pick(Some(&trunk), names.iter().copied());
        picked.reveal().to_owned()
    }

    #[test]
    fn the_first_name_that_is_a_number_of_ours_counts() {
        assert_eq!(picked(&["+15550199"]), "+15550199");
        assert_eq!(picked(&["u4711", "+15550199", "+15550200"]), "+15550199");
        assert_eq!(picked(&["0015550199"]), "+15550199");
        assert_eq!(picked(&["u4711", "15550199"]), "+15550199");
        assert_eq!(picked(&["112"]), "112");
    }

    #[test]
    fn a_number_that_is_not_ours_stays_what_it_is() {
        assert_eq!(picked(&["+15550300", "u4711"]), "+15550300");
        assert_eq!(picked(&["", "!"]), UNREADABLE_NUMBER);
    }

    #[test]
    fn a_trunk_may_stand_for_one_number() {
        let numbers = CalledNumbers {
            known: [number("+15550199"), number("+15550200")].into(),
            assumed: [(TrunkId::new("flat"), number("+15550200"))].into(),
        };
        let flat = TrunkId::new("flat");
        let pick = |name: &str| numbers.pick(Some(&flat), std::iter::once(name));
        assert_eq!(pick("u4711"), number("+15550200"));
        assert_eq!(pick("+15550199"), number("+15550199"));
        let test_call = numbers.pick(None, std::iter::once("u4711"));
        assert_eq!(test_call, number("u4711"));
    }
}
