//! `centralita audit`: reads the trails and checks that nothing in them was changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use clap::Subcommand;
use crypto::transparency::LogSigner;
use jiff::{SignedDuration, Timestamp};
use store::{AuditChain, AuditHead, AuditLine, AuditSubject, AuditSummary, HubId, Reader};

use super::listing::local_time;
use super::say;
use crate::database::DataFolder;
use crate::{keys, trail};

/// How the installation's own trail is called.
const INSTALLATION: &str = "installation";
/// Entries that are read at once.
const PAGE: u32 = 1_000;
const HOURS_PER_DAY: i64 = 24;

/// What to do with the trails.
#[derive(Subcommand)]
pub(super) enum Action {
    /// Check that no entry was changed, removed or slipped in.
    Verify {
        /// Only this hub's trail, or `installation`.
        #[arg(long)]
        hub: Option<String>,
        /// The end of that trail as it was noted earlier, as NUMBER:HASH: it must still be there.
        #[arg(long, requires = "hub", value_name = "NUMBER:HASH", value_parser = parse_head)]
        head: Option<AuditHead>,
    },
    /// List the latest entries, the oldest first. They hold ids only.
    List {
        /// Of this hub, or `installation` (the default).
        #[arg(long, default_value = INSTALLATION)]
        hub: String,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Let old entries go, while no server runs. What is left still verifies.
    Expire {
        /// Entries that are older than so many days, as 90d.
        #[arg(long, value_name = "DAYS", value_parser = parse_days)]
        before: i64,
    },
}

/// Runs the action.
pub(super) async fn run(data: &DataFolder, action: Action) -> Result<(), String> {
    match action {
        Action::Verify { hub, head } => verify(data, hub, head).await,
        Action::List { hub, limit } => list(data, &hub, limit).await,
        Action::Expire { before } => expire(data, before).await,
    }
}

/// `audit verify` of everything.
#[cfg(test)]
pub(crate) async fn verify_all(data: &DataFolder) -> Result<(), String> {
    verify(data, None, None).await
}

async fn verify(
    data: &DataFolder,
    hub: Option<String>,
    kept: Option<AuditHead>,
) -> Result<(), String> {
    let reader = open(data).await?;
    let names = names(&reader).await?;
    // Before the trails: what they grow meanwhile still contains these.
    let signer = keys::existing_log_signer(data.path()).map_err(|error| error.to_string())?;
    let key = signer.as_ref().map(LogSigner::key);
    let published = trail::published_heads(&reader, key).await;
    let published = published.map_err(sentence)?;
    let chains = match &hub {
        Some(hub) => BTreeSet::from([chain_of(&names, hub)?]),
        None => {
            let mut chains = reader.unscoped().audit_chains().await.map_err(sentence)?;
            chains.extend(published.heads.keys());
            chains
        }
    };
    if key.is_none() && !published.heads.is_empty() {
        say("log.key is not in the data folder: whether it signed the key log is not known");
    }
    let mut broken: Vec<String> = published.fault.into_iter().collect();
    let mut unsaid = None;
    for chain in chains {
        let name = name_of(&names, chain);
        let known = published.heads.get(&chain).into_iter().flatten().copied();
        let heads: Vec<AuditHead> = known.chain(kept).collect();
        let verdict = reader
            .unscoped()
            .verify_audit(chain, crypto::audit::entry_hash, heads)
            .await;
        match verdict {
            Ok(Ok(sound)) => {
                unsaid = kept.filter(|kept| sound.uncompared.contains(&kept.seqno));
                say(format_args!("{name}: {}", of_sound(&sound)));
            }
            Ok(Err(fault)) => broken.push(format!("{name}: {fault}")),
            Err(error) => return Err(format!("{name} cannot be verified: {error}")),
        }
    }
    if !broken.is_empty() {
        return Err(format!(
            "the audit trail is not what it was. {}. Somebody changed the database: compare it \
             with a backup, and ask who could",
            broken.join(". ")
        ));
    }
    unsaid.map_or(Ok(()), |kept| {
        Err(format!(
            "entry {} has expired: nothing can be said about the head that you gave",
            kept.seqno
        ))
    })
}

/// What was found out about a sound trail.
fn of_sound(sound: &AuditSummary) -> String {
    let end = sound.head.map_or_else(
        || "no entries".to_owned(),
        |head| format!("its end is {}:{}", head.seqno, hex(&head.hash)),
    );
    let mut text = format!(
        "sound, {} entries, {} expired before them; {end}; it has {} heads of the key log",
        sound.verified, sound.expired, sound.compared
    );
    if let Some(last) = sound.uncompared.last() {
        let _ = write!(
            text,
            "; {} more, up to number {last}, cannot be compared: their entries expired",
            sound.uncompared.len()
        );
    }
    text
}

async fn list(data: &DataFolder, hub: &str, limit: u32) -> Result<(), String> {
    let reader = open(data).await?;
    let chain = chain_of(&names(&reader).await?, hub)?;
    let heads = reader.unscoped().audit_heads().await.map_err(sentence)?;
    let end = heads.iter().find(|(found, _)| *found == chain);
    let mut after = end.map_or(0, |(_, head)| head.seqno.saturating_sub(u64::from(limit)));
    loop {
        let page = reader
            .unscoped()
            .audit_lines(chain, after, PAGE)
            .await
            .map_err(sentence)?;
        page.iter().map(line).for_each(say);
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after = last.seqno(),
            _ => return Ok(()),
        }
    }
}

async fn expire(data: &DataFolder, days: i64) -> Result<(), String> {
    let store = data.open().await.map_err(sentence)?;
    let now = Timestamp::now();
    let before = now
        .checked_sub(SignedDuration::from_hours(days * HOURS_PER_DAY))
        .map_err(sentence)?;
    let signer = keys::existing_log_signer(data.path()).map_err(|error| error.to_string())?;
    let key = signer.as_ref().map(LogSigner::key);
    let trails = trail::verify_all(store.reader(), key).await;
    let trails = trails.map_err(sentence)?;
    let expired = store.expire_audits(&trails.sound, before, now).await;
    let expired = expired.map_err(sentence)?;
    let names = names(store.reader()).await?;
    if expired.is_empty() {
        say("nothing is that old");
    }
    for (chain, count) in expired {
        say(format_args!(
            "{}: {count} entries expired",
            name_of(&names, chain)
        ));
    }
    store.close().await;
    if trails.broken.is_empty() {
        return Ok(());
    }
    let broken = trails.broken.iter();
    let broken = broken.map(|(chain, fault)| format!("{}: {fault}", name_of(&names, *chain)));
    Err(format!(
        "the entries of trails that are not what they were stay, because they show it. {}. Run \
         `centralita audit verify`",
        broken.collect::<Vec<_>>().join(". ")
    ))
}

async fn open(data: &DataFolder) -> Result<Reader, String> {
    data.reader().await.map_err(sentence)
}

async fn names(reader: &Reader) -> Result<BTreeMap<HubId, String>, String> {
    let hubs = reader.unscoped().hubs().await.map_err(sentence)?;
    Ok(hubs.into_iter().map(|hub| (hub.id, hub.name)).collect())
}

fn chain_of(names: &BTreeMap<HubId, String>, hub: &str) -> Result<AuditChain, String> {
    if hub == INSTALLATION {
        return Ok(AuditChain::Installation);
    }
    let found = names.iter().find(|(_, name)| *name == hub);
    found
        .map(|(id, _)| AuditChain::Hub(*id))
        .ok_or_else(|| format!("there is no hub {hub}"))
}

fn name_of(names: &BTreeMap<HubId, String>, chain: AuditChain) -> String {
    match chain {
        AuditChain::Installation => INSTALLATION.to_owned(),
        AuditChain::Hub(hub) => names.get(&hub).cloned().unwrap_or_else(|| hex(&hub.0)),
    }
}

fn line(line: &AuditLine) -> String {
    let row = match line {
        AuditLine::Entry(row) => row,
        AuditLine::Unreadable { seqno, at } => {
            let at = at.map_or_else(|| "-".to_owned(), |at| local_time(at).to_string());
            return format!("{seqno:>6}  {at:<20} unreadable");
        }
    };
    let actor = row
        .entry
        .actor
        .map_or_else(|| "-".to_owned(), |actor| hex(&actor.0));
    format!(
        "{:>6}  {:<20} {:<26} by {actor:<32} {}",
        row.seqno,
        local_time(row.entry.at),
        row.entry.kind.as_str(),
        subject(row.entry.subject)
    )
}

fn subject(subject: AuditSubject) -> String {
    match subject {
        AuditSubject::Whole => String::new(),
        AuditSubject::User(id) => format!("person {}", hex(&id.0)),
        AuditSubject::Device(id) => format!("device {}", hex(&id.0)),
        AuditSubject::Record(id) => format!("record {}", hex(&id.0)),
        AuditSubject::Role(id) => format!("role {}", hex(&id.0)),
        AuditSubject::Call(id) => format!("call {id:x}"),
        AuditSubject::Recording(id) => format!("message {id:016x}"),
        AuditSubject::Thing(id) => hex(&id),
    }
}

fn parse_head(text: &str) -> Result<AuditHead, String> {
    let wrong = || "give it as `audit verify` printed it: NUMBER:HASH".to_owned();
    let (seqno, digits) = text.split_once(':').ok_or_else(wrong)?;
    let mut hash = [0; 32];
    if !digits.is_ascii() || digits.len() != 2 * hash.len() {
        return Err(wrong());
    }
    for (byte, place) in hash.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[place..place + 2], 16).map_err(|_| wrong())?;
    }
    let seqno = seqno.parse().map_err(|_| wrong())?;
    if seqno == 0 {
        return Err(wrong());
    }
    Ok(AuditHead { seqno, hash })
}

fn parse_days(text: &str) -> Result<i64, String> {
    text.strip_suffix('d')
        .and_then(|days| days.parse().ok())
        .filter(|days| (1..=36_500).contains(days))
        .ok_or_else(|| "give a number of days, such as 90d".to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sentence(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_printed() {
        let head = AuditHead {
            seqno: 163,
            hash: [0xa5; 32],
        };
        let text = format!("{}:{}", head.seqno, hex(&head.hash));
        assert_eq!(parse_head(&text), Ok(head));
        let none = text.replacen("163", "0", 1);
        for wrong in [
            "",
            "163",
            "163:",
            "x:00",
            &none,
            &text[..text.len() - 1],
            "1:é",
        ] {
            assert!(parse_head(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_age_is_a_number_of_days() {
        assert_eq!(parse_days("90d"), Ok(90));
        for wrong in ["90", "0d", "-1d", "d", "99999999d"] {
            assert!(parse_days(wrong).is_err(), "{wrong}");
        }
    }
}
