//! A map that knows which of its entries are to be looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

/// A map whose entries are marked whenever somebody gets hold of them to change them.
///
/// The marks make the cost of a turn follow from what the turn changed: whoever
/// changes an entry cannot forget to say so.
pub(crate) struct Tracked<K, V> {
    entries: BTreeMap<K, V>,
    touched: BTreeSet<K>,
}

impl<K, V> Default for Tracked<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            touched: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone, V> Tracked<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    /// Marks the entry, if there is one.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        self.touched.insert(key.clone());
        Some(entry)
    }

    /// For what follows from the rest of the state, and so needs no second look.
    pub(crate) fn get_mut_unmarked(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.touched.insert(key.clone());
        self.entries.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.touched.remove(key);
        self.entries.remove(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.keys()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values()
    }

    /// Marks a key, which need not have an entry.
    pub(crate) fn touch(&mut self, key: K) {
        self.touched.insert(key);
    }

    pub(crate) fn touch_all(&mut self) {
        self.touched.extend(self.entries.keys().cloned());
    }

    /// Takes a mark away.
    pub(crate) fn looked_at(&mut self, key: &K) {
        self.touched.remove(key);
    }

    pub(crate) fn touched(&self) -> &BTreeSet<K> {
        &self.touched
    }

    /// The first marked key after `last`.
    pub(crate) fn next_touched(&self, last: Option<K>) -> Option<K> {
        let from = last.map_or(Unbounded, Excluded);
        self.touched.range((from, Unbounded)).next().cloned()
    }

    /// The first marked key, and takes its mark away.
    pub(crate) fn pop_touched(&mut self) -> Option<K> {
        self.touched.pop_first()
    }
}

impl<K: Ord + Clone, V: Default> Tracked<K, V> {
    /// The entry, made if there is none, and marked.
    pub(crate) fn entry(&mut self, key: &K) -> &mut V {
        self.touched.insert(key.clone());
        self.entry_unmarked(key)
    }

    /// As [`get_mut_unmarked`](Self::get_mut_unmarked), made if there is none.
    pub(crate) fn entry_unmarked(&mut self, key: &K) -> &mut V {
        self.entries.entry(key.clone()).or_default()
    }
}
