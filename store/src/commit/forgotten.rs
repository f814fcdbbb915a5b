//! Names that were erased while calls went on, of which the exchange tells when they end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::row::CallEnd;

/// In the place of the name of somebody who was erased.
pub(super) const ERASED: &str = "erased";

/// Names with the moment of an earlier erasure.
pub(super) type Before = Vec<(String, Option<Timestamp>)>;

/// The names of volunteers that left the call records since this process began, and when. There
/// are no more than hotline files have had; with the process go the calls that know them, too.
#[derive(Debug, Default)]
pub(crate) struct ForgottenNames(Mutex<BTreeMap<String, Timestamp>>);

impl ForgottenNames {
    /// What began before this moment names them no more. To be said before the rows are changed:
    /// the next commit may be a call's end. Returns what was known of them.
    pub(super) fn forget(&self, names: Vec<String>, at: Timestamp) -> Before {
        let mut known = self.names();
        let names = names.into_iter();
        names
            .map(|name| (name.clone(), known.insert(name, at)))
            .collect()
    }

    /// The names were not erased after all.
    pub(super) fn restore(&self, before: Before) {
        let mut known = self.names();
        for (name, at) in before {
            match at {
                Some(at) => known.insert(name, at),
                None => known.remove(&name),
            };
        }
    }

    /// The end of a call as it may be kept. Whoever got the name after the erasure is named.
    pub(super) fn leave_out<'a>(&self, end: &'a CallEnd) -> Cow<'a, CallEnd> {
        let names = self.names();
        let start = end.start.started_at;
        let is_erased = |name: &String| names.get(name).is_some_and(|at| start <= *at);
        let rung = end.rung.iter().map(|rung| &rung.volunteer);
        if !rung.chain(&end.answered_by).any(is_erased) {
            return Cow::Borrowed(end);
        }
        let mut end = end.clone();
        let rung = end.rung.iter_mut().map(|rung| &mut rung.volunteer);
        for name in rung.chain(&mut end.answered_by) {
            if is_erased(name) {
                ERASED.clone_into(name);
            }
        }
        Cow::Owned(end)
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, Timestamp>> {
        // Whoever panicked with it had changed one entry, or none.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
