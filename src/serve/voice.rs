//! The voice loop: the one task that owns the exchange, the router and their sockets.
//!
//! It only moves things: datagrams in, events to the router, orders to the
//! exchange, datagrams and media orders out, facts to the keeper. Nothing in it waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use engine::EngineHandle;
use exchange::{BindingChange, Exchange, ExchangeConfig};
use jiff::Timestamp;
use media::control::ClipId;
use media::prompt::Prompt;
use routing::{Event, Notice, PhoneNumber, Router, RouterConfig};
use store::Change;
use telephony::{Input, Output, Telephony};
use tokio::sync::{mpsc, oneshot};

use super::callers::CallerSealer;
use super::datagrams::Datagrams;
use super::ingest::Ingest;
use super::metrics::Metrics;
use super::records::{self, Fact, Keeper, KeptHere};
use super::streams::Streams;
use super::{bindings, voicemail};

/// How often the wall clock is compared and the gauges are set.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(1);
/// How long goodbyes may take once the last call is over.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);
/// Audio is recorded at this rate; a sealed chunk is then half a second.
const RECORDING_RATE_HZ: u32 = 16_000;

/// Everything that a hotline file decides about live operation.
pub struct VoiceConfig {
    /// Calls at once.
    pub max_calls: usize,
    /// For the router.
    pub router: RouterConfig,
    /// For the exchange.
    pub exchange: ExchangeConfig,
    /// Whom what comes in is for.
    pub ingest: Ingest,
    /// The prompts to load.
    pub clips: Vec<(ClipId, Arc<Prompt>)>,
}

/// What others ask of the loop.
pub enum Order {
    /// Use these settings from now on.
    Configure(Box<VoiceConfig>),
    /// Seal what comes in to these from now on.
    SealTo(Box<Ingest>),
    /// Tell what is going on.
    Status(oneshot::Sender<VoiceStatus>),
    /// Take no new calls; end when the last one is over. A second time: end now.
    Drain,
}

/// What is going on.
pub struct VoiceStatus {
    /// The router's view.
    pub router: routing::Snapshot,
    /// The last known state of each trunk that we register to.
    pub trunks: BTreeMap<String, TrunkState>,
}

/// What is known of a trunk that we register to.
#[derive(Clone, Copy, Debug)]
pub struct TrunkState {
    /// Whether it is registered.
    pub registered: bool,
    /// Since when it is, or is not.
    pub since: Instant,
    /// The carrier's last answer.
    pub answer: Option<u16>,
}

/// The loop and what it owns.
pub struct VoiceLoop {
    /// The calls.
    pub router: Router,
    /// The back end.
    pub exchange: Exchange,
    /// The media engine.
    pub engine: EngineHandle,
    /// UDP.
    pub datagrams: Datagrams,
    /// TCP.
    pub streams: Streams,
    /// What comes in from tasks and threads: streams, names, media.
    pub inputs: mpsc::Receiver<Input>,
    /// For tasks that answer later.
    pub answers: mpsc::Sender<Input>,
    /// What others ask.
    pub orders: mpsc::Receiver<Order>,
    /// Where facts go.
    pub keeper: Keeper,
    /// Where recordings are announced.
    pub announcer: voicemail::Announcer,
    /// What became of messages.
    pub stored: mpsc::Receiver<voicemail::Stored>,
    /// Whom what comes in is for.
    pub ingest: Ingest,
    /// Seals callers' numbers.
    pub callers: CallerSealer,
    /// Last known trunk states.
    pub trunks: BTreeMap<String, TrunkState>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl VoiceLoop {
    /// Runs until drained, then says goodbye and gives the keeper back.
    pub async fn run(mut self) -> Keeper {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING_EVERY);
        self.turn(Instant::now());
        loop {
            let due = self.due();
            tokio::select! {
                received = self.datagrams.receive() => {
                    self.metrics.datagrams_in.inc();
                    let input = Input::Datagram {
                        local: received.local,
                        remote: received.remote,
                        payload: received.payload,
                    };
                    self.exchange.handle_input(input, Instant::now());
                }
                Some(input) = self.inputs.recv() => {
                    if let Input::StreamClosed { stream } = &input {
                        self.streams.close(*stream);
                    }
                    self.exchange.handle_input(input, Instant::now());
                }
                Some(order) = self.orders.recv() => {
                    if self.obey(order) {
                        break;
                    }
                }
                Some(stored) = self.stored.recv() => self.on_stored(stored),
                () = tokio::time::sleep_until(due.into()) => {}
                _ = housekeeping.tick() => self.keep_house(),
            }
            self.turn(Instant::now());
            if self.metrics.is_draining() && self.router.is_idle() {
                break;
            }
        }
        self.say_goodbye().await;
        self.keeper
    }

    fn due(&self) -> Instant {
        let router = self.router.poll_timeout().map(|(at, _)| at);
        let exchange = self.exchange.poll_timeout();
        let far = Instant::now() + HOUSEKEEPING_EVERY;
        router.into_iter().chain(exchange).fold(far, Instant::min)
    }

    /// One turn: what came in is carried through to its last consequence.
    fn turn(&mut self, now: Instant) {
        self.exchange.handle_timeout(now);
        self.pass_events(now);
        // After what happened before it: a prompt that ended just in time must not be taken for
        // the next one's end.
        self.router.handle_timeout(now);
        loop {
            let mut moved = self.pass_events(now);
            self.pass_notices(None);
            while let Some(command) = self.router.poll_command() {
                self.exchange.handle_command(command, now);
                moved = true;
            }
            while let Some(output) = self.exchange.poll_output() {
                self.carry_out(output);
            }
            if !moved {
                break;
            }
        }
        while let Some(change) = self.exchange.poll_binding() {
            self.keeper.keep(match change {
                BindingChange::Upserted(binding) => [bindings::to_change(&binding, now)],
                BindingChange::Removed { id, .. } => [Change::BindingRemoved { id: id.0 }],
            });
        }
        while let Some(state) = self.exchange.poll_trunk_state() {
            let trunk = state.trunk.to_string();
            let before = self.trunks.get(&trunk);
            let before = before.filter(|before| before.registered == state.registered);
            let known = TrunkState {
                registered: state.registered,
                since: before.map_or(now, |before| before.since),
                answer: state.status,
            };
            self.trunks.insert(trunk, known);
        }
        self.keeper.flush();
    }

    /// Whether there were any.
    fn pass_events(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(event) = self.exchange.poll_event() {
            any = true;
            let Event::CallOffered {
                caller: Some(number),
                ..
            } = &event
            else {
                self.router.handle_event(event, now);
                continue;
            };
            // What is told between here and there is of this call.
            let number = number.clone();
            self.pass_notices(None);
            self.router.handle_event(event, now);
            self.pass_notices(Some(&number));
        }
        any
    }

    /// `caller` is the number of the call that has just been offered.
    fn pass_notices(&mut self, caller: Option<&PhoneNumber>) {
        while let Some(notice) = self.router.poll_notice() {
            self.on_notice(&notice, caller);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Datagram {
                local,
                remote,
                payload,
            } => {
                self.metrics.datagrams_out.inc();
                self.datagrams.send(local, remote, &payload);
            }
            Output::StreamConnect { stream, remote } => self.streams.connect(stream, remote),
            Output::StreamData { stream, payload } => self.streams.send(stream, payload),
            Output::StreamClose { stream } => self.streams.close(stream),
            Output::Resolve { host, port } => {
                let answers = self.answers.clone();
                tokio::spawn(async move {
                    let addresses = match tokio::net::lookup_host((host.as_str(), port)).await {
                        Ok(addresses) => addresses.collect(),
                        Err(_) => Vec::new(),
                    };
                    drop(answers.send(Input::Resolved { host, addresses }).await);
                });
            }
            Output::Media(order) => {
                if self.engine.send(order).is_err() {
                    self.metrics.media_busy.inc();
                }
            }
            _ => tracing::warn!("the exchange asked for something that this runner cannot do"),
        }
    }

    fn on_notice(&mut self, notice: &Notice, caller: Option<&PhoneNumber>) {
        let mut sealed = None;
        match notice {
            Notice::CallStarted {
                call,
                hub: Some(hub),
                ..
            } => {
                sealed = caller
                    .zip(self.ingest.hubs.get(hub))
                    .and_then(|(number, hub)| self.callers.seal(*call, number, hub));
            }
            // Before the engine hears of the recording: its sink looks for the announcement.
            Notice::VoicemailStarted { recording, hub, .. } => {
                // Every hub of the file is among them.
                if let Some(readers) = self.ingest.hubs.get(hub) {
                    self.announcer.announce(voicemail::NewMessage {
                        recording: recording.0,
                        hub: readers.hub,
                        created_at_ms: wall_ms(),
                        sample_rate_hz: RECORDING_RATE_HZ,
                        readers: readers.voicemail.clone(),
                    });
                }
            }
            Notice::VoicemailDiscarded { recording, .. } => {
                self.announcer.discard(recording.0);
                self.keeper.keep([Change::VoicemailRemoved {
                    recording: recording.0,
                }]);
            }
            Notice::CallEnded(record) => {
                self.metrics
                    .call_ended(record.outcome, record.wait, record.talk);
                let (outcome, reason) = super::metrics::outcome_names(record.outcome);
                tracing::info!(call = %record.call, outcome, reason, "call ended");
            }
            // By whom is for the records: logs tell nothing about people.
            Notice::CallAnswered { call, .. } => tracing::info!(%call, "call answered"),
            _ => {}
        }
        let fact = records::fact_of(notice, sealed, &self.ingest, Timestamp::now());
        if !fact.is_empty() {
            self.keeper.keep(fact);
        }
    }

    fn on_stored(&mut self, stored: voicemail::Stored) {
        match stored {
            voicemail::Stored::Complete {
                recording,
                hub,
                length,
                header,
            } => {
                let completed = Change::VoicemailCompleted {
                    recording,
                    length,
                    header: Some(header),
                };
                let hub = store::HubId(*hub.as_bytes());
                let fact = Fact::from([completed]).telling(Some(hub), KeptHere::Message);
                self.keeper.keep(fact);
            }
            voicemail::Stored::Failed { recording, error } => {
                tracing::error!(recording, %error, "a message could not be written whole");
            }
        }
    }

    /// Whether the loop shall end now.
    fn obey(&mut self, order: Order) -> bool {
        let now = Instant::now();
        match order {
            Order::Configure(config) => {
                load_clips(&self.engine, config.clips);
                self.ingest = config.ingest;
                self.exchange.configure(config.exchange, now);
                self.router.set_max_calls(config.max_calls);
                self.router.configure(config.router, now);
            }
            Order::SealTo(ingest) => self.ingest = *ingest,
            Order::Status(reply) => {
                let status = VoiceStatus {
                    router: self.router.snapshot(now),
                    trunks: self.trunks.clone(),
                };
                // Whoever asked may have gone.
                let _ = reply.send(status);
            }
            Order::Drain if self.metrics.is_draining() => return true,
            Order::Drain => {
                self.metrics.set_draining();
                self.router.drain(now);
            }
        }
        false
    }

    fn keep_house(&mut self) {
        self.router.set_wall_clock(Timestamp::now(), Instant::now());
        let snapshot = self.router.snapshot(Instant::now());
        let devices: usize = snapshot.volunteers.iter().map(|v| v.devices.len()).sum();
        self.metrics
            .devices
            .set(i64::try_from(devices).unwrap_or(i64::MAX));
        let calls = i64::try_from(snapshot.calls.len()).unwrap_or(i64::MAX);
        self.metrics.live_calls.set(calls);
        let dropped = std::mem::take(&mut self.datagrams.dropped);
        self.metrics.datagrams_dropped.inc_by(dropped);
    }

    /// Ends what is left and lets the peers know.
    async fn say_goodbye(&mut self) {
        self.exchange.shutdown(Instant::now());
        let until = Instant::now() + SHUTDOWN_PATIENCE;
        loop {
            self.turn(Instant::now());
            let left = until.saturating_duration_since(Instant::now());
            let registered = self.trunks.values().any(|trunk| trunk.registered);
            if left.is_zero() || (self.exchange.counts().legs == 0 && !registered) {
                return;
            }
            let due = self.due().min(until);
            tokio::select! {
                received = self.datagrams.receive() => {
                    let input = Input::Datagram {
                        local: received.local,
                        remote: received.remote,
                        payload: received.payload,
                    };
                    self.exchange.handle_input(input, Instant::now());
                }
                Some(input) = self.inputs.recv() => {
                    self.exchange.handle_input(input, Instant::now());
                }
                () = tokio::time::sleep_until(due.into()) => {}
            }
        }
    }
}

/// Gives the engine its prompts; what it has no room for is given again with the next settings.
pub fn load_clips(engine: &EngineHandle, clips: Vec<(ClipId, Arc<Prompt>)>) {
    for (clip, prompt) in clips {
        if engine.load_clip(clip, prompt).is_err() {
            tracing::warn!("the media engine is too busy to take a prompt");
        }
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
