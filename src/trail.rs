//! What the audit trail tells of commands on the machine itself, and what becomes of it with time.
//! Who gives commands is nobody whom it could name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crypto::transparency::{FormatError, Leaf, Log, LogKey, SignedCheckpoint};
use jiff::{SignedDuration, Timestamp};
use store::{
    AuditChain, AuditEntry, AuditHead, AuditKind, AuditSubject, HubId, Reader, Store, StoreError,
};

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

/// The heads of the audit trails that a database has in its key log.
pub struct PublishedHeads {
    /// By trail, the oldest first.
    pub heads: BTreeMap<AuditChain, Vec<AuditHead>>,
    /// Why these are not the heads that were published, in a sentence without its full stop.
    pub fault: Option<String>,
}

/// Reads them, and checks that the log is the one that was signed last, with `key` where that is
/// known. Whoever has the box can sign another one: that is for witnesses and devices to notice.
///
/// # Errors
/// The database cannot be read.
pub async fn published_heads(
    reader: &Reader,
    key: Option<&LogKey>,
) -> Result<PublishedHeads, StoreError> {
    let not_signed = || {
        Some(
            "the key log: it is not what log.key signed last, so the trails were compared with \
             what is left of it"
                .to_owned(),
        )
    };
    // Before the entries: a log that grows meanwhile still begins with what was signed.
    let mut signed = last_signed(reader).await?;
    let mut entries = log_entries(reader).await?;
    if signed.is_none() && !entries.is_empty() {
        // It may have begun in between.
        signed = last_signed(reader).await?;
        entries = log_entries(reader).await?;
    }
    let leaves: Vec<Leaf> = entries.iter().flatten().copied().collect();
    let mut fault = None;
    if leaves.len() < entries.len() {
        fault = not_signed();
    }
    match signed {
        None if leaves.is_empty() => {}
        Some((size, Ok(signed))) => {
            let covered = usize::try_from(size).unwrap_or(usize::MAX);
            let covered = leaves.iter().copied().take(covered);
            let origin = signed.checkpoint().origin.clone();
            let is_signed = key.is_none_or(|key| signed.is_signed_by(key));
            if !is_signed || Log::from_leaves(origin, covered).checkpoint() != *signed.checkpoint()
            {
                fault = not_signed();
            }
        }
        None | Some((_, Err(_))) => fault = not_signed(),
    }
    let heads = web_api::heads_by_trail(&leaves);
    Ok(PublishedHeads { heads, fault })
}

/// The entries of the key log; `None` for what is none.
async fn log_entries(reader: &Reader) -> Result<Vec<Option<Leaf>>, StoreError> {
    let mut entries = Vec::new();
    loop {
        let page = reader.unscoped().log_leaves(entries.len() as u64).await?;
        if page.is_empty() {
            return Ok(entries);
        }
        entries.extend(page.iter().map(|leaf| Leaf::decode(leaf).ok()));
    }
}

async fn last_signed(
    reader: &Reader,
) -> Result<Option<(u64, Result<SignedCheckpoint, FormatError>)>, StoreError> {
    let signed = reader.unscoped().log_checkpoint().await?;
    Ok(signed.map(|(size, note)| (size, SignedCheckpoint::parse(&note))))
}

/// The trails of a database, by what verification says of them.
#[derive(Default)]
pub struct Trails {
    /// Those that are whole and contain each of their heads that was published.
    pub sound: BTreeSet<AuditChain>,
    /// What is wrong with the others.
    pub broken: BTreeMap<AuditChain, String>,
}

/// Verifies all trails: what is not what it was is evidence, and must not expire.
///
/// # Errors
/// The database cannot be read.
pub async fn verify_all(reader: &Reader, key: Option<&LogKey>) -> Result<Trails, StoreError> {
    let published = published_heads(reader, key).await?;
    let mut trails = Trails::default();
    for chain in reader.unscoped().audit_chains().await? {
        let known = published.heads.get(&chain).into_iter().flatten().copied();
        let all = reader.unscoped();
        let verdict = all.verify_audit(chain, crypto::audit::entry_hash, known);
        match (&published.fault, verdict.await?) {
            (None, Ok(_)) => _ = trails.sound.insert(chain),
            (Some(fault), _) => _ = trails.broken.insert(chain, fault.clone()),
            (None, Err(fault)) => _ = trails.broken.insert(chain, fault.to_string()),
        }
    }
    Ok(trails)
}

/// What is done once a day: entries older than so many days go, where their trail is what it was,
/// and the heads of what has grown are entered into the key log, so that nobody rewrites them
/// unseen.
pub async fn keep_house(
    store: Arc<Store>,
    panel: Option<Arc<web_api::Shared>>,
    audit_days: Option<u32>,
) {
    let now = Timestamp::now();
    let age = |days| SignedDuration::from_hours(HOURS_PER_DAY * i64::from(days));
    // A clock that stands before the age of the entries lets none of them go.
    if let Some(before) = audit_days.and_then(|days| now.checked_sub(age(days)).ok()) {
        match let_go(&store, before, now).await {
            Ok(0) => {}
            Ok(entries) => tracing::info!(entries, "old entries of the audit trails have expired"),
            Err(error) => tracing::error!(%error, "old entries of the audit trails stay"),
        }
    }
    if let Some(panel) = panel
        && let Err(error) = panel.publish_audit_heads().await
    {
        tracing::error!(?error, "the audit trails are not in the key log yet");
    }
}

/// Lets old entries of sound trails expire; how many.
async fn let_go(store: &Store, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
    let trails = verify_all(store.reader(), None).await?;
    if !trails.broken.is_empty() {
        tracing::error!(
            trails = trails.broken.len(),
            "old entries of audit trails stay, because the trails are not what they were. Run \
             `centralita audit verify`"
        );
    }
    let expired = store.expire_audits(&trails.sound, before, now).await?;
    Ok(expired.iter().map(|(_, count)| count).sum())
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
    use crypto::SigningKey;
    use crypto::transparency::{LogSigner, NoteName};
    use store::{Change, VaultChange};

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

    async fn heads_in_the_key_log(store: &Store) -> Vec<AuditHead> {
        let published = published_heads(store.reader(), None).await.unwrap();
        assert_eq!(published.fault, None);
        published.heads.into_values().flatten().collect()
    }

    fn folder(name: &str) -> std::path::PathBuf {
        let name = format!("centralita-trail-{}-{name}", std::process::id());
        let data = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&data);
        data
    }

    async fn panel(data: &std::path::Path, store: &Arc<Store>) -> Arc<web_api::Shared> {
        let signer = keys::log_signer(data, store, "hotline.example").await;
        let options = web_api::WebOptions::new("https://panel.example");
        let panel = web_api::Shared::open(Arc::clone(store), options, signer.unwrap()).await;
        Arc::new(panel.unwrap())
    }

    /// Keeps these heads of the installation's trail as if they had been published once.
    async fn publish(data: &std::path::Path, store: &Store, heads: &[AuditHead]) {
        let signer = keys::log_signer(data, store, "hotline.example").await;
        let signer = signer.unwrap();
        let mut log = Log::new(signer.key().name().clone());
        let mut changes = store::Changes::new();
        for AuditHead { seqno, hash } in heads.iter().copied() {
            let chain = crypto::audit::AuditChain::Installation;
            let leaf = crypto::audit::AuditHead { chain, seqno, hash }.leaf();
            let leaf = leaf.unwrap();
            changes.push(VaultChange::LogExtended {
                position: log.append(leaf),
                leaf: leaf.encode().to_vec(),
            });
        }
        changes.push(VaultChange::CheckpointSigned {
            size: log.size(),
            note: log.sign(&signer).as_str().to_owned(),
        });
        store.commit(changes).await.unwrap();
    }

    /// A trail of three entries, of which the key log says something else: what was found, by
    /// the server and by the command.
    async fn contradicted(name: &str, seqno: u64) -> [String; 2] {
        let data = folder(name);
        let store = Arc::new(database::open(&data).await.unwrap());
        for _ in 0..3 {
            let entry = of_backup([7; 16]);
            store.commit(Change::from(entry).into()).await.unwrap();
        }
        let wrong = AuditHead {
            seqno,
            hash: [9; 32],
        };
        publish(&data, &store, &[wrong]).await;
        let panel = panel(&data, &store).await;
        // Not even entries that are old enough are let go: they are what shows it.
        keep_house(Arc::clone(&store), Some(Arc::clone(&panel)), Some(0)).await;
        assert_eq!(trail(&store).await.len(), 3);
        assert_eq!(heads_in_the_key_log(&store).await, [wrong], "nothing more");
        let [problem] = &panel.audit_problems()[..] else {
            panic!("one problem");
        };
        let problem = problem.clone();
        drop(panel);
        store.finish().await;
        let place = database::DataFolder::find(&data, None).unwrap();
        let said = crate::cli::verify_trails(&place).await.unwrap_err();
        std::fs::remove_dir_all(data).unwrap();
        [problem, said]
    }

    #[tokio::test]
    async fn a_trail_that_lacks_a_published_head_is_neither_sound_nor_published() {
        for said in contradicted("rewritten", 2).await {
            assert!(said.contains("installation"), "{said}");
            assert!(said.contains("rewritten"), "{said}");
        }
        for said in contradicted("cut", 24).await {
            assert!(said.contains("cut off: it once reached entry 24"), "{said}");
        }
    }

    #[tokio::test]
    async fn a_key_log_that_is_not_the_signed_one_is_noticed() {
        let data = folder("unsigned");
        let store = database::open(&data).await.unwrap();
        let one = |seqno| AuditHead {
            seqno,
            hash: [9; 32],
        };
        publish(&data, &store, &[one(1), one(2)]).await;
        // Somebody who has the database alone signs it with a key of their own.
        let own = keys::existing_log_signer(&data).unwrap().unwrap();
        let name = NoteName::new("hotline.example/keys").unwrap();
        let theirs = LogSigner::new(name, SigningKey::from_seed(&[7; 32]));
        for (key, is_ours) in [(own.key(), true), (theirs.key(), false)] {
            let published = published_heads(store.reader(), Some(key)).await.unwrap();
            assert_eq!(published.fault.is_none(), is_ours);
        }
        // Somebody puts another entry behind those, and has the log say that it was there.
        let more = VaultChange::CheckpointSigned {
            size: 3,
            note: "not a note".to_owned(),
        };
        store.commit(Change::from(more).into()).await.unwrap();
        let published = published_heads(store.reader(), None).await.unwrap();
        assert!(published.fault.unwrap().contains("the key log"));
        assert_eq!(published.heads[&AuditChain::Installation], [one(1), one(2)]);
        store.close().await;
        std::fs::remove_dir_all(data).unwrap();
    }

    #[tokio::test]
    async fn old_entries_expire_and_the_new_head_is_in_the_key_log() {
        let data = folder("expiry");
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

        let panel = panel(&data, &store).await;
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
        assert_eq!(heads_in_the_key_log(&store).await, [head]);
        drop((panel, store));
        std::fs::remove_dir_all(data).unwrap();
    }
}
