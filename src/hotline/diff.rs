//! What would change, in lines for people. Secrets are said to differ, never shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use routing::PromptKind;

use super::model::{
    Hotline, Hub, Limits, Network, PromptSource, Shift, Trunk, Volunteer, Web, Weekday,
};

/// What happens to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It differs.
    Changed,
    /// It is gone.
    Removed,
}

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happens.
    pub kind: ChangeKind,
    /// To what, and how.
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            ChangeKind::Added => '+',
            ChangeKind::Changed => '~',
            ChangeKind::Removed => '-',
        };
        write!(f, "{sign} {}", self.what)
    }
}

/// What applying `new` changes. `old` is `None` before the first file. Empty when nothing does.
#[must_use]
pub fn diff(old: Option<&Hotline>, new: &Hotline) -> Vec<Change> {
    let mut lines = Lines::default();
    match old {
        None => lines.add(ChangeKind::Added, format!("network {}", new.network.realm)),
        Some(old) => {
            lines.changed("network", network(&old.network, &new.network));
            let mut limits = Fields::default();
            limits.value("calls", &old.limits.calls, &new.limits.calls);
            let (old_s, new_s) = (old.limits.media_timeout_s, new.limits.media_timeout_s);
            limits.value("media_timeout", &old_s, &new_s);
            let days = |limits: &Limits| limits.audit_days.unwrap_or(0);
            limits.value("audit_days", &days(&old.limits), &days(&new.limits));
            lines.changed("limits", limits);
            lines.changed("web", web(&old.web, &new.web));
        }
    }
    let hubs = old.map(|old| &old.hubs);
    lines.entities("hub", hubs, &new.hubs, hub);
    let volunteers = old.map(|old| &old.volunteers);
    lines.entities("volunteer", volunteers, &new.volunteers, volunteer);
    let groups = old.map(|old| &old.groups);
    lines.entities("group", groups, &new.groups, |old, new| {
        let mut fields = Fields::default();
        fields.names("volunteers", old, new);
        fields
    });
    let shifts = old.map_or(&[][..], |old| &old.shifts);
    lines.shifts(shifts, &new.shifts);
    let trunks = old.map(|old| &old.trunks);
    lines.entities("trunk", trunks, &new.trunks, trunk);
    lines.0
}

#[derive(Default)]
struct Lines(Vec<Change>);

impl Lines {
    fn add(&mut self, kind: ChangeKind, what: String) {
        self.0.push(Change { kind, what });
    }

    fn changed(&mut self, what: &str, fields: Fields) {
        if !fields.0.is_empty() {
            self.add(
                ChangeKind::Changed,
                format!("{what}: {}", fields.0.join(", ")),
            );
        }
    }

    fn entities<T: PartialEq>(
        &mut self,
        what: &str,
        old: Option<&BTreeMap<String, T>>,
        new: &BTreeMap<String, T>,
        compare: impl Fn(&T, &T) -> Fields,
    ) {
        for (id, after) in new {
            match old.and_then(|old| old.get(id)) {
                None => self.add(ChangeKind::Added, format!("{what} {id}")),
                Some(before) => self.changed(&format!("{what} {id}"), compare(before, after)),
            }
        }
        let gone = old.into_iter().flat_map(BTreeMap::keys);
        for id in gone.filter(|id| !new.contains_key(*id)) {
            self.add(ChangeKind::Removed, format!("{what} {id}"));
        }
    }

    /// Shifts have no names: one that differs is a new one in place of an old one.
    fn shifts(&mut self, old: &[Shift], new: &[Shift]) {
        let mut left: Vec<&Shift> = old.iter().collect();
        for shift in new {
            match left.iter().position(|known| *known == shift) {
                Some(index) => {
                    left.remove(index);
                }
                None => self.add(ChangeKind::Added, shift_line(shift)),
            }
        }
        for shift in left {
            self.add(ChangeKind::Removed, shift_line(shift));
        }
    }
}

/// The differing fields of one thing.
#[derive(Default)]
struct Fields(Vec<String>);

impl Fields {
    fn shown<T: PartialEq>(&mut self, name: &str, old: &T, new: &T, show: impl Fn(&T) -> String) {
        if old != new {
            self.0.push(format!("{name} {} → {}", show(old), show(new)));
        }
    }

    fn value<T: PartialEq + Display>(&mut self, name: &str, old: &T, new: &T) {
        self.shown(name, old, new, T::to_string);
    }

    fn seconds(&mut self, name: &str, old: u32, new: u32) {
        self.shown(name, &old, &new, |s| format!("{s} s"));
    }

    fn list<T: PartialEq + Display>(&mut self, name: &str, old: &[T], new: &[T]) {
        let show = |items: &&[T]| {
            let items: Vec<String> = items.iter().map(T::to_string).collect();
            format!("[{}]", items.join(", "))
        };
        self.shown(name, &old, &new, show);
    }

    /// What came to a set and what left it.
    fn names<T: Ord + Display>(&mut self, name: &str, old: &BTreeSet<T>, new: &BTreeSet<T>) {
        let added = new.difference(old).map(|item| format!("{name} +{item}"));
        let removed = old.difference(new).map(|item| format!("{name} -{item}"));
        self.0.extend(added.chain(removed));
    }

    /// Says that something differs without showing it.
    fn hidden<T: PartialEq>(&mut self, name: &str, old: &T, new: &T) {
        if old != new {
            self.0.push(format!("{name} changed"));
        }
    }
}

fn network(old: &Network, new: &Network) -> Fields {
    let mut fields = Fields::default();
    fields.value("realm", &old.realm, &new.realm);
    fields.list("udp", &old.udp, &new.udp);
    fields.list("tcp", &old.tcp, &new.tcp);
    fields.shown("advertised", &old.advertised, &new.advertised, or_none);
    fields.shown("rtp_ports", &old.rtp_ports, &new.rtp_ports, |range| {
        format!("{}-{}", range.first, range.last)
    });
    fields.shown("metrics", &old.metrics, &new.metrics, or_none);
    fields
}

fn web(old: &Web, new: &Web) -> Fields {
    let mut fields = Fields::default();
    fields.shown("listen", &old.listen, &new.listen, |listen| {
        listen.map_or_else(|| "off".to_owned(), |listen| listen.to_string())
    });
    fields.shown("origin", &old.origin, &new.origin, or_none);
    fields.shown(
        "certificate",
        &old.certificate,
        &new.certificate,
        |files| match files {
            Some(files) => files.chain.display().to_string(),
            None => "the server's own".to_owned(),
        },
    );
    fields.shown("witnesses", &old.witnesses, &new.witnesses, |witnesses| {
        let names = witnesses.iter().map(|one| one.key.name().to_string());
        format!("[{}]", names.collect::<Vec<_>>().join(", "))
    });
    fields.value("idle_minutes", &old.idle_minutes, &new.idle_minutes);
    fields.value("unlocked_hours", &old.unlocked_hours, &new.unlocked_hours);
    fields.value("passkeys", &old.passkeys, &new.passkeys);
    fields
}

fn hub(old: &Hub, new: &Hub) -> Fields {
    let mut fields = Fields::default();
    fields.shown("name", &old.name, &new.name, |name| format!("\"{name}\""));
    fields.names("numbers", &old.numbers, &new.numbers);
    fields.value("language", &old.language, &new.language);
    fields.value("time_zone", &old.time_zone, &new.time_zone);
    fields.seconds("queue_timeout", old.queue_timeout_s, new.queue_timeout_s);
    fields.seconds("answer_after", old.answer_after_s, new.answer_after_s);
    fields.seconds("voicemail_max", old.voicemail_max_s, new.voicemail_max_s);
    fields.seconds(
        "voicemail_silence",
        old.voicemail_silence_s,
        new.voicemail_silence_s,
    );
    fields.seconds("wrap_up", old.wrap_up_s, new.wrap_up_s);
    fields.value("max_waiting", &old.max_waiting, &new.max_waiting);
    for kind in PromptKind::ALL {
        let (before, after) = (old.prompts.source(kind), new.prompts.source(kind));
        prompt(&mut fields, kind, before, after);
    }
    let ids = |hub: &Hub| -> BTreeSet<String> {
        let keys = hub.voicemail_keys.iter();
        keys.map(|key| key.public_key().id().to_string()).collect()
    };
    fields.names("voicemail_keys", &ids(old), &ids(new));
    fields.names("fallback", &old.fallback, &new.fallback);
    let on = |on: &bool| if *on { "on" } else { "off" }.to_owned();
    let (before, after) = (&old.screening, &new.screening);
    fields.shown("ban_list", &before.ban_list, &after.ban_list, on);
    fields.shown("rate_limit", &before.rate_limit, &after.rate_limit, |l| {
        let limit = |l: &super::model::RateLimit| format!("{} in {} s", l.max_calls, l.window_s);
        l.as_ref().map_or_else(|| "off".to_owned(), limit)
    });
    fields
}

fn prompt(fields: &mut Fields, kind: PromptKind, old: &PromptSource, new: &PromptSource) {
    let name = match kind {
        PromptKind::Greeting => "greeting",
        PromptKind::HoldMusic => "hold_music",
        PromptKind::VoicemailInvitation => "voicemail_invitation",
        PromptKind::VoicemailThanks => "voicemail_thanks",
    };
    match (old, new) {
        (PromptSource::File { path: a, .. }, PromptSource::File { path: b, .. }) if a == b => {
            fields.hidden(&format!("the recording of {name}"), old, new);
        }
        (PromptSource::Text(_), PromptSource::Text(_)) => {
            fields.hidden(&format!("the text of {name}"), old, new);
        }
        _ => fields.shown(name, old, new, |source| match source {
            PromptSource::BuiltIn => "built in".to_owned(),
            PromptSource::Text(_) => "own text".to_owned(),
            PromptSource::File { path, .. } => path.display().to_string(),
        }),
    }
}

fn volunteer(old: &Volunteer, new: &Volunteer) -> Fields {
    let mut fields = Fields::default();
    let users = |v: &Volunteer| v.phones.keys().cloned().collect();
    fields.names("phones", &users(old), &users(new));
    for (user, after) in &new.phones {
        if let Some(before) = old.phones.get(user) {
            fields.hidden(&format!("password of {user}"), before, after);
        }
    }
    fields
}

fn trunk(old: &Trunk, new: &Trunk) -> Fields {
    let mut fields = Fields::default();
    match (old, new) {
        (Trunk::Address { peers: before }, Trunk::Address { peers: after }) => {
            fields.list("peers", before, after);
        }
        (
            Trunk::Register {
                password: before, ..
            },
            Trunk::Register {
                password: after, ..
            },
        ) => {
            fields.shown("account", &account(old), &account(new), String::clone);
            fields.hidden("password", before, after);
        }
        _ => fields.shown("kind", &kind(old), &kind(new), |kind| (*kind).to_owned()),
    }
    fields
}

/// Everything about a registration but the password.
fn account(trunk: &Trunk) -> String {
    match trunk {
        Trunk::Address { .. } => String::new(),
        Trunk::Register {
            host,
            port,
            transport,
            user,
            expires_s,
            number,
            ..
        } => {
            let number = number
                .as_ref()
                .map_or_else(String::new, |it| format!(", for {it}"));
            format!("{user} at {host}:{port} ({transport:?}, {expires_s} s{number})")
        }
    }
}

fn kind(trunk: &Trunk) -> &'static str {
    match trunk {
        Trunk::Address { .. } => "address",
        Trunk::Register { .. } => "register",
    }
}

fn shift_line(shift: &Shift) -> String {
    let days: Vec<&str> = shift.days.iter().copied().map(Weekday::as_str).collect();
    let people: Vec<&str> = shift
        .volunteers
        .iter()
        .chain(&shift.groups)
        .map(String::as_str)
        .collect();
    format!(
        "shift of {}: {} {}-{}, {}",
        shift.hub,
        days.join(" "),
        shift.from.strftime("%H:%M"),
        shift.to.strftime("%H:%M"),
        people.join(", ")
    )
}

fn or_none<T: Display>(value: &Option<T>) -> String {
    value
        .as_ref()
        .map_or_else(|| "none".to_owned(), T::to_string)
}
