//! What was erased is taken from the disk as well: now, or as soon as it can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use store::{Store, StoreError};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::shared::Shared;

/// How long whoever erased something waits for it to be gone from the disk.
const WAIT: Duration = Duration::from_secs(10);
/// When what failed is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// How far the disk has followed.
#[derive(Default)]
pub(crate) struct Scrubs {
    /// Erasures so far.
    wanted: AtomicU64,
    /// Of these, how many are gone from the disk. One at a time sees to it.
    done: Mutex<u64>,
}

/// Takes from the disk what was just erased. To be called after the commit and the notices: the
/// erasure is done, whatever comes of this.
pub(crate) async fn scrub(shared: &Arc<Shared>) {
    // It goes on by itself when it takes longer.
    let _ = tokio::time::timeout(WAIT, begin(shared)).await;
}

/// Takes from the disk what the process before this one had erased, and could not take from there.
/// Goes on by itself.
pub fn scrub_what_was_left(shared: &Arc<Shared>) {
    drop(begin(shared));
}

fn begin(shared: &Arc<Shared>) -> JoinHandle<()> {
    let number = shared.scrubs.next();
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let scrubbed = || scrub_once(&shared.store);
        shared.scrubs.run(number, AGAIN, scrubbed).await;
    })
}

async fn scrub_once(store: &Store) -> Result<(), StoreError> {
    let Some(erasures) = store.unscrubbed().await? else {
        return Ok(());
    };
    store.scrub().await?;
    store.note_scrubbed(erasures).await
}

impl Scrubs {
    fn next(&self) -> u64 {
        self.wanted.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Scrubs until the erasure of this number is gone, or a later one has begun to wait: each
    /// takes those before it along.
    async fn run<F>(&self, number: u64, again: Duration, scrub: impl Fn() -> F)
    where
        F: Future<Output = Result<(), StoreError>>,
    {
        loop {
            let mut done = self.done.lock().await;
            if *done >= number {
                return;
            }
            let wanted = self.wanted.load(Ordering::SeqCst);
            match scrub().await {
                Ok(()) => {
                    *done = wanted;
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "erased bytes are still on the disk; tried again later");
                }
            }
            drop(done);
            tokio::time::sleep(again).await;
            if self.wanted.load(Ordering::SeqCst) > number {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Fails so many times, then works.
    async fn ran(scrubs: &Scrubs, number: u64, failures: u32) -> u32 {
        let tries = Cell::new(0);
        let scrub = async || {
            tries.set(tries.get() + 1);
            match tries.get() > failures {
                true => Ok(()),
                false => Err(StoreError::NotAllowed),
            }
        };
        scrubs.run(number, Duration::from_millis(1), scrub).await;
        tries.get()
    }

    #[tokio::test]
    async fn it_is_tried_until_it_works_and_takes_all_along() {
        let scrubs = Scrubs::default();
        let (first, second) = (scrubs.next(), scrubs.next());
        assert_eq!(ran(&scrubs, second, 3).await, 4);
        assert_eq!(ran(&scrubs, first, 0).await, 0);
        let third = scrubs.next();
        assert_eq!(ran(&scrubs, third, 0).await, 1);
    }

    #[tokio::test]
    async fn only_the_newest_goes_on_trying() {
        let scrubs = Scrubs::default();
        let first = scrubs.next();
        let _second = scrubs.next();
        assert_eq!(ran(&scrubs, first, 9).await, 1);
    }
}
