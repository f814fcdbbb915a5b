//! Writes facts: in order, together where that goes, and none of them in the way of the others.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use store::{Change, Changes, HubId, Store, StoreError};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::{Fact, KeptHere};
use crate::serve::metrics::Metrics;

/// Facts written together.
const MAX_BATCH: usize = 256;
/// How long the first fact of a batch waits for company: a write to the disk costs far more
/// than a row, and nobody waits for it.
const GATHER: Duration = Duration::from_millis(50);
/// Pause before a failed write is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often facts that fail together are tried together before each is tried alone: deadlocks
/// and the like pass meanwhile.
const MAX_TRIES_TOGETHER: u32 = 3;
/// How often a failed write is tried again once the process is stopping.
const MAX_TRIES_WHEN_STOPPING: u32 = 10;
/// The counter, in the database itself, of changes that could not be written.
const LEFT_OUT_COUNTER: &str = "facts_left_out";

/// Writes until the last fact; `tell` hears where something is new.
pub(super) async fn write_all(
    store: Arc<Store>,
    mut facts: mpsc::Receiver<Fact>,
    tell: mpsc::Sender<BTreeSet<(HubId, KeptHere)>>,
    metrics: Arc<Metrics>,
) {
    let mut writer = Writer {
        store,
        metrics,
        batch: VecDeque::new(),
        news: BTreeSet::new(),
        failures: 0,
    };
    while writer.gather(&mut facts).await {
        let written = writer.write().await;
        writer.tell(&tell);
        let Err(error) = written else {
            writer.succeeded();
            continue;
        };
        writer.failed(&error);
        if facts.is_closed() && writer.failures > MAX_TRIES_WHEN_STOPPING {
            tracing::error!(
                facts = writer.batch.len() + facts.len(),
                "facts of calls are lost: the database took none until the stop. Run \
                 `centralita doctor` before the next start"
            );
            return;
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

struct Writer {
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    /// What is to be written, the oldest first.
    batch: VecDeque<Fact>,
    /// What nobody has been told of yet.
    news: BTreeSet<(HubId, KeptHere)>,
    /// In a row.
    failures: u32,
}

impl Writer {
    /// Fills the batch; whether there is anything to write.
    async fn gather(&mut self, facts: &mut mpsc::Receiver<Fact>) -> bool {
        if self.batch.is_empty() {
            let Some(first) = facts.recv().await else {
                return false;
            };
            self.batch.push_back(first);
            if !facts.is_closed() && facts.len() + 1 < MAX_BATCH {
                tokio::time::sleep(GATHER).await;
            }
        }
        // What failed must not keep later facts waiting.
        while self.batch.len() < MAX_BATCH
            && let Ok(fact) = facts.try_recv()
        {
            self.batch.push_back(fact);
        }
        true
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        let together = self.batch.iter().flat_map(|fact| &fact.changes);
        match self.store.commit(all(together)).await {
            Ok(()) => {
                let tells = self.batch.drain(..).filter_map(|fact| fact.tells);
                self.news.extend(tells);
                Ok(())
            }
            Err(error) if contradicts(&error) => self.write_one_by_one().await,
            Err(error) if self.failures < MAX_TRIES_TOGETHER => Err(error),
            Err(_) => {
                self.takes_writes(0).await?;
                self.write_one_by_one().await
            }
        }
    }

    /// A contradiction in one fact, or something that the database refuses, must not hold up the
    /// others. What fails only for now stays in the batch.
    async fn write_one_by_one(&mut self) -> Result<(), StoreError> {
        let mut failed = Ok(());
        let mut at = 0;
        while let Some(fact) = self.batch.get(at) {
            match self.write_alone(fact).await {
                Ok(()) => {
                    let written = self.batch.remove(at);
                    self.news.extend(written.and_then(|fact| fact.tells));
                }
                Err(error) => {
                    self.takes_writes(0).await?;
                    failed = Err(error);
                    at += 1;
                }
            }
        }
        failed
    }

    /// Writes one fact, or as much of it as the database takes for good.
    async fn write_alone(&self, fact: &Fact) -> Result<(), StoreError> {
        match self.store.commit(all(&fact.changes)).await {
            // All of it was kept before, and the answer was lost: its entry of the trail too.
            Err(StoreError::AlreadyEnded { call }) => {
                tracing::info!(call, "a call's end was kept already");
                return Ok(());
            }
            Err(error) if contradicts(&error) || self.is_hopeless(&error) => {}
            result => return result,
        }
        for change in &fact.changes {
            match self.store.commit(change.clone().into()).await {
                Err(error) if contradicts(&error) => {
                    tracing::error!(%error, "a fact contradicts an earlier one and is left out");
                }
                Err(error) if self.is_hopeless(&error) => {
                    // Only a database that takes this write may say that the change is at fault.
                    self.takes_writes(1).await?;
                    self.metrics.facts_left_out.inc();
                    let kind = kind_of(change);
                    tracing::error!(kind, "a fact cannot be written and is left out");
                }
                result => result?,
            }
        }
        Ok(())
    }

    /// Whether trying again is in vain unless the database as a whole is at fault.
    fn is_hopeless(&self, error: &StoreError) -> bool {
        let of_the_change = matches!(
            error,
            StoreError::Database(_)
                | StoreError::Row(_)
                | StoreError::NotAllowed
                | StoreError::NoAuditHash
        );
        of_the_change && self.failures >= MAX_TRIES_TOGETHER
    }

    /// Writes to the counter of what was left out.
    async fn takes_writes(&self, left_out: u32) -> Result<(), StoreError> {
        let counted = Change::Counted {
            counter: LEFT_OUT_COUNTER,
            by: left_out,
        };
        self.store.commit(counted.into()).await
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        if !self.metrics.database_ok() {
            tracing::info!("facts reach the database again");
        }
        self.metrics.set_database_ok(true);
    }

    fn failed(&mut self, error: &StoreError) {
        self.failures += 1;
        if self.metrics.database_ok() {
            tracing::error!(%error, "facts wait in memory");
        }
        self.metrics.set_database_ok(false);
    }

    /// Nobody listens where no panel is served.
    fn tell(&mut self, tell: &mpsc::Sender<BTreeSet<(HubId, KeptHere)>>) {
        if self.news.is_empty() {
            return;
        }
        if !matches!(tell.try_send(self.news.clone()), Err(TrySendError::Full(_))) {
            self.news.clear();
        }
    }
}

fn all<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Changes {
    changes.into_iter().cloned().collect()
}

/// Whether what is kept already stands against a change, today and tomorrow.
fn contradicts(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::AlreadyEnded { .. } | StoreError::Conflict { .. }
    )
}

/// What a change is, without anything of whom it is about.
fn kind_of(change: &Change) -> &'static str {
    match change {
        Change::CallStarted(_) => "call started",
        Change::CallAnswered { .. } => "call answered",
        Change::CallEnded(_) => "call ended",
        Change::VoicemailStarted(_) => "message started",
        Change::VoicemailCompleted { .. } => "message completed",
        Change::VoicemailRemoved { .. } => "message removed",
        Change::BindingUpserted(_) => "registration",
        Change::BindingRemoved { .. } => "end of a registration",
        Change::Vault(_) => "something sealed",
        Change::Audited(_) => "entry of a trail",
        _ => "something else",
    }
}
