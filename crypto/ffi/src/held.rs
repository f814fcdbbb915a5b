//! What several threads may call, and what a call can use up.

use std::fmt;
use std::ptr;
use std::sync::{Mutex, MutexGuard};

use crypto_session as core;

use crate::refusal::Refusal;

/// A value that is used by one thread at a time, until it is gone.
///
/// Who holds several at once takes them in this order, so that no two threads
/// wait for each other: pairing or log, then sessions, then people.
pub(crate) struct Held<T> {
    value: Mutex<Option<T>>,
    gone: (core::Code, &'static str),
}

impl<T> Held<T> {
    /// `gone` is what a call is refused with when there is no value any more.
    pub(crate) fn new(value: T, gone: (core::Code, &'static str)) -> Self {
        let value = Mutex::new(Some(value));
        Self { value, gone }
    }

    /// Uses it.
    pub(crate) fn with<R, E: Into<Refusal>>(
        &self,
        work: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<R, Refusal> {
        let mut value = self.value();
        work(value.as_mut().ok_or_else(|| self.gone())?).map_err(Into::into)
    }

    /// Uses it together with another; the two must not be the same.
    pub(crate) fn with_other<R, E: Into<Refusal>>(
        &self,
        other: &Self,
        work: impl FnOnce(&mut T, &mut T) -> Result<R, E>,
    ) -> Result<R, Refusal> {
        if ptr::eq(self, other) {
            let sentence = "this needs two devices, not one twice";
            return Err(Refusal::new(core::Code::NotAllowed, sentence));
        }
        // By where they lie: another thread may want the same two the other way round.
        let (mut value, mut others);
        if ptr::from_ref(self) < ptr::from_ref(other) {
            value = self.value();
            others = other.value();
        } else {
            others = other.value();
            value = self.value();
        }
        let value = value.as_mut().ok_or_else(|| self.gone())?;
        work(value, others.as_mut().ok_or_else(|| other.gone())?).map_err(Into::into)
    }

    /// Takes it away: every later call is refused.
    pub(crate) fn take(&self) -> Result<T, Refusal> {
        self.value().take().ok_or_else(|| self.gone())
    }

    fn value(&self) -> MutexGuard<'_, Option<T>> {
        self.value.lock().unwrap_or_else(|poisoned| {
            // A call that panicked may have left half of a change: nobody goes on with
            // that. Dropping it wipes its keys.
            let mut value = poisoned.into_inner();
            *value = None;
            self.value.clear_poison();
            value
        })
    }

    fn gone(&self) -> Refusal {
        let (code, sentence) = self.gone;
        Refusal::new(code, sentence)
    }
}

impl<T> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    const GONE: (core::Code, &str) = (core::Code::Locked, "gone");

    /// Tells whether it was dropped.
    struct Key(Arc<()>);

    #[test]
    fn what_a_panic_left_behind_is_dropped_and_refused() {
        let alive = Arc::new(());
        let held = Held::new(Key(Arc::clone(&alive)), GONE);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            held.with(|_| -> Result<(), Refusal> { panic!("a fault of ours") })
        }));
        assert!(panicked.is_err());
        for _ in 0..2 {
            let refused = held.with(|key| Ok::<_, Refusal>(Arc::strong_count(&key.0)));
            assert_eq!(refused, Err(Refusal::new(GONE.0, GONE.1)));
            assert_eq!(Arc::strong_count(&alive), 1);
        }
    }

    #[test]
    fn what_was_taken_is_gone() {
        let held = Held::new(7, GONE);
        assert_eq!(held.take(), Ok(7));
        assert_eq!(held.take(), Err(Refusal::new(GONE.0, GONE.1)));
    }

    #[test]
    fn whoever_waits_for_the_first_of_two_does_not_hold_the_second() {
        let two = [Held::new(0, GONE), Held::new(0, GONE)];
        let [first, second] = &two;
        let add = |from: &Held<i32>, to: &Held<i32>| {
            from.with_other(to, |from, to| {
                *from += 1;
                *to += 10;
                Ok::<_, Refusal>(())
            })
        };
        for (from, to) in [(first, second), (second, first)] {
            let busy = first.value();
            thread::scope(|scope| {
                let waiting = scope.spawn(|| add(from, to));
                thread::sleep(Duration::from_millis(200));
                assert!(!waiting.is_finished());
                let free = second.value.try_lock().is_ok();
                drop(busy);
                assert!(free, "two threads could wait for each other");
            });
        }
        assert_eq!((first.take(), second.take()), (Ok(11), Ok(11)));
    }

    #[test]
    fn one_is_not_two() {
        let held = Held::new(0, GONE);
        assert!(held.with_other(&held, |_, _| Ok::<_, Refusal>(())).is_err());
        assert_eq!(held.take(), Ok(0));
    }
}
