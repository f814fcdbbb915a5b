//! What the exchange keeps: calls, voicemail, registrations, the hotline file, bans, breaks.

use std::time::Duration;

use jiff::Timestamp;

use super::vault::expect;
use super::{HotlineBody, Refused, audit};
use crate::audit::{AuditChain, AuditEntry, AuditHash, AuditKind, AuditSubject};
use crate::decode::{id, optional_fixed};
use crate::engine::{Transaction, args};
use crate::id::{HubId, UserId};
use crate::row::{BanRow, BindingRow, CallEnd, CallStart, Caller, OutcomeClass, VoicemailStart};

pub(super) async fn start_call(db: &mut Transaction, start: &CallStart) -> Result<(), sqlx::Error> {
    db.execute(
        "INSERT INTO call (id, hub, trunk, caller, started_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (id) DO NOTHING",
        args![
            start.call.cast_signed(),
            &start.hub,
            &start.trunk,
            caller_bytes(&start.caller),
            start.started_at.as_microsecond()
        ],
    )
    .await
    .map(drop)
}

/// How long they rang is known at the end, which replaces these rows.
pub(super) async fn answer_call(
    db: &mut Transaction,
    call: u64,
    volunteer: &str,
) -> Result<(), sqlx::Error> {
    let args = args![call.cast_signed(), volunteer];
    let sql = "UPDATE call SET answered_by = coalesce(answered_by, $2) \
               WHERE id = $1 AND outcome IS NULL";
    db.execute(sql, args).await?;
    let sql = "INSERT INTO call_rung (call, position, volunteer, rang, answered) \
               SELECT call.id, (SELECT coalesce(max(earlier.position), 0) + 1 \
               FROM call_rung AS earlier WHERE earlier.call = $1), $2, 0, 1 \
               FROM call WHERE call.id = $1 AND call.outcome IS NULL AND NOT EXISTS \
               (SELECT 1 FROM call_rung AS same WHERE same.call = $1 AND same.volunteer = $2)";
    db.execute(sql, args).await.map(drop)
}

/// Ends the calls without outcome, and tells of them as of calls that end in order.
pub(super) async fn close_crashed_calls(
    db: &mut Transaction,
    at: Timestamp,
    audit_hash: Option<AuditHash>,
) -> Result<Vec<u64>, sqlx::Error> {
    let sql = "SELECT call.id AS call, call.answered_by, hub.id AS hub FROM call \
               LEFT JOIN hub ON hub.name = call.hub WHERE call.outcome IS NULL ORDER BY call.id";
    let mut closed = Vec::new();
    for row in db.rows(sql, &[]).await? {
        let call = id(&row, "call")?;
        closed.push(call);
        let (Some(hub), Some(hash)) = (optional_fixed(&row, "hub")?, audit_hash) else {
            continue;
        };
        let answered: Option<String> = row.get("answered_by")?;
        let entry = AuditEntry {
            chain: AuditChain::Hub(HubId(hub)),
            at,
            kind: match answered {
                Some(_) => AuditKind::CallEnded,
                None => AuditKind::CallMissed,
            },
            actor: None,
            subject: AuditSubject::Call(call),
        };
        audit::append(db, &entry, hash).await?;
    }
    let sql = "UPDATE call SET ended_at = $1, wait = 0, talk = 0, outcome = $2, \
               reason = 'crashed' WHERE outcome IS NULL";
    let args = args![at.as_microsecond(), OutcomeClass::Failed.as_str()];
    db.execute(sql, args).await?;
    Ok(closed)
}

/// Whoever was first stays.
pub(super) async fn report_call(
    db: &mut Transaction,
    call: u64,
    by: UserId,
    at: Timestamp,
) -> Result<(), Refused> {
    let sql = "UPDATE call SET reported_at = $2, reported_by = $3 \
               WHERE id = $1 AND reported_at IS NULL";
    let args = args![call.cast_signed(), at.as_microsecond(), &by.0];
    let kept = db.execute(sql, args).await?;
    expect(kept, "a call that is reported already, or is not here")
}

/// The caller stays as the beginning told it, or forgotten since then.
pub(super) async fn end_call(db: &mut Transaction, end: &CallEnd) -> Result<(), Refused> {
    let call = end.start.call.cast_signed();
    let kept = db.execute("INSERT INTO call (id, hub, trunk, caller, started_at, ended_at, until_ring, wait, talk, \
         answered_by, recording, message, outcome, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         ON CONFLICT (id) DO UPDATE SET hub = excluded.hub, trunk = excluded.trunk, \
         started_at = excluded.started_at, \
         ended_at = excluded.ended_at, until_ring = excluded.until_ring, wait = excluded.wait, \
         talk = excluded.talk, answered_by = excluded.answered_by, \
         recording = excluded.recording, message = excluded.message, \
         outcome = excluded.outcome, reason = excluded.reason \
         WHERE call.outcome IS NULL", args![call, &end.start.hub, &end.start.trunk, caller_bytes(&end.start.caller), end.start.started_at.as_microsecond(), end.ended_at.as_microsecond(), end.until_ring.map(millis), millis(end.wait), millis(end.talk), &end.answered_by, end.voicemail.map(|(recording, _)| recording.cast_signed()), end.voicemail.map(|(_, length)| millis(length)), end.outcome.as_str(), &end.reason])
    .await?;
    if kept == 0 {
        return Err(Refused::AlreadyEnded(end.start.call));
    }
    let sql = "DELETE FROM call_rung WHERE call = $1";
    db.execute(sql, args![call]).await?;
    for (position, rung) in (1_i64..).zip(&end.rung) {
        db.execute(
            "INSERT INTO call_rung (call, position, volunteer, rang, answered) \
             VALUES ($1, $2, $3, $4, $5)",
            args![
                call,
                position,
                &rung.volunteer,
                millis(rung.rang),
                i64::from(rung.answered)
            ],
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn start_voicemail(
    db: &mut Transaction,
    start: &VoicemailStart,
) -> Result<(), sqlx::Error> {
    db.execute(
        "INSERT INTO voicemail (recording, hub, path, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (recording) DO NOTHING",
        args![
            start.recording.cast_signed(),
            &start.hub,
            &start.path,
            start.created_at.as_microsecond()
        ],
    )
    .await
    .map(drop)
}

pub(super) async fn complete_voicemail(
    db: &mut Transaction,
    recording: u64,
    length: Duration,
    header: Option<&[u8]>,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE voicemail SET message = $2, complete = 1, header = $3 WHERE recording = $1";
    db.execute(sql, args![recording.cast_signed(), millis(length), header])
        .await
        .map(drop)
}

pub(super) async fn upsert_binding(
    db: &mut Transaction,
    row: &BindingRow,
) -> Result<(), sqlx::Error> {
    db.execute(
        "INSERT INTO binding (id, account, contact, instance, reg_id, path, transport, local, \
         remote, call_id, cseq, expires_at, user_agent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT (id) DO UPDATE SET account = excluded.account, contact = excluded.contact, \
         instance = excluded.instance, reg_id = excluded.reg_id, path = excluded.path, \
         transport = excluded.transport, local = excluded.local, remote = excluded.remote, \
         call_id = excluded.call_id, cseq = excluded.cseq, expires_at = excluded.expires_at, \
         user_agent = excluded.user_agent",
        args![
            row.id.cast_signed(),
            &row.account,
            &row.contact,
            &row.instance,
            row.reg_id.map(i64::from),
            &row.path.join("\n"),
            row.transport.as_str(),
            &row.local.to_string(),
            &row.remote.to_string(),
            &row.call_id,
            i64::from(row.cseq),
            row.expires_at.as_microsecond(),
            &row.user_agent
        ],
    )
    .await
    .map(drop)
}

pub(super) async fn apply_hotline(
    db: &mut Transaction,
    hash: &str,
    body: &HotlineBody,
    applied_at: Timestamp,
) -> Result<(), sqlx::Error> {
    db.execute(
        "UPDATE hotline SET body = NULL WHERE body IS NOT NULL",
        args![],
    )
    .await?;
    db.execute(
        "INSERT INTO hotline (revision, hash, body, applied_at) \
         SELECT coalesce(max(revision), 0) + 1, $1, $2, $3 FROM hotline",
        args![hash, &body.0, applied_at.as_microsecond()],
    )
    .await
    .map(drop)
}

pub(super) async fn add_ban(db: &mut Transaction, ban: &BanRow) -> Result<(), sqlx::Error> {
    db.execute(
        "INSERT INTO ban (hub, caller, created_at, expires_at, reason) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (hub, caller) DO UPDATE SET created_at = excluded.created_at, \
         expires_at = excluded.expires_at, reason = excluded.reason",
        args![
            &ban.hub,
            ban.caller.0.as_slice(),
            ban.created_at.as_microsecond(),
            ban.expires_at.map(Timestamp::as_microsecond),
            &ban.reason
        ],
    )
    .await
    .map(drop)
}

pub(super) async fn change_break(
    db: &mut Transaction,
    volunteer: &str,
    since: Option<Timestamp>,
) -> Result<(), sqlx::Error> {
    match since {
        Some(since) => {
            db.execute(
                "INSERT INTO volunteer_break (volunteer, since) VALUES ($1, $2) \
                 ON CONFLICT (volunteer) DO NOTHING",
                args![volunteer, since.as_microsecond()],
            )
            .await
        }
        None => {
            db.execute(
                "DELETE FROM volunteer_break WHERE volunteer = $1",
                args![volunteer],
            )
            .await
        }
    }
    .map(drop)
}

pub(super) async fn count(db: &mut Transaction, counter: &str, by: u32) -> Result<(), sqlx::Error> {
    db.execute(
        "INSERT INTO counter (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value",
        args![counter, i64::from(by)],
    )
    .await
    .map(drop)
}

fn caller_bytes(caller: &Caller) -> Option<&[u8]> {
    match caller {
        Caller::Anonymous => None,
        Caller::Known(hash) => Some(&hash.0),
    }
}

/// Whole milliseconds; lengths beyond 292 million years are cut.
fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}
