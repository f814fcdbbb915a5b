//! Commands that change or ask a running server, or its data folder when none runs.

use std::fmt::Write as _;
use std::io::BufRead;
use std::path::Path;

use crypto::CallerIdKey;
use jiff::Timestamp;
use routing::{CallerHasher, PhoneNumber};
use store::{AuditEntry, AuditKind, BanRow, CallerHash, Change, Changes, Place, Store, StoreError};

use super::say;
use crate::control::{self, Request, Response, Status};
use crate::database::{DataFolder, DatabaseError};
use crate::hotline::{self, Hotline};
use crate::keys::{self, KeyFile, KeyedHasher};
use crate::prompts::{self, OnFailure, Workshop};
use crate::{applied, serve, trail};

/// `centralita apply`.
pub(super) async fn apply(data: &DataFolder, file: &Path, dry_run: bool) -> Result<(), String> {
    let read = hotline::read(file).map_err(|report| report.to_string())?;
    if !read.warnings.problems.is_empty() {
        say(&read.warnings);
    }
    if dry_run {
        let old = stored_hotline(data).await?;
        return show_diff(old.as_ref(), &read.hotline);
    }
    make_prompts(data.path(), &read)?;
    let canonical = read.hotline.to_canonical();
    if let Some(response) = ask(data.path(), &Request::Apply { hotline: canonical }).await? {
        return show(response);
    }
    let store = open_alone(data).await?;
    let old = parse_stored(
        store
            .unscoped()
            .hotline()
            .await
            .map_err(|error| error.to_string())?,
    )?;
    show_diff(old.as_ref(), &read.hotline)?;
    if old.as_ref() != Some(&read.hotline) {
        let changes = applied::changes(&store, old.as_ref(), &read.hotline)
            .await
            .map_err(|error| error.to_string())?;
        store
            .commit(changes)
            .await
            .map_err(|error| error.to_string())?;
        say("applied; it takes effect when the server starts");
    }
    store.close().await;
    Ok(())
}

/// Makes the prompts ahead, so that a recording that cannot be played is refused with its line.
fn make_prompts(data: &Path, read: &hotline::Read) -> Result<(), String> {
    let workshop = Workshop::new(&serve::prompt_cache(data), OnFailure::Refuse)
        .map_err(|error| format!("cannot prepare prompts: {error}"))?;
    let ready =
        prompts::prepare(&read.hotline, &workshop, &mut |line| say(line)).map_err(|failures| {
            let reports = failures.iter().map(|failure| {
                read.prompt_report(&failure.hub, failure.kind, &failure.sentence)
                    .to_string()
            });
            reports.collect::<Vec<String>>().join("\n")
        })?;
    ready.notes.iter().for_each(say);
    Ok(())
}

async fn stored_hotline(data: &DataFolder) -> Result<Option<Hotline>, String> {
    let reader = match data.reader().await {
        Ok(reader) => reader,
        Err(StoreError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    parse_stored(
        reader
            .unscoped()
            .hotline()
            .await
            .map_err(|error| error.to_string())?,
    )
}

fn parse_stored(row: Option<store::HotlineRow>) -> Result<Option<Hotline>, String> {
    row.map(|row| Hotline::from_canonical(&row.body))
        .transpose()
        .map_err(|error| format!("the stored hotline cannot be read: {error}"))
}

fn show_diff(old: Option<&Hotline>, new: &Hotline) -> Result<(), String> {
    let changes = hotline::diff(old, new);
    if changes.is_empty() {
        say("nothing to change");
    }
    for change in changes {
        say(change);
    }
    Ok(())
}

/// `centralita ban` and `centralita unban`.
pub(super) async fn ban(
    data: &DataFolder,
    hub: String,
    number: Option<String>,
    banned: bool,
) -> Result<(), String> {
    let number = match number {
        Some(number) => number,
        None => read_number()?,
    };
    let number = PhoneNumber::parse(&number).ok_or(
        "that is not a telephone number: give it as the trunk shows it, such as +34600000000",
    )?;
    if let Some(key) = key_of_running(data).await? {
        let (hub, hash) = (hub.clone(), hex(&tagged(key, &number).0));
        let request = match banned {
            true => Request::Ban { hub, hash },
            false => Request::Unban { hub, hash },
        };
        if let Some(response) = ask(data.path(), &request).await? {
            return show(response);
        }
    }
    let offline = Offline::open(data).await?;
    let key = keys::caller_id_key(data.path(), &offline.store).await;
    let caller = tagged(key.map_err(|error| error.to_string())?, &number);
    if !offline.hotline.hubs.contains_key(&hub) {
        return Err(format!("there is no hub {hub}"));
    }
    let kind = match banned {
        true => AuditKind::NumberBanned,
        false => AuditKind::NumberUnbanned,
    };
    let told = trail::of_ban(&offline.store, &hub, kind).await;
    let change = if banned {
        Change::BanAdded(BanRow {
            hub,
            caller,
            created_at: Timestamp::now(),
            expires_at: None,
            reason: None,
        })
    } else {
        Change::BanRemoved { hub, caller }
    };
    offline.commit(change, told).await
}

/// The key with which a server, if one runs, tags numbers: what is tagged with another one would
/// match nobody. `None` before the first start.
async fn key_of_running(data: &DataFolder) -> Result<Option<CallerIdKey>, String> {
    let existing = || keys::existing_caller_id_key(data.path()).map_err(|error| error.to_string());
    let reader = match data.reader().await {
        Ok(reader) => reader,
        Err(StoreError::Missing { .. }) => return Ok(None),
        // It belongs to a server that was started before the update, and does not know its keys.
        Err(StoreError::OlderSchema { .. }) => return existing(),
        Err(error) => return Err(error.to_string()),
    };
    let checked = keys::check(KeyFile::CallerId, data.path(), &reader).await;
    reader.close().await;
    checked.map_err(|error| error.to_string())?;
    existing()
}

fn tagged(key: CallerIdKey, number: &PhoneNumber) -> CallerHash {
    CallerHash(KeyedHasher::new(key).hash(number).0)
}

/// `centralita break`.
pub(super) async fn declare_break(
    data: &DataFolder,
    volunteer: String,
    on: bool,
) -> Result<(), String> {
    let request = Request::Break {
        volunteer: volunteer.clone(),
        on,
    };
    if let Some(response) = ask(data.path(), &request).await? {
        return show(response);
    }
    let offline = Offline::open(data).await?;
    if !offline.hotline.volunteers.contains_key(&volunteer) {
        return Err(format!("there is no volunteer {volunteer}"));
    }
    let told = trail::of_break(&offline.store, &offline.hotline, &volunteer, on).await;
    let since = on.then(Timestamp::now);
    offline
        .commit(Change::BreakChanged { volunteer, since }, told)
        .await
}

/// The data folder while no server has it.
struct Offline {
    store: Store,
    hotline: Hotline,
}

impl Offline {
    async fn open(data: &DataFolder) -> Result<Self, String> {
        let store = open_alone(data).await?;
        let row = store.unscoped().hotline().await;
        let hotline = parse_stored(row.map_err(|error| error.to_string())?)?.ok_or_else(|| {
            format!(
                "nothing is configured in {0}: run `centralita apply hotline.toml --data {0}` first",
                data.path().display()
            )
        })?;
        Ok(Self { store, hotline })
    }

    /// Keeps a change together with what the trail tells of it.
    async fn commit(
        self,
        change: Change,
        told: Result<Vec<AuditEntry>, StoreError>,
    ) -> Result<(), String> {
        let mut changes = Changes::from(change);
        for entry in told.map_err(|error| error.to_string())? {
            changes.push(entry);
        }
        let kept = self.store.commit(changes).await;
        kept.map_err(|error| error.to_string())?;
        self.store.close().await;
        say("done; it takes effect when the server starts");
        Ok(())
    }
}

/// Opens the store for writing when no server answered on the control socket.
pub(super) async fn open_alone(data: &DataFolder) -> Result<Store, String> {
    data.open().await.map_err(|error| match error {
        // Of this folder: its server did not answer. A database elsewhere has one of another.
        DatabaseError::Store(StoreError::InUse {
            place: Place::File(_),
        }) => "the server is just starting or stopping; try again in a moment".to_owned(),
        error => error.to_string(),
    })
}

/// Enters into the audit trail what was done: through the server, where one runs.
pub(super) async fn note(
    data: &DataFolder,
    request: &Request,
    told: AuditEntry,
) -> Result<(), String> {
    match ask(data.path(), request).await? {
        Some(Response::Refused(sentence)) => return Err(sentence),
        Some(_) => return Ok(()),
        None => {}
    }
    let store = open_alone(data).await?;
    let kept = store.commit(Change::from(told).into()).await;
    store.close().await;
    kept.map_err(|error| error.to_string())
}

/// `centralita status`.
pub(super) async fn status(data: &Path, json: bool) -> Result<(), String> {
    let Some(response) = ask(data, &Request::Status).await? else {
        return Err(format!(
            "no server runs on {}. Start one with `centralita serve --data {}`",
            data.display(),
            data.display()
        ));
    };
    match response {
        Response::Status(status) if json => {
            say(serde_json::to_string_pretty(&status).map_err(|error| error.to_string())?);
        }
        Response::Status(status) => say(render(&status)),
        other => show(other)?,
    }
    Ok(())
}

fn render(status: &Status) -> String {
    let mut text = format!("centralita {}, up {} s", status.version, status.uptime_s);
    if status.draining {
        text.push_str(", draining: no new calls");
    }
    if !status.database_ok {
        text.push_str(", the database takes no writes: records wait in memory");
    }
    if let Some(problem) = &status.panel_problem {
        let _ = write!(text, "\nthe panel is not served: {problem}");
    }
    for problem in &status.audit_problems {
        let _ = write!(text, "\n{problem}. Run `centralita audit verify`");
    }
    let _ = write!(text, "\n\ntrunks");
    for trunk in &status.trunks {
        let _ = write!(text, "\n  {:<16} {}", trunk.name, trunk.state);
    }
    let _ = write!(text, "\nhubs");
    for hub in &status.hubs {
        let on_duty = if hub.on_duty.is_empty() {
            "nobody by schedule: the fallback group rings".to_owned()
        } else {
            format!("on duty: {}", hub.on_duty.join(", "))
        };
        let _ = write!(text, "\n  {:<16} {on_duty}", hub.id);
    }
    let _ = write!(text, "\nvolunteers");
    for volunteer in &status.volunteers {
        let _ = write!(
            text,
            "\n  {:<16} {:<12} phones: {}",
            volunteer.id, volunteer.state, volunteer.phones
        );
    }
    let _ = write!(text, "\ncalls");
    if status.calls.is_empty() {
        let _ = write!(text, "\n  none");
    }
    for call in &status.calls {
        let _ = write!(
            text,
            "\n  {:<16} {:<12} {:<10} {} s",
            call.id, call.hub, call.stage, call.age_s
        );
    }
    text
}

pub(super) async fn ask(data: &Path, request: &Request) -> Result<Option<Response>, String> {
    control::request(data, request)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => format!(
                "{} belongs to another user: {error}. Run this as the user that runs centralita",
                data.display()
            ),
            std::io::ErrorKind::InvalidInput => error.to_string(),
            _ => format!("the running server did not answer: {error}"),
        })
}

fn show(response: Response) -> Result<(), String> {
    match response {
        Response::Done(lines) => {
            lines.iter().for_each(say);
            Ok(())
        }
        Response::Status(_) => Ok(()),
        Response::Refused(sentence) => Err(sentence),
    }
}

fn read_number() -> Result<String, String> {
    say("the number:");
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| format!("cannot read the number: {error}"))?;
    Ok(line)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
