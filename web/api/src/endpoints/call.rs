//! The history of calls, and their callers.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use protocol::{
    Blob, CallEndView, CallOutcome, CallPage, CallQuery, CallReportView, CallView, CallerErasure,
    CallerView, Id, MAX_CALLS_PER_PAGE, RungView, Topic,
};
use store::{
    AuditKind, AuditSubject, CallEnd, CallFilter, CallReport, CallRow, CallStart, Caller, Change,
    Changes, Erasure, OutcomeClass, Permissions, RungRow, Scoped, StoreError, UserId,
};

use super::voicemail::delete_files;
use crate::call::{Call, Json, Nothing, Query};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::scrub::scrub;
use crate::shared::unix_ms;

pub(crate) fn routes() -> Routes {
    Routes::default()
        .add_for_locked(
            Method::GET,
            "/hubs/{hub}/calls",
            Access::Hub(Permissions::READ_CALLS),
            "The history of calls",
            history,
        )
        .add(
            Method::POST,
            "/hubs/{hub}/calls/{call}/report",
            Access::HubAny(Permissions::READ_CALLS | Permissions::TAKE_CALLS),
            "Report a call as abuse: who answered it, or reads the history; whoever was first stays",
            report,
        )
        .add(
            Method::POST,
            "/hubs/{hub}/calls/{call}/caller",
            Access::Hub(Permissions::READ_CALLERS),
            "Reveal a caller; the trail tells of it",
            reveal,
        )
        .add(
            Method::POST,
            "/hubs/{hub}/calls/{call}/caller/erasure",
            Access::Hub(Permissions::ERASE),
            "Forget a caller in all calls of the hub, and delete their messages",
            erase_caller,
        )
}

/// A call of the path's hub.
pub(super) async fn find(call: &Call, number: u64) -> Result<Option<CallStart>, Refusal> {
    Ok(call.scope().await?.call(number).await?)
}

/// What is known of listed calls beside their rows: the persons that volunteers of the hotline
/// file are, whether their names are shown, and which calls were reported.
struct Beside {
    people: BTreeMap<String, UserId>,
    shown: bool,
    reports: BTreeMap<u64, CallReport>,
}

impl Beside {
    /// For the calls `rows`, the newest first.
    async fn of(scope: &Scoped<'_>, rows: &[CallRow]) -> Result<Self, Refusal> {
        let (people, reports) = match (rows.last(), rows.first()) {
            (Some(oldest), Some(newest)) => {
                let (first, last) = (oldest.start().call, newest.start().call);
                let people = scope.people_rung(first, last).await?;
                (people, scope.reports(first, last).await?)
            }
            _ => Default::default(),
        };
        Ok(Self {
            people,
            reports,
            shown: scope.permissions().has(Permissions::MANAGE_MEMBERS),
        })
    }

    fn report(&self, call: u64) -> Option<CallReportView> {
        self.reports.get(&call).map(|report| CallReportView {
            by: report.by.map(|user| Id(user.0)),
            at_ms: unix_ms(report.at),
        })
    }

    fn rung(&self, row: RungRow) -> RungView {
        RungView {
            user: self.people.get(&row.volunteer).map(|user| Id(user.0)),
            rang_ms: millis(row.rang),
            answered: row.answered,
            volunteer: Some(row.volunteer).filter(|_| self.shown),
        }
    }
}

async fn history(call: Call, Query(query): Query<CallQuery>) -> Result<Json<CallPage>, Refusal> {
    let filter = CallFilter {
        before: query.before.filter(|before| *before <= i64::MAX as u64),
        limit: query
            .limit
            .unwrap_or(MAX_CALLS_PER_PAGE)
            .clamp(1, MAX_CALLS_PER_PAGE),
    };
    let scope = call.scope().await?;
    let rows = scope.calls(&filter).await?;
    let beside = Beside::of(&scope, &rows).await?;
    let calls = rows.into_iter().map(|row| view(row, &beside)).collect();
    Ok(Json(CallPage { calls }))
}

fn view(row: CallRow, beside: &Beside) -> CallView {
    let start = row.start();
    let (call, started_at_ms) = (start.call, unix_ms(start.started_at));
    let anonymous = start.caller == Caller::Anonymous;
    let end = match row {
        CallRow::Open(_) => None,
        CallRow::Ended(end) => Some(end_view(*end, beside)),
    };
    CallView {
        call,
        started_at_ms,
        anonymous,
        reported: beside.report(call),
        end,
    }
}

fn end_view(end: CallEnd, beside: &Beside) -> CallEndView {
    CallEndView {
        ended_at_ms: unix_ms(end.ended_at),
        outcome: match end.outcome {
            OutcomeClass::Answered => CallOutcome::Answered,
            OutcomeClass::Abandoned => CallOutcome::Abandoned,
            OutcomeClass::Voicemail => CallOutcome::Voicemail,
            OutcomeClass::Rejected => CallOutcome::Rejected,
            OutcomeClass::Failed => CallOutcome::Failed,
        },
        reason: end.reason,
        wait_ms: millis(end.wait),
        talk_ms: millis(end.talk),
        recording: end.voicemail.map(|(recording, _)| recording),
        rung: end.rung.into_iter().map(|row| beside.rung(row)).collect(),
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn report(call: Call, _: Nothing) -> Result<Nothing, Refusal> {
    let number: u64 = call.part("call")?;
    let scope = call.scope().await?;
    let reported = scope.is_reported(number).await?;
    if reported.ok_or_else(Refusal::not_found)? {
        return Ok(Nothing);
    }
    let mut changes = Changes::new();
    changes.push(Change::CallReported {
        call: number,
        by: call.caller()?.user,
        at: call.now,
    });
    changes.push(call.noted_in_hub(AuditKind::SpamReported, AuditSubject::Call(number))?);
    match call.shared.store.commit(changes).await {
        // Somebody else was faster, and the trail tells of them.
        Err(StoreError::Conflict { .. }) if scope.is_reported(number).await? == Some(true) => {
            return Ok(Nothing);
        }
        kept => kept?,
    }
    call.shared.notify(call.hub()?.id, Topic::Calls);
    Ok(Nothing)
}

async fn reveal(call: Call, _: Nothing) -> Result<Json<CallerView>, Refusal> {
    let number: u64 = call.part("call")?;
    find(&call, number).await?.ok_or_else(Refusal::not_found)?;
    // Told before it is shown: what cannot be told is not shown.
    let told = call.noted_in_hub(AuditKind::PhoneRevealed, AuditSubject::Call(number))?;
    call.shared
        .store
        .commit(store::Change::from(told).into())
        .await?;
    let sealed = call.scope().await?.caller_of(number).await?;
    Ok(Json(CallerView {
        sealed: sealed.map(|sealed| Blob(sealed.0)),
    }))
}

async fn erase_caller(call: Call, Json(request): Json<CallerErasure>) -> Result<Nothing, Refusal> {
    let number: u64 = call.part("call")?;
    let found = find(&call, number).await?.ok_or_else(Refusal::not_found)?;
    let Caller::Known(caller) = found.caller else {
        return Err(Refusal::conflict(
            "the caller of this call is not known, or was forgotten",
        ));
    };
    let hub = call.hub()?;
    let messages = call.scope().await?.voicemails_of(caller).await?;
    delete_files(&call.shared, &messages).await?;
    let mut changes = Changes::new();
    changes.push(Erasure::Caller {
        caller,
        hub: Some(hub.name.clone()),
        keep_bans: request.keep_ban,
    });
    for message in &messages {
        let subject = AuditSubject::Recording(message.start.recording);
        changes.push(call.noted_in_hub(AuditKind::VoicemailDeleted, subject)?);
    }
    changes.push(call.noted_in_hub(AuditKind::CallerErased, AuditSubject::Call(number))?);
    call.shared.store.commit(changes).await?;
    for topic in [Topic::Calls, Topic::Bans, Topic::Voicemail] {
        call.shared.notify(hub.id, topic);
    }
    scrub(&call.shared).await;
    Ok(Nothing)
}
