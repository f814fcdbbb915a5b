//! What the trails tell of settings that a hotline file changes. A hub's own trail tells its
//! people what changed for them; nothing of how it was or is, which the file's revisions hold.

use std::collections::BTreeSet;

use jiff::civil::Time;
use routing::PromptKind;
use store::AuditKind;

use crate::hotline::{Hotline, Hub, PromptSource, Weekday};
use crate::trail;

/// One entry, before names become ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Told {
    /// In the trail of this hub; `None` for the installation's.
    pub(super) hub: Option<String>,
    /// What happened.
    pub(super) kind: AuditKind,
    /// To this volunteer.
    pub(super) volunteer: Option<String>,
}

/// What there is to tell when `new` takes the place of `old`.
pub(super) fn told(old: &Hotline, new: &Hotline) -> Vec<Told> {
    let mut told = Vec::new();
    if old.trunks != new.trunks {
        told.push(Told {
            hub: None,
            kind: AuditKind::TelephonyProviderChanged,
            volunteer: None,
        });
    }
    if old.web.passkeys != new.web.passkeys {
        told.push(Told {
            hub: None,
            kind: AuditKind::WebauthnSettingsUpdated,
            volunteer: None,
        });
    }
    let hubs: BTreeSet<&String> = old.hubs.keys().chain(new.hubs.keys()).collect();
    for hub in hubs {
        let mut kinds = of_hub(old.hubs.get(hub), new.hubs.get(hub));
        kinds.extend(of_shifts(duties(old, hub), duties(new, hub)));
        if fallback(old, hub) != fallback(new, hub) {
            kinds.push(AuditKind::FallbackChanged);
        }
        told.extend(kinds.into_iter().map(|kind| Told {
            hub: Some(hub.clone()),
            kind,
            volunteer: None,
        }));
    }
    told.extend(of_phones(old, new));
    told
}

fn of_hub(old: Option<&Hub>, new: Option<&Hub>) -> Vec<AuditKind> {
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        // It takes calls again, or none any more.
        _ => return vec![AuditKind::CallSettingsUpdated],
    };
    let mut kinds = Vec::new();
    if old.screening != new.screening {
        kinds.push(AuditKind::SpamMitigationToggled);
    }
    if old.language != new.language {
        kinds.push(AuditKind::IvrLanguagesUpdated);
    }
    for kind in PromptKind::ALL {
        match (old.prompts.source(kind), new.prompts.source(kind)) {
            (before, after) if before == after => {}
            (_, PromptSource::BuiltIn) => kinds.push(AuditKind::IvrAudioDeleted),
            _ => kinds.push(AuditKind::IvrAudioUploaded),
        }
    }
    // Whatever else there is, also what later versions add.
    let rest = Hub {
        screening: new.screening,
        language: new.language.clone(),
        prompts: new.prompts.clone(),
        fallback: new.fallback.clone(),
        ..old.clone()
    };
    if rest != *new {
        kinds.push(AuditKind::CallSettingsUpdated);
    }
    kinds
}

/// When somebody is on duty, and who, whether the file names people or their group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Duty<'a> {
    time: (&'a BTreeSet<Weekday>, Time, Time),
    people: BTreeSet<&'a String>,
}

fn duties<'a>(hotline: &'a Hotline, hub: &str) -> Vec<Duty<'a>> {
    let shifts = hotline.shifts.iter().filter(|shift| shift.hub == hub);
    shifts
        .map(|shift| Duty {
            time: (&shift.days, shift.from, shift.to),
            people: people(hotline, shift.volunteers.iter().chain(&shift.groups)),
        })
        .collect()
}

/// Shifts have no names: one that keeps its time or its people is the same, changed.
fn of_shifts(old: Vec<Duty<'_>>, new: Vec<Duty<'_>>) -> Vec<AuditKind> {
    let mut left = old;
    let mut take = |same: &dyn Fn(&Duty<'_>) -> bool| {
        let place = left.iter().position(same);
        place.map(|place| drop(left.remove(place))).is_some()
    };
    let mut came = new;
    came.retain(|duty| !take(&|known| known == duty));
    let mut kinds = Vec::new();
    for duty in &came {
        let changed =
            take(&|known| known.time == duty.time) || take(&|known| known.people == duty.people);
        kinds.push(match changed {
            true => AuditKind::ShiftEdited,
            false => AuditKind::ShiftCreated,
        });
    }
    kinds.extend(left.iter().map(|_| AuditKind::ShiftDeleted));
    kinds
}

fn fallback<'a>(hotline: &'a Hotline, hub: &str) -> BTreeSet<&'a String> {
    let named = hotline.hubs.get(hub).into_iter();
    people(hotline, named.flat_map(|hub| &hub.fallback))
}

/// The volunteers among `names`, and those of the groups among them.
fn people<'a>(
    hotline: &'a Hotline,
    names: impl Iterator<Item = &'a String>,
) -> BTreeSet<&'a String> {
    let mut people = BTreeSet::new();
    for name in names {
        match hotline.groups.get(name) {
            Some(members) => people.extend(members),
            None => drop(people.insert(name)),
        }
    }
    people
}

/// Other phones, or another password, for somebody who was there before.
fn of_phones(old: &Hotline, new: &Hotline) -> impl Iterator<Item = Told> {
    let changed = new.volunteers.iter().filter(|(name, after)| {
        let before = old.volunteers.get(*name);
        before.is_some_and(|before| before.phones != after.phones)
    });
    changed.flat_map(|(name, _)| {
        let hubs = trail::hubs_of(new, name).into_iter();
        hubs.map(|hub| Told {
            hub: Some(hub.to_owned()),
            kind: AuditKind::PhoneChanged,
            volunteer: Some(name.clone()),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::hotline::{self, PasskeyRule};

    const EXAMPLE: &str = include_str!("../../docs/hotline.example.toml");

    fn example(change: impl Fn(&str) -> String) -> Hotline {
        let key = crypto::ReaderSecretKey::from_bytes(&[7; 32]);
        let text = EXAMPLE.replace("hlpub1replace-me", &key.public_key().to_string());
        let read = hotline::parse(&change(&text), Path::new("hotline.toml"));
        read.unwrap_or_else(|report| panic!("{report}")).hotline
    }

    /// What is told of a changed hotline, by hub.
    fn told_of(change: impl FnOnce(&mut Hotline)) -> Vec<(String, AuditKind)> {
        let old = example(str::to_owned);
        let mut new = old.clone();
        change(&mut new);
        told(&old, &new)
            .into_iter()
            .map(|told| (told.hub.unwrap_or_default(), told.kind))
            .collect()
    }

    fn first_hub(hotline: &mut Hotline) -> &mut Hub {
        hotline.hubs.values_mut().next().unwrap()
    }

    #[test]
    fn each_setting_has_its_word_in_its_hubs_trail() {
        let hub = example(str::to_owned).hubs.keys().next().unwrap().clone();
        type Edit = fn(&mut Hotline);
        let cases: [(Edit, AuditKind); 9] = [
            (
                |h| first_hub(h).queue_timeout_s += 1,
                AuditKind::CallSettingsUpdated,
            ),
            (
                |h| first_hub(h).voicemail_max_s += 1,
                AuditKind::CallSettingsUpdated,
            ),
            (
                |h| drop(first_hub(h).numbers.pop_first()),
                AuditKind::CallSettingsUpdated,
            ),
            (
                |h| first_hub(h).screening.ban_list ^= true,
                AuditKind::SpamMitigationToggled,
            ),
            (
                |h| first_hub(h).language = "pt-br".into(),
                AuditKind::IvrLanguagesUpdated,
            ),
            (
                |h| first_hub(h).prompts.voicemail_thanks = PromptSource::Text("Adiós".into()),
                AuditKind::IvrAudioUploaded,
            ),
            (
                |h| first_hub(h).fallback.clear(),
                AuditKind::FallbackChanged,
            ),
            (
                |h| drop(h.trunks.pop_first()),
                AuditKind::TelephonyProviderChanged,
            ),
            (
                |h| h.web.passkeys = PasskeyRule::Off,
                AuditKind::WebauthnSettingsUpdated,
            ),
        ];
        for (edit, kind) in cases {
            let chain = match kind {
                AuditKind::TelephonyProviderChanged | AuditKind::WebauthnSettingsUpdated => "",
                _ => hub.as_str(),
            };
            assert_eq!(told_of(edit), [(chain.to_owned(), kind)]);
        }
        assert_eq!(told_of(|_| {}), []);

        let spoken = |h: &mut Hotline| {
            first_hub(h).prompts.voicemail_thanks = PromptSource::Text("Adiós".into());
        };
        let (mut old, new) = (example(str::to_owned), example(str::to_owned));
        spoken(&mut old);
        let kinds: Vec<AuditKind> = told(&old, &new).into_iter().map(|told| told.kind).collect();
        assert_eq!(kinds, [AuditKind::IvrAudioDeleted]);
    }

    #[test]
    fn shifts_come_change_and_go() {
        let day = |from: i8, people: &[&str]| hotline::Shift {
            hub: "north".into(),
            days: [Weekday::Mon].into(),
            from: Time::constant(from, 0, 0, 0),
            to: Time::constant(from + 8, 0, 0, 0),
            volunteers: people.iter().map(|name| (*name).to_owned()).collect(),
            groups: BTreeSet::new(),
        };
        let of = |shifts: &[hotline::Shift]| {
            let mut hotline = example(str::to_owned);
            hotline.groups = [("nights".to_owned(), ["v02".to_owned()].into())].into();
            hotline.shifts = shifts.to_vec();
            hotline
        };
        let kinds = |old: &[hotline::Shift], new: &[hotline::Shift]| {
            let (old, new) = (of(old), of(new));
            of_shifts(duties(&old, "north"), duties(&new, "north"))
        };
        let (early, late) = (day(0, &["v01"]), day(12, &["v02"]));
        let both = [early.clone(), late.clone()];
        assert_eq!(kinds(&both, &[late.clone(), early.clone()]), []);
        assert_eq!(kinds(&both[..1], &both), [AuditKind::ShiftCreated]);
        assert_eq!(kinds(&both, &both[1..]), [AuditKind::ShiftDeleted]);
        let other_people = [day(0, &["v01", "eva"]), late.clone()];
        assert_eq!(kinds(&both, &other_people), [AuditKind::ShiftEdited]);
        let other_time = [early.clone(), day(13, &["v02"])];
        assert_eq!(kinds(&both, &other_time), [AuditKind::ShiftEdited]);
        assert_eq!(
            kinds(&both, &[day(4, &["eva"]), late.clone()]),
            [AuditKind::ShiftCreated, AuditKind::ShiftDeleted]
        );
        // The same people by the name of their group.
        let mut by_group = late.clone();
        by_group.volunteers.clear();
        by_group.groups = ["nights".to_owned()].into();
        assert_eq!(kinds(&both, &[early.clone(), by_group.clone()]), []);

        let grouped = of(&[by_group]);
        let mut grown = grouped.clone();
        grown.groups.get_mut("nights").unwrap().insert("eva".into());
        let told = of_shifts(duties(&grouped, "north"), duties(&grown, "north"));
        assert_eq!(told, [AuditKind::ShiftEdited]);
    }

    #[test]
    fn a_new_password_of_a_phone_is_told_where_its_volunteer_serves() {
        let told = |served: bool| {
            let mut old = example(str::to_owned);
            let hub = old.hubs.keys().next().unwrap().clone();
            let name = old.volunteers.keys().next().unwrap().clone();
            old.groups.clear();
            old.shifts.clear();
            for hub in old.hubs.values_mut() {
                hub.fallback.clear();
            }
            if served {
                let hub = old.hubs.get_mut(&hub).unwrap();
                hub.fallback = [name.clone()].into();
            }
            let mut new = old.clone();
            let phones = &mut new.volunteers.get_mut(&name).unwrap().phones;
            phones.values_mut().next().unwrap().md5 = hotline::Secret::new("another");
            (super::told(&old, &new), hub, name)
        };
        let (entries, hub, name) = told(true);
        let entry = Told {
            hub: Some(hub),
            kind: AuditKind::PhoneChanged,
            volunteer: Some(name),
        };
        assert_eq!(entries, [entry]);
        assert_eq!(told(false).0, []);
    }
}
