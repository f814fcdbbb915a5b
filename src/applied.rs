//! What applying a hotline file changes in the database.

mod settings;

use std::collections::{BTreeMap, BTreeSet};

use crypto::OsEntropy;
use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use store::{
    AuditChain, AuditEntry, AuditKind, AuditSubject, Change, Changes, GroupKind, GroupRow,
    HotlineBody, HotlinePlan, HubId, HubPlan, HubRow, ShiftRow, Store, StoreError, VaultChange,
};

use crate::hotline::{Hotline, Hub, Shift};

/// What listings call the volunteers who are rung when nobody is on duty.
const FALLBACK_GROUP: &str = "fallback";
const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

/// Why a hotline cannot be put into the database.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no random bytes.
    #[error("no id can be made for a hub: {0}")]
    Entropy(#[from] crypto::EntropyError),
}

/// All that makes `hotline` the stored one in place of `old`: the file, its plan as rows, an id
/// for each hub that has none yet, and what the audit trails tell of it.
///
/// # Errors
/// See [`ApplyError`].
pub async fn changes(
    store: &Store,
    old: Option<&Hotline>,
    hotline: &Hotline,
) -> Result<Changes, ApplyError> {
    let mut times = Times(Timestamp::now());
    let at = times.next();
    let mut changes = Changes::from(Change::HotlineApplied {
        hash: hotline.hash(),
        body: HotlineBody(hotline.to_canonical()),
        applied_at: at,
    });
    changes.push(Change::HotlinePlanned(Box::new(plan(hotline))));
    changes.push(told(at, AuditKind::HotlineApplied, AuditSubject::Whole));
    if let Some(old) = old {
        tell_of_settings(&mut changes, store, (old, hotline), &mut times).await?;
    }
    add_hubs(&mut changes, store, hotline, &mut times).await?;
    Ok(changes)
}

/// In the trails of hubs that are there already: a new one has nobody yet who would read it.
async fn tell_of_settings(
    changes: &mut Changes,
    store: &Store,
    (old, new): (&Hotline, &Hotline),
    times: &mut Times,
) -> Result<(), StoreError> {
    let hubs = store.unscoped().hubs().await?.into_iter();
    let hubs: BTreeMap<String, HubId> = hubs.map(|hub| (hub.name, hub.id)).collect();
    let accounts = store.unscoped().phone_accounts().await?;
    for entry in settings::told(old, new) {
        let chain = match &entry.hub {
            None => AuditChain::Installation,
            Some(hub) => match hubs.get(hub) {
                Some(id) => AuditChain::Hub(*id),
                None => continue,
            },
        };
        let mut accounts = accounts.iter();
        let account = accounts.find(|account| Some(&account.volunteer) == entry.volunteer.as_ref());
        let user = account.and_then(|account| account.user);
        changes.push(AuditEntry {
            chain,
            at: times.next(),
            kind: entry.kind,
            actor: None,
            subject: user.map_or(AuditSubject::Whole, AuditSubject::User),
        });
    }
    Ok(())
}

/// What the database lacks of the stored `hotline`, because an earlier version of the program
/// applied it.
///
/// # Errors
/// See [`ApplyError`].
pub async fn caught_up(store: &Store, hotline: &Hotline) -> Result<Changes, ApplyError> {
    let mut changes = Changes::new();
    let accounts = store.unscoped().phone_accounts().await?.into_iter();
    let planned = accounts.filter(|account| account.in_file);
    if !planned
        .map(|account| account.volunteer)
        .eq(hotline.volunteers.keys().cloned())
    {
        changes.push(Change::HotlinePlanned(Box::new(plan(hotline))));
    }
    add_hubs(&mut changes, store, hotline, &mut Times(Timestamp::now())).await?;
    Ok(changes)
}

async fn add_hubs(
    changes: &mut Changes,
    store: &Store,
    hotline: &Hotline,
    times: &mut Times,
) -> Result<(), ApplyError> {
    let known = store.unscoped().hubs().await?;
    let known: BTreeSet<String> = known.into_iter().map(|hub| hub.name).collect();
    for name in hotline.hubs.keys().filter(|name| !known.contains(*name)) {
        let id = HubId(*crypto::HubId::generate(&mut OsEntropy)?.as_bytes());
        let at = times.next();
        changes.push(VaultChange::HubAdded(HubRow {
            id,
            name: name.clone(),
            created_at: at,
        }));
        changes.push(told(at, AuditKind::HubAdded, AuditSubject::Thing(id.0)));
    }
    Ok(())
}

/// When each thing that one file changes is told to have happened: the trail takes two equal
/// entries of one microsecond for one that is told again.
struct Times(Timestamp);

impl Times {
    fn next(&mut self) -> Timestamp {
        let now = self.0;
        // Only the end of time has nothing after it.
        self.0 = now.checked_add(MICROSECOND).unwrap_or(now);
        now
    }
}

fn plan(hotline: &Hotline) -> HotlinePlan {
    let hub_plan = |(name, hub): (&String, &Hub)| {
        let shifts = hotline.shifts.iter().filter(|shift| shift.hub == *name);
        let shifts: Vec<&Shift> = shifts.collect();
        HubPlan {
            hub: name.clone(),
            groups: groups(hotline, hub, &shifts),
            shifts: shifts.into_iter().map(shift_row).collect(),
        }
    };
    HotlinePlan {
        hubs: hotline.hubs.iter().map(hub_plan).collect(),
        volunteers: hotline.volunteers.keys().cloned().collect(),
    }
}

fn shift_row(shift: &Shift) -> ShiftRow {
    let minute = |time: Time| {
        u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
    };
    ShiftRow {
        // The file gives shifts no names.
        name: format!(
            "{}-{}",
            shift.from.strftime("%H:%M"),
            shift.to.strftime("%H:%M")
        ),
        days: shift
            .days
            .iter()
            .fold(0, |bits, day| bits | 1 << *day as u8),
        from_minute: minute(shift.from),
        to_minute: minute(shift.to),
        volunteers: shift.volunteers.iter().cloned().collect(),
        groups: shift.groups.iter().cloned().collect(),
    }
}

/// The groups that a hub uses, and its fallback with its groups spelled out.
fn groups(hotline: &Hotline, hub: &Hub, shifts: &[&Shift]) -> Vec<GroupRow> {
    let on_shifts = shifts.iter().flat_map(|shift| &shift.groups);
    let in_fallback = hub.fallback.iter();
    let used: BTreeSet<&String> = on_shifts
        .chain(in_fallback.filter(|name| hotline.groups.contains_key(*name)))
        .collect();
    let members = |name: &String| hotline.groups.get(name).into_iter().flatten().cloned();
    let mut rows: Vec<GroupRow> = used
        .into_iter()
        .map(|name| GroupRow {
            name: name.clone(),
            kind: GroupKind::Ring,
            volunteers: members(name).collect(),
        })
        .collect();
    let mut fallback = BTreeSet::new();
    for name in &hub.fallback {
        match hotline.groups.contains_key(name) {
            true => fallback.extend(members(name)),
            false => drop(fallback.insert(name.clone())),
        }
    }
    rows.push(GroupRow {
        name: FALLBACK_GROUP.to_owned(),
        kind: GroupKind::Fallback,
        volunteers: fallback.into_iter().collect(),
    });
    rows
}

/// Who works on the machine itself is nobody whom the trail could name.
fn told(at: Timestamp, kind: AuditKind, subject: AuditSubject) -> AuditEntry {
    AuditEntry {
        chain: AuditChain::Installation,
        at,
        kind,
        actor: None,
        subject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hotline;

    fn folder(name: &str) -> std::path::PathBuf {
        let name = format!("centralita-applied-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    async fn kinds(store: &Store, chain: AuditChain) -> Vec<AuditKind> {
        let rows = store.unscoped().audit_trail(chain, 0, 100).await.unwrap();
        rows.into_iter().map(|row| row.entry.kind).collect()
    }

    fn demo() -> Hotline {
        let key = crypto::ReaderSecretKey::generate().unwrap();
        let demo = hotline::demo_hotline(key.public_key(), hotline::DemoPorts::default()).unwrap();
        let file = std::path::Path::new("demo.toml");
        hotline::parse(demo.text.reveal(), file).unwrap().hotline
    }

    #[tokio::test]
    async fn a_hub_keeps_the_id_that_it_got_first() {
        let data = folder("hubs");
        let store = crate::database::open(&data).await.unwrap();
        let hotline = demo();
        let first = changes(&store, None, &hotline).await.unwrap();
        store.commit(first).await.unwrap();
        let hubs = store.unscoped().hubs().await.unwrap();
        let names: Vec<&str> = hubs.iter().map(|hub| hub.name.as_str()).collect();
        let wanted: Vec<&str> = hotline.hubs.keys().map(String::as_str).collect();
        assert_eq!(names, wanted);

        assert!(caught_up(&store, &hotline).await.unwrap().is_empty());
        let again = changes(&store, Some(&hotline), &hotline).await.unwrap();
        store.commit(again).await.unwrap();
        assert_eq!(store.unscoped().hubs().await.unwrap(), hubs);
        let hub = AuditChain::Hub(hubs[0].id);
        let expected = [
            AuditKind::HotlineApplied,
            AuditKind::HubAdded,
            AuditKind::HotlineApplied,
        ];
        assert_eq!(kinds(&store, AuditChain::Installation).await, expected);
        assert_eq!(kinds(&store, hub).await, [], "nothing is new for the hub");
        store.close().await;
        std::fs::remove_dir_all(data).unwrap();
    }

    #[tokio::test]
    async fn a_hubs_own_trail_tells_what_a_file_changes_for_it() {
        let data = folder("settings");
        let store = crate::database::open(&data).await.unwrap();
        let old = demo();
        let first = changes(&store, None, &old).await.unwrap();
        store.commit(first).await.unwrap();
        let id = store.unscoped().hubs().await.unwrap().remove(0).id;

        let mut new = old.clone();
        let name = old.hubs.keys().next().unwrap();
        let hub = new.hubs.get_mut(name).unwrap();
        hub.queue_timeout_s += 10;
        hub.screening.ban_list ^= true;
        // A second hub: new to everybody, so nothing has changed for it.
        new.hubs.insert("second".into(), old.hubs[name].clone());
        let second = changes(&store, Some(&old), &new).await.unwrap();
        store.commit(second).await.unwrap();
        let told = kinds(&store, AuditChain::Hub(id)).await;
        let expected = [
            AuditKind::SpamMitigationToggled,
            AuditKind::CallSettingsUpdated,
        ];
        assert_eq!(told, expected);
        assert_eq!(store.unscoped().audit_heads().await.unwrap().len(), 2);
        store.close().await;
        std::fs::remove_dir_all(data).unwrap();
    }

    /// Each of them, however many of a kind one file changes at once.
    #[tokio::test]
    async fn the_trail_keeps_everything_that_one_file_changes() {
        let data = folder("at-once");
        let store = crate::database::open(&data).await.unwrap();
        let mut old = demo();
        let hub = old.hubs.keys().next().unwrap().clone();
        let people = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let shift = |from: i8, names: &[&str]| Shift {
            hub: hub.clone(),
            days: [hotline::Weekday::Mon].into(),
            from: Time::constant(from, 0, 0, 0),
            to: Time::constant(from + 1, 0, 0, 0),
            volunteers: people(names),
            groups: BTreeSet::new(),
        };
        old.shifts = vec![
            shift(1, &["v01"]),
            shift(2, &["v02"]),
            shift(3, &["v03"]),
            shift(4, &["v01", "v02"]),
        ];
        let spoken = |text: &str| hotline::PromptSource::Text(text.to_owned());
        old.hubs.get_mut(&hub).unwrap().prompts.voicemail_thanks = spoken("Gracias");
        let first = changes(&store, None, &old).await.unwrap();
        store.commit(first).await.unwrap();
        let id = store.unscoped().hubs().await.unwrap().remove(0).id;

        let mut new = old.clone();
        // Two keep their time with other people, two go, and two come.
        new.shifts = vec![
            shift(1, &["v01", "v03"]),
            shift(2, &["v01", "v02", "v03"]),
            shift(11, &["v02", "v03"]),
            shift(12, &["v02", "v03"]),
        ];
        new.trunks.clear();
        new.web.passkeys = hotline::PasskeyRule::Off;
        let volunteer = new.volunteers.get_mut("v01").unwrap();
        for phone in volunteer.phones.values_mut() {
            phone.md5 = hotline::Secret::new("another");
        }
        let changed = new.hubs.get_mut(&hub).unwrap();
        changed.queue_timeout_s += 10;
        changed.screening.ban_list ^= true;
        changed.language = match changed.language.as_str() {
            "es" => "en".to_owned(),
            _ => "es".to_owned(),
        };
        changed.fallback = people(&["v02"]);
        changed.prompts.voicemail_thanks = hotline::PromptSource::BuiltIn;
        changed.prompts.greeting = spoken("Hola");
        changed.prompts.voicemail_invitation = spoken("Hable");
        let second = changes(&store, Some(&old), &new).await.unwrap();
        store.commit(second).await.unwrap();

        let mut told = kinds(&store, AuditChain::Hub(id)).await;
        told.sort();
        let mut expected = vec![
            AuditKind::CallSettingsUpdated,
            AuditKind::SpamMitigationToggled,
            AuditKind::IvrLanguagesUpdated,
            AuditKind::IvrAudioUploaded,
            AuditKind::IvrAudioUploaded,
            AuditKind::IvrAudioDeleted,
            AuditKind::ShiftEdited,
            AuditKind::ShiftEdited,
            AuditKind::ShiftDeleted,
            AuditKind::ShiftDeleted,
            AuditKind::ShiftCreated,
            AuditKind::ShiftCreated,
            AuditKind::FallbackChanged,
            AuditKind::PhoneChanged,
        ];
        expected.sort();
        assert_eq!(told, expected);
        let installation = kinds(&store, AuditChain::Installation).await;
        let expected = [
            AuditKind::HotlineApplied,
            AuditKind::HubAdded,
            AuditKind::HotlineApplied,
            AuditKind::TelephonyProviderChanged,
            AuditKind::WebauthnSettingsUpdated,
        ];
        assert_eq!(installation, expected);
        store.close().await;
        std::fs::remove_dir_all(data).unwrap();
    }

    /// An earlier version kept the file alone.
    #[tokio::test]
    async fn what_an_earlier_version_left_out_is_made_up_for() {
        let data = folder("earlier");
        let store = crate::database::open(&data).await.unwrap();
        let hotline = demo();
        let applied = Change::HotlineApplied {
            hash: hotline.hash(),
            body: HotlineBody(hotline.to_canonical()),
            applied_at: Timestamp::UNIX_EPOCH,
        };
        store.commit(applied.into()).await.unwrap();
        let lacking = caught_up(&store, &hotline).await.unwrap();
        store.commit(lacking).await.unwrap();
        let (hubs, accounts) = (
            store.unscoped().hubs().await.unwrap(),
            store.unscoped().phone_accounts().await.unwrap(),
        );
        assert_eq!(hubs.len(), hotline.hubs.len());
        assert_eq!(accounts.len(), hotline.volunteers.len());
        store.close().await;
        std::fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn the_plan_tells_when_and_who() {
        let mut hotline = demo();
        let hub = hotline.hubs.keys().next().unwrap().clone();
        let people = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        hotline.groups = [("nights".to_owned(), people(&["v02", "v03"]))].into();
        hotline.shifts = vec![Shift {
            hub: hub.clone(),
            days: [hotline::Weekday::Mon, hotline::Weekday::Sun].into(),
            from: Time::constant(20, 30, 0, 0),
            to: Time::constant(8, 0, 0, 0),
            volunteers: people(&["v01"]),
            groups: people(&["nights"]),
        }];
        hotline.hubs.get_mut(&hub).unwrap().fallback = people(&["v01", "nights"]);
        let plan = plan(&hotline);
        assert_eq!(plan.volunteers, ["v01", "v02", "v03"]);
        let [planned] = &plan.hubs[..] else {
            panic!("the demonstration has one hub");
        };
        let [shift] = &planned.shifts[..] else {
            panic!("one shift was given");
        };
        assert_eq!(shift.days, 0b100_0001);
        assert_eq!((shift.from_minute, shift.to_minute), (20 * 60 + 30, 8 * 60));
        assert_eq!(shift.name, "20:30-08:00");
        assert_eq!(
            (&shift.volunteers[..], &shift.groups[..]),
            (&["v01".to_owned()][..], &["nights".to_owned()][..])
        );
        let groups: Vec<(&str, GroupKind, usize)> = planned
            .groups
            .iter()
            .map(|group| (group.name.as_str(), group.kind, group.volunteers.len()))
            .collect();
        assert_eq!(
            groups,
            [
                ("nights", GroupKind::Ring, 2),
                ("fallback", GroupKind::Fallback, 3)
            ]
        );
    }
}
