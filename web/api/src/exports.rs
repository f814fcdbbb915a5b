//! Which page an export goes on with, so that the trail tells of every export, and once of each.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use store::{HubId, RecordId, SessionId};

/// How long the next page of an export may take, in milliseconds.
const NEXT_PAGE_WITHIN_MS: u64 = 10 * 60_000;
/// Exports that are under way at once. Those that are forgotten are told of again.
const MAX_EXPORTS: usize = 10_000;

/// Whose export of which hub.
type Export = (SessionId, HubId);

#[derive(Clone, Copy)]
struct Page {
    after: RecordId,
    until_ms: u64,
}

/// The next page of each export that is under way.
pub(crate) struct Exports(Mutex<BTreeMap<Export, Page>>);

impl Exports {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Whether a page that begins `after` is the next one of an export. It is so once: whoever
    /// begins anywhere else, or there again, begins an export.
    pub(crate) fn goes_on(&self, export: Export, after: RecordId, now_ms: u64) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let page = open.remove(&export);
        page.is_some_and(|page| page.after == after && now_ms < page.until_ms)
    }

    /// Notes that the next page of an export begins `after`.
    pub(crate) fn turn(&self, export: Export, after: RecordId, now_ms: u64) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MAX_EXPORTS {
            open.retain(|_, page| now_ms < page.until_ms);
        }
        if open.len() >= MAX_EXPORTS {
            open.clear();
        }
        let until_ms = now_ms + NEXT_PAGE_WITHIN_MS;
        open.insert(export, Page { after, until_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Export = (SessionId([1; 16]), HubId([1; 16]));

    fn after(number: u8) -> RecordId {
        RecordId([number; 16])
    }

    #[test]
    fn an_export_goes_on_where_its_last_page_ended_and_once() {
        let exports = Exports::new();
        assert!(!exports.goes_on(ONE, after(1), 0));
        exports.turn(ONE, after(1), 0);
        assert!(exports.goes_on(ONE, after(1), 1));
        assert!(!exports.goes_on(ONE, after(1), 1));
        exports.turn(ONE, after(1), 0);
        assert!(!exports.goes_on(ONE, after(2), 1));
        assert!(!exports.goes_on(ONE, after(1), 1));
    }

    #[test]
    fn no_other_session_or_hub_goes_on_with_it() {
        let exports = Exports::new();
        exports.turn(ONE, after(1), 0);
        assert!(!exports.goes_on((SessionId([2; 16]), ONE.1), after(1), 1));
        assert!(!exports.goes_on((ONE.0, HubId([2; 16])), after(1), 1));
        assert!(exports.goes_on(ONE, after(1), 1));
    }

    #[test]
    fn an_export_at_rest_does_not_go_on() {
        let exports = Exports::new();
        exports.turn(ONE, after(1), 0);
        assert!(!exports.goes_on(ONE, after(1), NEXT_PAGE_WITHIN_MS));
    }

    #[test]
    fn no_more_are_remembered_than_the_limit() {
        let exports = Exports::new();
        for count in 0..=u64::try_from(MAX_EXPORTS).unwrap() {
            let mut session = [0; 16];
            session[..8].copy_from_slice(&count.to_be_bytes());
            exports.turn((SessionId(session), ONE.1), after(1), 0);
        }
        assert!(exports.0.lock().unwrap().len() <= MAX_EXPORTS);
    }
}
