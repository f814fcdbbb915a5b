//! What the audit trail tells of commands on the machine itself, and what becomes of it with time.
//! Who gives commands is nobody whom it could name.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use store::{AuditChain, AuditEntry, AuditKind, AuditSubject, HubId, Store, StoreError};

use crate::hotline::Hotline;

const HOURS_PER_DAY: i64 = 24;

/// The entry for a ban or its end. The number's hash stays out of the trail: it would outlive
/// the erasure of the caller.
///
/// # Errors
/// The database cannot be read.
pub async fn of_ban(
    store: &Store,
    hub: &str,
    kind: AuditKind,
) -> Result<Vec<AuditEntry>, StoreError> {
    let hubs = store.unscoped().hubs().await?.into_iter();
    let hub = hubs.filter(|known| known.name == hub).map(|hub| hub.id);
    Ok(entries(hub, kind, AuditSubject::Whole))
}

/// The entries for a break or its end, at every hub where the volunteer may be rung.
///
/// # Errors
/// The database cannot be read.
pub async fn of_break(
    store: &Store,
    hotline: &Hotline,
    volunteer: &str,
    on: bool,
) -> Result<Vec<AuditEntry>, StoreError> {
    let accounts = store.unscoped().phone_accounts().await?.into_iter();
    let mut person = accounts.filter(|account| account.volunteer == volunteer);
    let person = person.next().and_then(|account| account.user);
    let serves = hubs_of(hotline, volunteer);
    let hubs = store.unscoped().hubs().await?.into_iter();
    let hubs = hubs.filter(|hub| serves.contains(hub.name.as_str()));
    let kind = match on {
        true => AuditKind::VolunteerOnBreak,
        false => AuditKind::VolunteerAvailable,
    };
    let subject = person.map_or(AuditSubject::Whole, AuditSubject::User);
    Ok(entries(hubs.map(|hub| hub.id), kind, subject))
}

/// The entry for a backup, by the id in its header.
#[must_use]
pub fn of_backup(id: [u8; 16]) -> AuditEntry {
    AuditEntry {
        chain: AuditChain::Installation,
        at: Timestamp::now(),
        kind: AuditKind::BackupMade,
        actor: None,
        subject: AuditSubject::Thing(id),
    }
}

/// The entry for the panel's next authority.
#[must_use]
pub fn of_authority() -> AuditEntry {
    AuditEntry {
        chain: AuditChain::Installation,
        at: Timestamp::now(),
        kind: AuditKind::AuthorityRenewed,
        actor: None,
        subject: AuditSubject::Whole,
    }
}

/// What is done once a day: entries older than so many days go, and the heads of what has grown
/// are entered into the key log, so that nobody rewrites them unseen.
pub async fn keep_house(
    store: Arc<Store>,
    panel: Option<Arc<web_api::Shared>>,
    audit_days: Option<u32>,
) {
    let now = Timestamp::now();
    let age = |days| SignedDuration::from_hours(HOURS_PER_DAY * i64::from(days));
    // A clock that stands before the age of the entries lets none of them go.
    if let Some(before) = audit_days.and_then(|days| now.checked_sub(age(days)).ok()) {
        match store.expire_audits(before, now).await {
            Ok(expired) if expired.is_empty() => {}
            Ok(expired) => {
                let entries: u64 = expired.iter().map(|(_, count)| count).sum();
                tracing::info!(entries, "old entries of the audit trails have expired");
            }
            Err(error) => tracing::error!(%error, "old entries of the audit trails stay"),
        }
    }
    if let Some(panel) = panel
        && let Err(error) = panel.publish_audit_heads().await
    {
        tracing::error!(?error, "the audit trails are not in the key log yet");
    }
}

/// The hubs whose shifts or fallback name the volunteer.
#[must_use]
pub fn hubs_of<'a>(hotline: &'a Hotline, volunteer: &str) -> BTreeSet<&'a str> {
    let has = |names: &BTreeSet<String>| names.contains(volunteer);
    let in_groups = |names: &BTreeSet<String>| {
        names
            .iter()
            .any(|name| hotline.groups.get(name).is_some_and(has))
    };
    let on_shifts = hotline
        .shifts
        .iter()
        .filter(|shift| has(&shift.volunteers) || in_groups(&shift.groups))
        .map(|shift| shift.hub.as_str());
    let in_fallbacks = hotline
        .hubs
        .iter()
        .filter(|(_, hub)| has(&hub.fallback) || in_groups(&hub.fallback))
        .map(|(name, _)| name.as_str());
    on_shifts.chain(in_fallbacks).collect()
}

fn entries(
    hubs: impl Iterator<Item = HubId>,
    kind: AuditKind,
    subject: AuditSubject,
) -> Vec<AuditEntry> {
    let at = Timestamp::now();
    let entry = |hub| AuditEntry {
        chain: AuditChain::Hub(hub),
        at,
        kind,
        actor: None,
        subject,
    };
    hubs.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use crypto::transparency::Leaf;
    use store::Change;

    use super::*;
    use crate::{database, keys};

    const AUDIT_DAYS: u32 = 90;

    fn days_ago(days: i64) -> Timestamp {
        Timestamp::now() - SignedDuration::from_hours(days * HOURS_PER_DAY)
    }

    /// The trail's entries, when and what, with their numbers.
    async fn trail(store: &Store) -> Vec<(u64, AuditKind)> {
        let rows = store
            .unscoped()
            .audit_trail(AuditChain::Installation, 0, 100);
        let rows = rows.await.unwrap().into_iter();
        rows.map(|row| (row.seqno, row.entry.kind)).collect()
    }

    async fn heads_in_the_key_log(store: &Store) -> Vec<crypto::audit::AuditHead> {
        let leaves = store.unscoped().log_leaves(0).await.unwrap().into_iter();
        let leaves = leaves.map(|leaf| Leaf::decode(&leaf).unwrap());
        leaves
            .filter_map(|leaf| crypto::audit::AuditHead::of_leaf(&leaf))
            .collect()
    }

    #[tokio::test]
    async fn old_entries_expire_and_the_new_head_is_in_the_key_log() {
        let name = format!("centralita-trail-{}", std::process::id());
        let data = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&data);
        let store = Arc::new(database::open(&data).await.unwrap());
        for days in [200, 91, 89, 1] {
            let entry = AuditEntry {
                at: days_ago(days),
                ..of_backup([7; 16])
            };
            store.commit(Change::from(entry).into()).await.unwrap();
        }
        let made = AuditKind::BackupMade;
        // Where entries stay for ever, and no panel is served.
        keep_house(Arc::clone(&store), None, None).await;
        let all = [(1, made), (2, made), (3, made), (4, made)];
        assert_eq!(trail(&store).await, all);
        assert_eq!(heads_in_the_key_log(&store).await, []);

        let signer = keys::log_signer(&data, &store, "hotline.example").await;
        let options = web_api::WebOptions::new("https://panel.example");
        let panel = web_api::Shared::open(Arc::clone(&store), options, signer.unwrap()).await;
        let panel = Arc::new(panel.unwrap());
        // The second time there is nothing more to do.
        for _ in 0..2 {
            let panel = Some(Arc::clone(&panel));
            keep_house(Arc::clone(&store), panel, Some(AUDIT_DAYS)).await;
        }
        let left = [(3, made), (4, made), (5, AuditKind::AuditExpired)];
        assert_eq!(trail(&store).await, left);
        let verdict = store.unscoped();
        let verdict =
            verdict.verify_audit(AuditChain::Installation, crypto::audit::entry_hash, None);
        let sound = verdict.await.unwrap().unwrap();
        assert_eq!((sound.verified, sound.expired), (3, 2));
        let head = sound.head.unwrap();
        let published = crypto::audit::AuditHead {
            chain: crypto::audit::AuditChain::Installation,
            seqno: head.seqno,
            hash: head.hash,
        };
        assert_eq!(heads_in_the_key_log(&store).await, [published]);
        drop((panel, store));
        std::fs::remove_dir_all(data).unwrap();
    }
}
