//! Answers the control socket: applies hotline files, bans, breaks, and tells the state.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use store::{AuditEntry, AuditKind, BanRow, CallerHash, Change, Changes, Store, StoreError};
use tokio::sync::{Notify, mpsc, oneshot};

use super::compose::Composer;
use super::metrics::Metrics;
use super::voice::{Order, VoiceStatus};
use crate::control::{
    self, Asked, CallStatus, HubStatus, Request, Response, Status, TrunkDown, TrunkStatus,
    VolunteerStatus,
};
use crate::hotline::{self, Hotline, Trunk};
use crate::{applied, trail};

/// Requests that wait for their turn.
const MAX_QUEUED_REQUESTS: usize = 16;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What the database could not be asked for is asked for again after this time.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What the admin task is made of.
pub struct Parts {
    /// The database.
    pub store: Arc<Store>,
    /// Makes configurations.
    pub composer: Composer,
    /// The hotline in force.
    pub hotline: Hotline,
    /// To the voice loop.
    pub orders: mpsc::Sender<Order>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Why the panel is not served.
    pub panel_problem: Option<String>,
    /// What the panel has, where it is served.
    pub panel: Option<Arc<web_api::Shared>>,
}

struct Admin {
    store: Arc<Store>,
    composer: Composer,
    hotline: Hotline,
    orders: mpsc::Sender<Order>,
    metrics: Arc<Metrics>,
    panel_problem: Option<String>,
    panel: Option<Arc<web_api::Shared>>,
    started: Instant,
    /// When the hotline came into force.
    configured_at: Instant,
    /// When the calls are to be given what the database did not tell.
    again_at: Option<Instant>,
}

/// To be told what was changed in the panel. Several changes at once count as one.
#[derive(Clone, Debug, Default)]
pub struct FromPanel {
    people: Arc<Notify>,
    bans: Arc<Notify>,
}

impl FromPanel {
    /// A sigchain, a roster or a phone account: whom what comes in is for is read anew.
    pub fn people_changed(&self) {
        self.people.notify_one();
    }

    /// Banned numbers: the router is configured anew.
    pub fn bans_changed(&self) {
        self.bans.notify_one();
    }
}

/// Serves the control socket until the process ends.
///
/// # Errors
/// The socket cannot be made.
pub fn start(data: &Path, parts: Parts) -> std::io::Result<FromPanel> {
    let (asked, mut requests) = mpsc::channel::<Asked>(MAX_QUEUED_REQUESTS);
    let from_panel = FromPanel::default();
    let FromPanel { people, bans } = from_panel.clone();
    control::listen(data, asked)?;
    let started = Instant::now();
    let mut admin = Admin {
        store: parts.store,
        composer: parts.composer,
        hotline: parts.hotline,
        orders: parts.orders,
        metrics: parts.metrics,
        panel_problem: parts.panel_problem,
        panel: parts.panel,
        started,
        configured_at: started,
        again_at: None,
    };
    tokio::spawn(async move {
        let mut days = tokio::time::interval(DAY);
        loop {
            tokio::select! {
                Some(Asked { request, reply }) = requests.recv() => {
                    let response = admin
                        .answer(request)
                        .await
                        .unwrap_or_else(Response::Refused);
                    // Whoever asked may have gone.
                    let _ = reply.send(response);
                }
                () = people.notified() => admin.people_changed().await,
                () = bans.notified() => admin.bans_changed().await,
                _ = days.tick() => admin.another_day(),
                () = until(admin.again_at) => admin.ask_again().await,
            }
        }
    });
    Ok(from_panel)
}

impl Admin {
    async fn answer(&mut self, request: Request) -> Result<Response, String> {
        match request {
            Request::Status => Ok(Response::Status(Box::new(self.status().await?))),
            Request::Apply { hotline } => self.apply(&hotline).await,
            Request::Ban { hub, hash } => {
                let caller = CallerHash(parse_hex(&hash)?);
                self.check_hub(&hub)?;
                let created_at = Timestamp::now();
                let ban = BanRow {
                    hub: hub.clone(),
                    caller,
                    created_at,
                    expires_at: None,
                    reason: None,
                };
                let told = trail::of_ban(&self.store, &hub, AuditKind::NumberBanned).await;
                self.change(Change::BanAdded(ban), told).await?;
                Ok(Response::Done(vec!["banned, from the next call on".into()]))
            }
            Request::Unban { hub, hash } => {
                let caller = CallerHash(parse_hex(&hash)?);
                self.check_hub(&hub)?;
                let told = trail::of_ban(&self.store, &hub, AuditKind::NumberUnbanned).await;
                self.change(Change::BanRemoved { hub, caller }, told)
                    .await?;
                Ok(Response::Done(vec![
                    "no longer banned, from the next call on".into(),
                ]))
            }
            Request::Break { volunteer, on } => {
                if !self.hotline.volunteers.contains_key(&volunteer) {
                    return Err(format!("there is no volunteer {volunteer}"));
                }
                let since = on.then(Timestamp::now);
                let line = if on {
                    "on break"
                } else {
                    "back from the break"
                };
                let done = format!("{volunteer} is {line}");
                let told = trail::of_break(&self.store, &self.hotline, &volunteer, on).await;
                self.change(Change::BreakChanged { volunteer, since }, told)
                    .await?;
                Ok(Response::Done(vec![done]))
            }
            Request::BackupMade { backup } => {
                self.tell(trail::of_backup(parse_hex(&backup)?)).await
            }
            Request::AuthorityRenewed => self.tell(trail::of_authority()).await,
        }
    }

    fn check_hub(&self, hub: &str) -> Result<(), String> {
        if self.hotline.hubs.contains_key(hub) {
            return Ok(());
        }
        let known: Vec<&str> = self.hotline.hubs.keys().map(String::as_str).collect();
        Err(format!(
            "there is no hub {hub}; the hubs are {}",
            known.join(", ")
        ))
    }

    async fn tell(&self, entry: AuditEntry) -> Result<Response, String> {
        let told = self.store.commit(Change::from(entry).into()).await;
        told.map_err(|error| error.to_string())?;
        Ok(Response::Done(Vec::new()))
    }

    /// Keeps a change together with what the trail tells of it, and lets it take effect.
    async fn change(
        &mut self,
        change: Change,
        told: Result<Vec<AuditEntry>, StoreError>,
    ) -> Result<(), String> {
        let mut changes = Changes::from(change);
        for entry in told.map_err(|error| error.to_string())? {
            changes.push(entry);
        }
        self.store
            .commit(changes)
            .await
            .map_err(|error| error.to_string())?;
        self.reconfigure().await
    }

    async fn people_changed(&mut self) {
        match self.composer.ingest(&self.hotline).await {
            // A loop that is gone needs no readers.
            Ok(ingest) => drop(self.send(Order::SealTo(Box::new(ingest))).await),
            Err(error) => {
                tracing::error!(%error, "who may open what comes in could not be read anew");
                self.again_at = Some(Instant::now() + ASK_AGAIN);
            }
        }
    }

    async fn bans_changed(&mut self) {
        if let Err(error) = self.reconfigure().await {
            tracing::error!(error, "banned numbers could not be read anew");
        }
    }

    /// Nobody waits for it.
    fn another_day(&self) {
        let (store, panel) = (Arc::clone(&self.store), self.panel.clone());
        tokio::spawn(trail::keep_house(
            store,
            panel,
            self.hotline.limits.audit_days,
        ));
    }

    async fn apply(&mut self, canonical: &str) -> Result<Response, String> {
        let new = Hotline::from_canonical(canonical)
            .map_err(|error| format!("the hotline was not understood: {error}"))?;
        let mut lines: Vec<String> = hotline::diff(Some(&self.hotline), &new)
            .iter()
            .map(ToString::to_string)
            .collect();
        if lines.is_empty() {
            return Ok(Response::Done(vec!["nothing to change".into()]));
        }
        // Prompts that cannot be made are told before anything is kept.
        let mut config = self
            .composer
            .compose(&new)
            .await
            .map_err(|error| error.to_string())?;
        let changes = applied::changes(&self.store, Some(&self.hotline), &new)
            .await
            .map_err(|error| error.to_string())?;
        self.store
            .commit(changes)
            .await
            .map_err(|error| error.to_string())?;
        // It is kept: whatever fails from here on, this is the hotline.
        if let Some(panel) = &self.panel {
            panel.allow_passkeys(new.web.passkeys.allows());
        }
        let moved = self.hotline.network != new.network;
        let panel_moved = self.hotline.web.restarts_for(&new.web);
        self.hotline = new;
        self.configured_at = Instant::now();
        // Anew, because hubs have got their ids.
        match self.composer.ingest(&self.hotline).await {
            Ok(ingest) => config.ingest = ingest,
            Err(error) => {
                tracing::error!(%error, "who may open what comes in could not be read");
                self.again_at = Some(Instant::now() + ASK_AGAIN);
            }
        }
        self.send(Order::Configure(Box::new(config))).await?;
        lines.push("applied; effective from the next call on".into());
        if moved {
            lines.push("[network] takes effect when the server is started again".into());
        }
        if panel_moved {
            lines.push("[web] takes effect when the server is started again".into());
        }
        Ok(Response::Done(lines))
    }

    /// Nobody waits for it, and it goes on until it succeeds.
    async fn ask_again(&mut self) {
        self.again_at = None;
        match self.reconfigure().await {
            Ok(()) => tracing::info!("the calls follow the database again"),
            Err(error) => tracing::error!(error, "the database does not tell what calls need"),
        }
    }

    async fn reconfigure(&mut self) -> Result<(), String> {
        match self.composer.compose(&self.hotline).await {
            Ok(config) => self.send(Order::Configure(Box::new(config))).await,
            Err(error) => {
                self.again_at = Some(Instant::now() + ASK_AGAIN);
                Err(error.to_string())
            }
        }
    }

    async fn send(&self, order: Order) -> Result<(), String> {
        self.orders
            .send(order)
            .await
            .map_err(|_| "the server is stopping".to_owned())
    }

    async fn status(&self) -> Result<Status, String> {
        let (reply, answer) = oneshot::channel();
        self.send(Order::Status(reply)).await?;
        let voice = answer
            .await
            .map_err(|_| "the server is stopping".to_owned())?;
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_s: self.started.elapsed().as_secs(),
            draining: self.metrics.is_draining(),
            database_ok: self.metrics.database_ok(),
            panel_problem: self.panel_problem.clone(),
            audit_problems: self
                .panel
                .as_ref()
                .map_or_else(Vec::new, |panel| panel.audit_problems()),
            hubs: self.hubs(&voice),
            volunteers: volunteers(&voice),
            trunks: self.trunks(&voice),
            calls: calls(&voice),
        })
    }

    fn hubs(&self, voice: &VoiceStatus) -> Vec<HubStatus> {
        let on_duty = |id: &str| {
            voice
                .router
                .volunteers
                .iter()
                .filter(|volunteer| volunteer.on_duty.iter().any(|hub| hub.as_str() == id))
                .map(|volunteer| volunteer.volunteer.to_string())
                .collect()
        };
        self.hotline
            .hubs
            .keys()
            .map(|id| HubStatus {
                id: id.clone(),
                on_duty: on_duty(id),
            })
            .collect()
    }

    fn trunks(&self, voice: &VoiceStatus) -> Vec<TrunkStatus> {
        let status = |(name, trunk): (&String, &Trunk)| {
            let known = voice.trunks.get(name);
            let down = match (trunk, known) {
                (Trunk::Address { .. }, _) => None,
                (_, Some(known)) if known.registered => None,
                (_, known) => Some(TrunkDown {
                    for_s: known
                        .map_or(self.configured_at, |known| known.since)
                        .elapsed()
                        .as_secs(),
                    answer: known.and_then(|known| known.answer),
                }),
            };
            TrunkStatus {
                name: name.clone(),
                state: trunk_state(trunk, down.as_ref()),
                down,
            }
        };
        self.hotline.trunks.iter().map(status).collect()
    }
}

fn trunk_state(trunk: &Trunk, down: Option<&TrunkDown>) -> String {
    match (trunk, down.map(|down| down.answer)) {
        (Trunk::Address { .. }, _) => "by address".into(),
        (_, None) => "registered".into(),
        (_, Some(Some(answer @ (401 | 403 | 407)))) => format!(
            "not registered: the carrier refuses the user name or password (answer {answer})"
        ),
        (_, Some(Some(answer))) => format!("not registered (answer {answer})"),
        (_, Some(None)) => "not registered (no answer)".into(),
    }
}

fn volunteers(voice: &VoiceStatus) -> Vec<VolunteerStatus> {
    let row = |volunteer: &routing::VolunteerSnapshot| VolunteerStatus {
        id: volunteer.volunteer.to_string(),
        state: state_name(volunteer.state).into(),
        phones: volunteer.devices.len(),
    };
    voice.router.volunteers.iter().map(row).collect()
}

fn state_name(state: routing::VolunteerState) -> &'static str {
    match state {
        routing::VolunteerState::Unreachable => "unreachable",
        routing::VolunteerState::OnBreak => "on break",
        routing::VolunteerState::Idle => "idle",
        routing::VolunteerState::Ringing => "ringing",
        routing::VolunteerState::InCall => "in call",
        routing::VolunteerState::WrapUp => "wrap-up",
    }
}

fn calls(voice: &VoiceStatus) -> Vec<CallStatus> {
    let row = |call: &routing::CallSnapshot| {
        let age = voice.router.at.duration_since(call.started_at).as_secs();
        CallStatus {
            id: call.call.to_string(),
            hub: call.hub.to_string(),
            stage: format!("{:?}", call.stage).to_lowercase(),
            age_s: u64::try_from(age).unwrap_or(0),
        }
    };
    voice.router.calls.iter().map(row).collect()
}

/// Never, without a time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// The hash of a number, or the id of a backup.
fn parse_hex<const N: usize>(hex: &str) -> Result<[u8; N], String> {
    let mut bytes = [0_u8; N];
    if hex.len() != 2 * N || !hex.is_ascii() {
        return Err(format!("not {N} bytes in hex"));
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let text = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
        *byte = u8::from_str_radix(text, 16).map_err(|error| error.to_string())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hotline::PasskeyRule;
    use crate::keys;
    use crate::serve::ingest::tests::{Installed, person, roster};

    /// The hotline's parts, with a panel that people reach by a name; and the voice loop's end.
    async fn parts(hotline: &Installed) -> (Parts, mpsc::Receiver<Order>) {
        let (orders, inbox) = mpsc::channel(1);
        let store = &hotline.store;
        let options = web_api::WebOptions::new("https://panel.example");
        let realm = &hotline.hotline.network.realm;
        let signer = keys::log_signer(&hotline.data, store, realm).await;
        let panel = web_api::Shared::open(Arc::clone(store), options, signer.unwrap()).await;
        let parts = Parts {
            store: Arc::clone(store),
            composer: Composer::new(&hotline.data, Arc::clone(store)).unwrap(),
            hotline: hotline.hotline.clone(),
            orders,
            metrics: Arc::new(Metrics::new()),
            panel_problem: None,
            panel: Some(Arc::new(panel.unwrap())),
        };
        (parts, inbox)
    }

    #[tokio::test]
    async fn a_new_admin_reads_what_comes_in_without_a_restart() {
        let hotline = Installed::new("admin").await;
        let (parts, mut inbox) = parts(&hotline).await;
        let people = start(&hotline.data, parts).unwrap();
        let founders = [person(1)];
        hotline.keep(&founders[0]).await;
        hotline
            .keep_roster(&roster(hotline.crypto_hub(), &founders))
            .await;
        people.people_changed();
        let order = tokio::time::timeout(Duration::from_secs(20), inbox.recv());
        let Some(Order::SealTo(ingest)) = order.await.unwrap() else {
            panic!("the voice loop is told whom to seal to");
        };
        let readers = ingest.hubs.values().next().unwrap();
        assert_eq!(readers.call_back, [founders[0].puk.reader()]);
        assert!(readers.voicemail.contains(&founders[0].puk.reader().key));
        drop(people);
        hotline.end();
    }

    /// Gives a table of the database another name, as another program.
    fn rename(hotline: &Installed, table: &str, to: &str) {
        let program = "import sqlite3, sys\n\
            database = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
            database.execute('ALTER TABLE %s RENAME TO %s' % (sys.argv[2], sys.argv[3]))";
        let database = hotline.data.join("centralita.db");
        let mut python = std::process::Command::new("python3");
        let status = python.args(["-c", program]).arg(database).args([table, to]);
        assert!(status.status().unwrap().success());
    }

    #[tokio::test]
    async fn what_the_database_does_not_tell_is_asked_for_until_it_does() {
        let hotline = Installed::new("asks").await;
        let (parts, mut inbox) = parts(&hotline).await;
        let people = start(&hotline.data, parts).unwrap();
        rename(&hotline, "roster_link", "away");
        people.people_changed();
        let mut longer_idle = hotline.hotline.clone();
        longer_idle.web.idle_minutes += 1;
        let request = Request::Apply {
            hotline: longer_idle.to_canonical(),
        };
        // What calls need cannot be read, so nothing is changed.
        let answer = control::request(&hotline.data, &request).await.unwrap();
        assert!(matches!(answer, Some(Response::Refused(_))), "{answer:?}");
        assert!(inbox.try_recv().is_err());
        rename(&hotline, "away", "roster_link");
        let order = tokio::time::timeout(2 * ASK_AGAIN, inbox.recv()).await;
        assert!(matches!(order.unwrap(), Some(Order::Configure(_))));
        drop(people);
        hotline.end();
    }

    #[tokio::test]
    async fn passkeys_go_and_come_back_without_a_restart() {
        let hotline = Installed::new("passkeys").await;
        let (parts, mut inbox) = parts(&hotline).await;
        let panel = parts.panel.clone().unwrap();
        tokio::spawn(async move { while inbox.recv().await.is_some() {} });
        let people = start(&hotline.data, parts).unwrap();
        let mut new = hotline.hotline.clone();
        for (rule, idle_minutes) in [
            (PasskeyRule::Off, new.web.idle_minutes),
            (PasskeyRule::Optional, new.web.idle_minutes + 1),
        ] {
            let before = panel.offers_passkeys();
            new.web.passkeys = rule;
            let later = new.web.idle_minutes != idle_minutes;
            new.web.idle_minutes = idle_minutes;
            let request = Request::Apply {
                hotline: new.to_canonical(),
            };
            let answer = control::request(&hotline.data, &request).await.unwrap();
            let Some(Response::Done(lines)) = answer else {
                panic!("{answer:?}");
            };
            assert_eq!(panel.offers_passkeys(), !before);
            let restart = lines.iter().any(|line| line.contains("started again"));
            assert_eq!(restart, later, "{lines:?}");
        }
        drop(people);
        hotline.end();
    }
}
