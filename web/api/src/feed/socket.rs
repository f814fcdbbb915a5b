//! One open feed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use protocol::{
    FEED_AT_ONCE_BYTES, FEED_BYTES_PER_S, FEED_CLOSE_NOT_LOGGED_IN, FEED_CLOSE_SESSION_ENDED,
    FEED_CLOSE_TOO_MANY, FEED_CLOSE_TOO_MANY_FEEDS, FEED_LOGIN_S, FEED_MESSAGE_MAX_BYTES,
    FEED_MESSAGES_PER_S, FEED_PATH, FeedLogin, Id, Notice, Topic,
};
use store::{HubId, SessionRow, StoreError};
use tokio::sync::broadcast::error::RecvError;

use crate::charge::Charge;
use crate::gate;
use crate::listen::Connection;
use crate::meter::Allowance;
use crate::shared::{Shared, unix_ms};
use crate::watch::{Ended, Event};

/// How often a feed looks after its session and asks whether its client is there.
const TICK: Duration = Duration::from_secs(30);
/// A client that has said nothing for this long is gone.
const SILENCE: Duration = Duration::from_secs(75);
/// A client that does not take a message for this long is gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
const ALLOWANCE: Allowance = Allowance {
    at_once_bytes: FEED_AT_ONCE_BYTES,
    per_s_bytes: FEED_BYTES_PER_S,
};

/// Serves a feed until either side ends it.
pub(super) async fn serve(
    shared: Arc<Shared>,
    mut socket: WebSocket,
    mut connection: Option<Connection>,
    charge: Option<Charge>,
) {
    let meter = connection.as_ref().map(Connection::meter);
    if let Some(meter) = &meter {
        meter.begin(ALLOWANCE);
    }
    // Messages are counted below, but a client can also send what never becomes one.
    let flooded = async {
        match &meter {
            Some(meter) => meter.exceeded().await,
            None => std::future::pending().await,
        }
    };
    let stopped = async {
        match &mut connection {
            Some(connection) => connection.stopped().await,
            None => std::future::pending().await,
        }
    };
    let close = tokio::select! {
        close = follow(&shared, &mut socket, charge.as_ref()) => close,
        () = flooded => Some(close(FEED_CLOSE_TOO_MANY, "too many bytes")),
        () = stopped => Some(close(close_code::AWAY, "the server stops")),
    };
    if let Some(frame) = close {
        let farewell = socket.send(Message::Close(Some(frame)));
        // It is over either way.
        let _ = tokio::time::timeout(SEND_TIMEOUT, farewell).await;
    }
}

fn close(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame {
        code,
        reason: reason.into(),
    }
}

/// `None` when the client is gone.
async fn follow(
    shared: &Shared,
    socket: &mut WebSocket,
    charge: Option<&Charge>,
) -> Option<CloseFrame> {
    // Heard from before the session is looked at: no end of it is missed.
    let mut events = shared.watch.listen();
    let wait = Duration::from_secs(u64::from(FEED_LOGIN_S));
    let session = match tokio::time::timeout(wait, login(shared, socket, charge)).await {
        Ok(Ok(session)) => session,
        Ok(Err((code, reason))) => return Some(close(code, reason)),
        Err(_) => return Some(close(NOT_LOGGED_IN.0, NOT_LOGGED_IN.1)),
    };
    let Some(_place) = shared.feeds.take(session.user) else {
        return Some(close(FEED_CLOSE_TOO_MANY_FEEDS, "too many feeds are open"));
    };
    let mut feed = Feed {
        shared,
        socket,
        session,
        hubs: BTreeSet::new(),
        heard_at: Instant::now(),
        window: (Instant::now(), 0),
    };
    let mut tick = tokio::time::interval(TICK);
    // The first tick is at once.
    tick.tick().await;
    let mut next = feed.begin().await;
    while next == Next::Goes {
        next = tokio::select! {
            message = feed.socket.recv() => feed.heard(message),
            event = events.recv() => feed.told(event).await,
            _ = tick.tick() => feed.look_after().await,
        };
    }
    match next {
        Next::Ends(code, reason) => Some(close(code, reason)),
        Next::Goes | Next::Gone => None,
    }
}

/// A code with which a feed is closed, and why.
type Reason = (u16, &'static str);

const NOT_LOGGED_IN: Reason = (FEED_CLOSE_NOT_LOGGED_IN, "log in with the first message");
const TOO_LONG: Reason = (close_code::SIZE, "a message has at most 16 KiB");

async fn login(
    shared: &Shared,
    socket: &mut WebSocket,
    charge: Option<&Charge>,
) -> Result<SessionRow, Reason> {
    let text = match socket.recv().await {
        Some(Ok(message)) if is_too_long(&message) => return Err(TOO_LONG),
        Some(Ok(Message::Text(text))) => text,
        _ => return Err(NOT_LOGGED_IN),
    };
    let login: FeedLogin = serde_json::from_str(&text).map_err(|_| NOT_LOGGED_IN)?;
    let (token, proof) = (&login.access.0, &login.proof.0);
    let session = gate::session_of(shared, FEED_PATH, token, proof, charge);
    session.await.map_err(|_| NOT_LOGGED_IN)
}

/// What is next for a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Goes,
    /// The client is gone.
    Gone,
    Ends(u16, &'static str),
}

const SESSION_ENDED: Next = Next::Ends(FEED_CLOSE_SESSION_ENDED, "the session has ended");

struct Feed<'a> {
    shared: &'a Shared,
    socket: &'a mut WebSocket,
    session: SessionRow,
    /// Where the person is a member.
    hubs: BTreeSet<HubId>,
    /// When the client said something last.
    heard_at: Instant,
    /// When the present second began, and the messages in it.
    window: (Instant, u32),
}

impl Feed<'_> {
    async fn begin(&mut self) -> Next {
        match self.load_hubs().await {
            Ok(()) => self.send(Notice::Ready).await,
            Err(error) => database_failed(&error),
        }
    }

    /// Clients have nothing to say after their login; what they say is counted and dropped.
    fn heard(&mut self, message: Option<Result<Message, axum::Error>>) -> Next {
        let now = Instant::now();
        self.heard_at = now;
        match message {
            None | Some(Ok(Message::Close(_))) => return Next::Gone,
            Some(Err(_)) => return Next::Gone,
            Some(Ok(message)) if is_too_long(&message) => {
                return Next::Ends(TOO_LONG.0, TOO_LONG.1);
            }
            Some(Ok(_)) => {}
        }
        if now.duration_since(self.window.0) >= Duration::from_secs(1) {
            self.window = (now, 0);
        }
        self.window.1 += 1;
        if self.window.1 > FEED_MESSAGES_PER_S {
            return Next::Ends(FEED_CLOSE_TOO_MANY, "too many messages");
        }
        Next::Goes
    }

    async fn told(&mut self, event: Result<Event, RecvError>) -> Next {
        match event {
            Ok(Event::Ended(ended)) if self.is_ended_by(ended) => SESSION_ENDED,
            Ok(Event::Ended(_)) => Next::Goes,
            Ok(Event::Changed(hub, topic)) => self.changed(hub, topic).await,
            Ok(Event::Devices(user)) if user == self.session.user => {
                self.send(Notice::Devices).await
            }
            Ok(Event::Devices(_)) => Next::Goes,
            Err(RecvError::Lagged(_)) => match self.look_after().await {
                Next::Goes => self.send(Notice::Missed).await,
                over => over,
            },
            Err(RecvError::Closed) => Next::Gone,
        }
    }

    fn is_ended_by(&self, ended: Ended) -> bool {
        match ended {
            Ended::Session(session) => session == self.session.id,
            Ended::Device(device) => device == self.session.device,
            Ended::User(user, except) => {
                user == self.session.user && except != Some(self.session.id)
            }
        }
    }

    async fn changed(&mut self, hub: HubId, topic: Topic) -> Next {
        let was_member = self.hubs.contains(&hub);
        if topic == Topic::Members
            && let Err(error) = self.load_hubs().await
        {
            return database_failed(&error);
        }
        // Who has just left hears that they did.
        if !was_member && !self.hubs.contains(&hub) {
            return Next::Goes;
        }
        let hub = Id(hub.0);
        self.send(Notice::Changed { hub, topic }).await
    }

    /// The session may have ended without a word: in another process, or by itself.
    async fn look_after(&mut self) -> Next {
        if self.heard_at.elapsed() > SILENCE {
            return Next::Gone;
        }
        match self.is_in_force().await {
            Ok(true) => self.send_message(Message::Ping(bytes::Bytes::new())).await,
            Ok(false) => SESSION_ENDED,
            Err(error) => database_failed(&error),
        }
    }

    async fn is_in_force(&mut self) -> Result<bool, StoreError> {
        let now = (self.shared.options.clock)();
        let reader = self.shared.store.reader();
        let sessions = reader.sessions(self.session.user, now).await?;
        let Some(session) = sessions.into_iter().find(|row| row.id == self.session.id) else {
            return Ok(false);
        };
        let idle_after = self.shared.options.idle_after;
        if self
            .shared
            .activity
            .is_idle(&session, unix_ms(now), idle_after)
        {
            return Ok(false);
        }
        self.session = session;
        self.load_hubs().await?;
        Ok(true)
    }

    async fn load_hubs(&mut self) -> Result<(), StoreError> {
        let reader = self.shared.store.reader();
        let members = reader.memberships(self.session.user).await?;
        self.hubs = members.iter().map(|member| member.hub).collect();
        Ok(())
    }

    async fn send(&mut self, notice: Notice) -> Next {
        match serde_json::to_string(&notice) {
            Ok(text) => self.send_message(Message::Text(text.into())).await,
            Err(_) => Next::Ends(close_code::ERROR, "the server made a mistake"),
        }
    }

    async fn send_message(&mut self, message: Message) -> Next {
        let sent = tokio::time::timeout(SEND_TIMEOUT, self.socket.send(message)).await;
        match sent {
            Ok(Ok(())) => Next::Goes,
            Ok(Err(_)) | Err(_) => Next::Gone,
        }
    }
}

fn database_failed(error: &StoreError) -> Next {
    tracing::error!(%error, "a feed ends");
    Next::Ends(close_code::AGAIN, "try again soon")
}

fn is_too_long(message: &Message) -> bool {
    match message {
        Message::Text(text) => text.len() > FEED_MESSAGE_MAX_BYTES,
        Message::Binary(bytes) => bytes.len() > FEED_MESSAGE_MAX_BYTES,
        // The protocol limits these to 125 bytes.
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => false,
    }
}
