//! Who hears what happens in the server: open feeds.

use protocol::Topic;
use store::{DeviceId, HubId, SessionId, UserId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Notices that wait for the slowest feed; a feed that lags more is told that it missed some.
const MAX_WAITING: usize = 256;

/// Sessions that have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// One of them.
    Session(SessionId),
    /// All of a device: it was revoked.
    Device(DeviceId),
    /// All of a person, but for this one.
    User(UserId, Option<SessionId>),
}

/// Something that open feeds act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Ended(Ended),
    Changed(HubId, Topic),
    /// Devices or sessions of a person.
    Devices(UserId),
}

/// Tells all open feeds.
pub(crate) struct Watch(broadcast::Sender<Event>);

impl Watch {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(MAX_WAITING))
    }

    pub(crate) fn tell(&self, event: Event) {
        // Nobody may be listening.
        let _ = self.0.send(event);
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

/// What changes in hubs, for the rest of the program.
pub struct News(pub(crate) broadcast::Receiver<Event>);

impl News {
    /// Waits for the next change; `Some(None)` when some were missed, `None` at the end.
    pub async fn next(&mut self) -> Option<Option<(HubId, Topic)>> {
        loop {
            match self.0.recv().await {
                Ok(Event::Changed(hub, topic)) => return Some(Some((hub, topic))),
                Ok(Event::Ended(_) | Event::Devices(_)) => {}
                Err(RecvError::Lagged(_)) => return Some(None),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
