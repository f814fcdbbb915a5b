//! Keeps facts: what the router tells becomes rows, in order, without ever holding up a call.

mod writer;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use routing::{CallRecord, CallerTag, Notice, Outcome};
use store::{
    AuditEntry, AuditKind, AuditSubject, CallEnd, CallStart, Caller, CallerHash, Change, HubId,
    OutcomeClass, RungRow, Sealed, Store, VaultChange, VoicemailStart,
};
use tokio::sync::mpsc;

use super::ingest::Ingest;
use super::metrics::{Metrics, fail_name, outcome_names};
use super::voicemail;

/// Something that happened: changes that are kept together, what the trail tells of it among
/// them.
#[derive(Clone, Debug, Default)]
pub struct Fact {
    changes: Vec<Change>,
    tells: Option<(HubId, KeptHere)>,
}

impl Fact {
    /// Names what people who look at the hub see change.
    #[must_use]
    pub fn telling(self, hub: Option<HubId>, what: KeptHere) -> Self {
        let tells = hub.map(|hub| (hub, what));
        Self { tells, ..self }
    }

    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl<T: IntoIterator<Item = Change>> From<T> for Fact {
    fn from(changes: T) -> Self {
        Self {
            changes: changes.into_iter().collect(),
            tells: None,
        }
    }
}

/// What was kept, for people who look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptHere {
    /// A call: begun, answered or over.
    Call,
    /// A message of a caller.
    Message,
}

/// Which hubs have something new, as it is kept.
pub type Kept = mpsc::Receiver<BTreeSet<(HubId, KeptHere)>>;

/// Facts on their way to the database task.
const MAX_QUEUED_FACTS: usize = 1_024;
/// Facts kept in memory while the database takes no writes: days of a busy hotline.
const MAX_WAITING_FACTS: usize = 100_000;
/// News of the database for the panel; what finds no room waits for the next.
const MAX_QUEUED_NEWS: usize = 16;
/// The voice loop's end.
pub struct Keeper {
    waiting: VecDeque<Fact>,
    queue: mpsc::Sender<Fact>,
    metrics: Arc<Metrics>,
}

impl Keeper {
    /// Starts the task that writes; it ends after the last fact once the keeper is dropped.
    pub fn start(
        store: Arc<Store>,
        metrics: Arc<Metrics>,
    ) -> (Self, Kept, tokio::task::JoinHandle<()>) {
        let (queue, facts) = mpsc::channel(MAX_QUEUED_FACTS);
        let (tell, kept) = mpsc::channel(MAX_QUEUED_NEWS);
        let writer = tokio::spawn(writer::write_all(store, facts, tell, Arc::clone(&metrics)));
        let keeper = Self {
            waiting: VecDeque::new(),
            queue,
            metrics,
        };
        (keeper, kept, writer)
    }

    /// Keeps one fact.
    pub fn keep(&mut self, fact: impl Into<Fact>) {
        if self.waiting.len() >= MAX_WAITING_FACTS {
            tracing::error!("a fact is lost: the database has taken no writes for too long");
            return;
        }
        self.waiting.push_back(fact.into());
        self.flush();
    }

    /// Passes on what the database task has room for.
    pub fn flush(&mut self) {
        while let Ok(permit) = self.queue.try_reserve() {
            let Some(fact) = self.waiting.pop_front() else {
                break;
            };
            permit.send(fact);
        }
        let waiting = i64::try_from(self.waiting.len()).unwrap_or(i64::MAX);
        self.metrics.facts_waiting.set(waiting);
    }

    /// Passes on everything, waiting as long as it takes, and closes the queue.
    pub async fn finish(mut self) {
        while let Some(fact) = self.waiting.pop_front() {
            if self.queue.send(fact).await.is_err() {
                return;
            }
        }
    }
}

/// What is kept of a notice; nothing for most. `caller` is the sealed number of a call that starts.
pub fn fact_of(
    notice: &Notice,
    caller: Option<Sealed>,
    ingest: &Ingest,
    at: jiff::Timestamp,
) -> Fact {
    match notice {
        Notice::CallStarted {
            call,
            hub,
            trunk,
            caller: tag,
            at,
        } => {
            let start = Change::CallStarted(CallStart {
                call: call.0,
                hub: hub.as_ref().map(ToString::to_string),
                trunk: trunk.as_ref().map(ToString::to_string),
                caller: caller_row(*tag),
                started_at: *at,
            });
            let sealed = caller.map(|sealed| VaultChange::CallerSealed {
                call: call.0,
                sealed,
            });
            let changes = std::iter::once(start).chain(sealed.map(Change::from));
            Fact::from(changes).telling(ingest.id_of(hub.as_ref()), KeptHere::Call)
        }
        Notice::CallAnswered {
            call,
            hub,
            volunteer,
        } => {
            // Not only at the end: who has the caller may report the call while it goes on.
            let answered = Change::CallAnswered {
                call: call.0,
                volunteer: volunteer.to_string(),
            };
            let told = Change::from(AuditEntry {
                chain: ingest.trail(Some(hub)),
                at,
                kind: AuditKind::CallAnswered,
                actor: ingest.people.get(volunteer).copied(),
                subject: AuditSubject::Call(call.0),
            });
            Fact::from([answered, told]).telling(ingest.id_of(Some(hub)), KeptHere::Call)
        }
        Notice::VoicemailStarted { recording, hub, .. } => {
            let start = Change::VoicemailStarted(VoicemailStart {
                recording: recording.0,
                hub: hub.to_string(),
                path: voicemail::relative_path(recording.0),
                created_at: at,
            });
            let readers = ingest.hubs.get(hub).into_iter();
            let readers = readers.flat_map(|hub| &hub.hear).map(|reader| {
                Change::from(VaultChange::VoicemailReaderSet {
                    recording: recording.0,
                    user: store::UserId(*reader.user.as_bytes()),
                    wrap: None,
                })
            });
            let changes = std::iter::once(start).chain(readers);
            Fact::from(changes).telling(ingest.id_of(Some(hub)), KeptHere::Message)
        }
        Notice::CallEnded(record) => {
            let end = Change::CallEnded(Box::new(end_row(record, at)));
            let told = told_of_the_end(record, ingest, at).map(Change::from);
            let changes = std::iter::once(end).chain(told);
            Fact::from(changes).telling(ingest.id_of(record.hub.as_ref()), KeptHere::Call)
        }
        _ => Fact::default(),
    }
}

/// What the trail tells of a call that is over.
fn told_of_the_end(
    record: &CallRecord,
    ingest: &Ingest,
    at: jiff::Timestamp,
) -> impl Iterator<Item = AuditEntry> {
    let chain = ingest.trail(record.hub.as_ref());
    let entry = move |kind, subject| AuditEntry {
        chain,
        at,
        kind,
        actor: None,
        subject,
    };
    let kind = match record.outcome {
        Outcome::Answered | Outcome::Rejected(_) => AuditKind::CallEnded,
        Outcome::Abandoned | Outcome::Voicemail | Outcome::Failed(_) => AuditKind::CallMissed,
    };
    let message = record.voicemail.map(|(recording, _)| {
        entry(
            AuditKind::VoicemailReceived,
            AuditSubject::Recording(recording.0),
        )
    });
    std::iter::once(entry(kind, AuditSubject::Call(record.call.0))).chain(message)
}

fn caller_row(caller: CallerTag) -> Caller {
    match caller {
        CallerTag::Anonymous => Caller::Anonymous,
        CallerTag::Known(hash) => Caller::Known(CallerHash(hash.0)),
    }
}

fn end_row(record: &CallRecord, ended_at: jiff::Timestamp) -> CallEnd {
    let (class, reason) = outcome_names(record.outcome);
    let reason = record.broke_off.map_or(reason, fail_name);
    CallEnd {
        start: CallStart {
            call: record.call.0,
            hub: record.hub.as_ref().map(ToString::to_string),
            trunk: record.trunk.as_ref().map(ToString::to_string),
            caller: caller_row(record.caller),
            started_at: record.started_at,
        },
        ended_at,
        until_ring: record.until_ring,
        wait: record.wait,
        talk: record.talk,
        voicemail: record
            .voicemail
            .map(|(recording, length)| (recording.0, length)),
        rung: record
            .rung
            .iter()
            .map(|rung| RungRow {
                volunteer: rung.volunteer.to_string(),
                rang: rung.rang,
                answered: rung.answered,
            })
            .collect(),
        answered_by: record.answered_by.as_ref().map(ToString::to_string),
        outcome: OutcomeClass::parse(class).unwrap_or(OutcomeClass::Failed),
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
    }
}

#[cfg(test)]
mod tests;
