//! Which frames of a stream were there already.

/// How far behind the newest frame an older one may come.
const WINDOW: u64 = 128;

/// A sliding window over a stream's counters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    /// One more than the highest counter so far; 0 before the first.
    next: u64,
    /// Bit `n`: the frame with counter `next - 1 - n` was there.
    seen: u128,
}

impl Window {
    /// Whether this counter is new, and not too old to tell.
    pub(super) fn is_new(&self, counter: u64) -> bool {
        if counter >= self.next {
            return true;
        }
        let behind = self.next - 1 - counter;
        behind < WINDOW && self.seen & (1 << behind) == 0
    }

    /// Remembers a frame that was authentic.
    pub(super) fn insert(&mut self, counter: u64) {
        if counter >= self.next {
            let ahead = counter - self.next + 1;
            let shift = u32::try_from(ahead).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
            self.next = counter.saturating_add(1);
        } else if self.next - 1 - counter < WINDOW {
            self.seen |= 1 << (self.next - 1 - counter);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list of all that ever came.
        #[test]
        fn each_frame_is_new_once(
            steps in prop::collection::vec((0_u64..400, any::<bool>()), 1..200),
            base in prop::sample::select(vec![0, 1 << 32]),
        ) {
            let (mut window, mut all) = (Window::default(), BTreeSet::new());
            for (counter, far) in steps {
                let counter = base + counter + if far { 100 } else { 0 };
                let newest = all.last().copied().unwrap_or(0);
                let told_apart = counter + WINDOW > newest;
                let new = !all.contains(&counter) && told_apart;
                prop_assert_eq!(window.is_new(counter), new, "{}", counter);
                if new {
                    window.insert(counter);
                    all.insert(counter);
                }
            }
        }
    }
}
