//! The audit trails: read, verified, and made public by their heads.

use axum::http::Method;
use protocol::{
    AuditEntry, AuditHead, AuditKept, AuditPage, AuditQuery, AuditSubject, AuditVerification, Blob,
    Id, MAX_AUDIT_PER_PAGE,
};
use store::{AuditChain, AuditFault, AuditLine, Permissions};

use crate::call::{Call, Json, Nothing, Query};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::shared::unix_ms;

const EXPIRED_HEAD: &str = "the entry of the head that was kept elsewhere has expired: nothing can be said about it; compare with a newer head";
/// The kind of an entry that says what none of ours says.
const UNREADABLE: &str = "unreadable";

pub(crate) fn routes() -> Routes {
    let hub = Access::Hub(Permissions::READ_AUDIT);
    Routes::default()
        .add(
            Method::GET,
            "/hubs/{hub}/audit",
            hub,
            "Entries of the hub's trail",
            of_hub,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/audit/verification",
            hub,
            "Whether the hub's trail is whole",
            verify_hub,
        )
        .add(
            Method::POST,
            "/hubs/{hub}/audit/head",
            hub,
            "Enter the head of the hub's trail into the key-transparency log",
            publish_hub,
        )
        .add(
            Method::GET,
            "/audit",
            Access::SuperAdmin,
            "Entries of the installation's trail",
            of_installation,
        )
        .add(
            Method::GET,
            "/audit/verification",
            Access::SuperAdmin,
            "Whether the installation's trail is whole",
            verify_installation,
        )
        .add(
            Method::POST,
            "/audit/head",
            Access::SuperAdmin,
            "Enter the head of the installation's trail into the key-transparency log",
            publish_installation,
        )
}

fn page_of(query: AuditQuery) -> (u64, u32) {
    let limit = query.limit.unwrap_or(MAX_AUDIT_PER_PAGE);
    let after = query.after.unwrap_or(0).min(i64::MAX as u64);
    (after, limit.clamp(1, MAX_AUDIT_PER_PAGE))
}

async fn of_hub(call: Call, Query(query): Query<AuditQuery>) -> Result<Json<AuditPage>, Refusal> {
    let (after, limit) = page_of(query);
    let rows = call.scope().await?.audit(after, limit).await?;
    Ok(Json(page(&rows)))
}

async fn of_installation(
    call: Call,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditPage>, Refusal> {
    let (after, limit) = page_of(query);
    let view = call.shared.store.reader();
    let view = view.installation(call.caller()?.user).await?;
    let rows = view.audit(after, limit).await?;
    Ok(Json(page(&rows)))
}

fn page(lines: &[AuditLine]) -> AuditPage {
    AuditPage {
        entries: lines.iter().map(entry).collect(),
    }
}

fn entry(line: &AuditLine) -> AuditEntry {
    match line {
        AuditLine::Entry(row) => AuditEntry {
            seqno: row.seqno,
            at_ms: unix_ms(row.entry.at),
            kind: row.entry.kind.as_str().to_owned(),
            actor: row.entry.actor.map(|actor| Id(actor.0)),
            subject: subject(row.entry.subject),
            canonical: Blob::from(row.entry.canonical(row.seqno).as_slice()),
            hash: Blob::from(row.hash.as_slice()),
        },
        AuditLine::Unreadable { seqno, at } => AuditEntry {
            seqno: *seqno,
            at_ms: at.map_or(0, unix_ms),
            kind: UNREADABLE.to_owned(),
            actor: None,
            subject: AuditSubject::Whole,
            // Nothing that would verify.
            canonical: Blob::from([].as_slice()),
            hash: Blob::from([].as_slice()),
        },
    }
}

fn subject(subject: store::AuditSubject) -> AuditSubject {
    use store::AuditSubject as S;
    match subject {
        S::Whole => AuditSubject::Whole,
        S::User(id) => AuditSubject::User { id: Id(id.0) },
        S::Device(id) => AuditSubject::Device { id: Id(id.0) },
        S::Record(id) => AuditSubject::Record { id: Id(id.0) },
        S::Role(id) => AuditSubject::Role { id: Id(id.0) },
        S::Call(call) => AuditSubject::Call { call },
        S::Recording(recording) => AuditSubject::Recording { recording },
        S::Thing(id) => AuditSubject::Thing { id: Id(id) },
    }
}

async fn verify_hub(
    call: Call,
    Query(kept): Query<AuditKept>,
) -> Result<Json<AuditVerification>, Refusal> {
    let chain = AuditChain::Hub(call.hub()?.id);
    verify(&call, chain, kept).await
}

async fn verify_installation(
    call: Call,
    Query(kept): Query<AuditKept>,
) -> Result<Json<AuditVerification>, Refusal> {
    verify(&call, AuditChain::Installation, kept).await
}

/// Compares with all heads in the key log, and with the one that the caller kept.
async fn verify(
    call: &Call,
    chain: AuditChain,
    kept: AuditKept,
) -> Result<Json<AuditVerification>, Refusal> {
    let kept = match (kept.seqno, kept.hash) {
        (None, None) => None,
        (Some(seqno), Some(hash)) => Some(store::AuditHead {
            seqno,
            hash: hash
                .0
                .try_into()
                .map_err(|_| Refusal::malformed("a hash has 32 bytes"))?,
        }),
        _ => return Err(Refusal::malformed("a kept head has a number and a hash")),
    };
    let hash = crypto::audit::entry_hash;
    // What grows or expires meanwhile still contains these.
    let mut heads = call.shared.published_heads(chain).await;
    heads.extend(kept);
    let verified = match chain {
        AuditChain::Hub(_) => call.scope().await?.verify_audit(hash, heads).await?,
        AuditChain::Installation => {
            let view = call.shared.store.reader();
            let view = view.installation(call.caller()?.user).await?;
            view.verify_audit(hash, heads).await?
        }
    };
    Ok(Json(match verified {
        // Whole as far as it goes, but not what the caller asked about.
        Ok(summary) if kept.is_some_and(|kept| summary.uncompared.contains(&kept.seqno)) => {
            AuditVerification {
                fault: Some(EXPIRED_HEAD.to_owned()),
                at_seqno: kept.map(|kept| kept.seqno),
                ..not_whole()
            }
        }
        Ok(summary) => AuditVerification {
            whole: true,
            fault: None,
            at_seqno: None,
            head: summary.head.map(head),
            verified: summary.verified,
            expired: summary.expired,
            compared: summary.compared,
            uncompared: summary.uncompared,
        },
        Err(fault) => AuditVerification {
            fault: Some(fault.to_string()),
            at_seqno: place(fault),
            ..not_whole()
        },
    }))
}

fn not_whole() -> AuditVerification {
    AuditVerification {
        whole: false,
        fault: None,
        at_seqno: None,
        head: None,
        verified: 0,
        expired: 0,
        compared: 0,
        uncompared: Vec::new(),
    }
}

fn place(fault: AuditFault) -> Option<u64> {
    match fault {
        AuditFault::Missing { seqno }
        | AuditFault::Changed { seqno }
        | AuditFault::Rewritten { seqno }
        | AuditFault::Cut { seqno }
        | AuditFault::Untold { seqno } => Some(seqno),
        AuditFault::End | AuditFault::Emptied => None,
    }
}

fn head(head: store::AuditHead) -> AuditHead {
    AuditHead {
        seqno: head.seqno,
        hash: Blob::from(head.hash.as_slice()),
    }
}

async fn publish_hub(call: Call, _: Nothing) -> Result<Json<AuditHead>, Refusal> {
    let chain = AuditChain::Hub(call.hub()?.id);
    publish_one(&call, chain).await
}

async fn publish_installation(call: Call, _: Nothing) -> Result<Json<AuditHead>, Refusal> {
    publish_one(&call, AuditChain::Installation).await
}

async fn publish_one(call: &Call, chain: AuditChain) -> Result<Json<AuditHead>, Refusal> {
    let published = call.shared.publish_head(chain).await?;
    if let Some(fault) = published.faults.first() {
        return Err(Refusal::conflict(fault.to_string()));
    }
    let published = published.heads.first().copied();
    Ok(Json(head(published.ok_or_else(Refusal::not_found)?)))
}
