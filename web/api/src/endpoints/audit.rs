//! The audit trails: read, verified, and made public by their heads.

use axum::http::Method;
use crypto::transparency::Subject;
use protocol::{
    AuditEntry, AuditHead, AuditKept, AuditPage, AuditQuery, AuditSubject, AuditVerification, Blob,
    Id, MAX_AUDIT_PER_PAGE,
};
use store::{AuditChain, AuditFault, AuditRow, Permissions};

use crate::call::{Call, Json, Nothing, Query};
use crate::heads::public_chain;
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::shared::unix_ms;

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

fn page(rows: &[AuditRow]) -> AuditPage {
    let entries = rows.iter().map(|row| AuditEntry {
        seqno: row.seqno,
        at_ms: unix_ms(row.entry.at),
        kind: row.entry.kind.as_str().to_owned(),
        actor: row.entry.actor.map(|actor| Id(actor.0)),
        subject: subject(row.entry.subject),
        canonical: Blob::from(row.entry.canonical(row.seqno).as_slice()),
        hash: Blob::from(row.hash.as_slice()),
    });
    AuditPage {
        entries: entries.collect(),
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

/// Compares with the head that the caller kept, else with the newest in the key log.
async fn verify(
    call: &Call,
    chain: AuditChain,
    kept: AuditKept,
) -> Result<Json<AuditVerification>, Refusal> {
    let kept = match (kept.seqno, kept.hash) {
        (None, None) => {
            let subject = Subject::Audit(public_chain(chain));
            let head = call.shared.keylog.head_of(subject).await;
            head.map(|head| store::AuditHead {
                seqno: u64::from(head.seqno),
                hash: head.hash,
            })
        }
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
    let verified = match chain {
        AuditChain::Hub(_) => call.scope().await?.verify_audit(hash, kept).await?,
        AuditChain::Installation => {
            let view = call.shared.store.reader();
            let view = view.installation(call.caller()?.user).await?;
            view.verify_audit(hash, kept).await?
        }
    };
    Ok(Json(match verified {
        Ok(summary) => AuditVerification {
            whole: true,
            fault: None,
            at_seqno: None,
            head: summary.head.map(head),
            verified: summary.verified,
            expired: summary.expired,
        },
        Err(fault) => AuditVerification {
            whole: false,
            fault: Some(fault.to_string()),
            at_seqno: match fault {
                AuditFault::Missing { seqno } | AuditFault::Changed { seqno } => Some(seqno),
                AuditFault::End | AuditFault::Rewritten => None,
            },
            head: None,
            verified: 0,
            expired: 0,
        },
    }))
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
    let published = call.shared.publish_heads(|found| found == chain).await?;
    let published = published.first().copied().ok_or_else(Refusal::not_found)?;
    Ok(Json(head(published)))
}
