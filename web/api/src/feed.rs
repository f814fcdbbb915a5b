//! The feed: a WebSocket over which clients hear that something changed.

mod socket;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::ORIGIN;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use protocol::{FEED_MESSAGE_MAX_BYTES, FEED_PATH, FEEDS_PER_PERSON};
use store::UserId;

use crate::gate;
use crate::listen::Connection;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// The longest message that is read at all; a shorter one that is still too long is told so.
const READ_MAX_BYTES: usize = 4 * FEED_MESSAGE_MAX_BYTES;
/// What is read at once; so much more than a client may send is read at most.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Its route. It is not in the table of routes: what is asked and answered is no single request.
pub(crate) fn route(shared: Arc<Shared>) -> Router {
    let upgrade = move |request: Request| {
        let shared = Arc::clone(&shared);
        async move { upgrade(shared, request).await.into_response() }
    };
    Router::new().route(FEED_PATH, get(upgrade))
}

async fn upgrade(shared: Arc<Shared>, request: Request) -> Result<Response, Refusal> {
    let (mut head, _) = request.into_parts();
    let connection = head.extensions.get::<Connection>().cloned();
    let charge = gate::charge_of(&head).cloned();
    // Browsers let any page open a WebSocket, and say which page it was.
    let page = head.headers.get(ORIGIN);
    if page.is_some_and(|page| page.as_bytes() != shared.options.origin.as_bytes()) {
        return Err(Refusal::not_allowed());
    }
    let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &()).await;
    let upgrade = upgrade.map_err(|_| Refusal::malformed("this path speaks WebSocket"))?;
    let upgrade = upgrade
        .max_message_size(READ_MAX_BYTES)
        .max_frame_size(READ_MAX_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES);
    Ok(upgrade.on_upgrade(move |socket| socket::serve(shared, socket, connection, charge)))
}

/// Open feeds by whose they are.
#[derive(Default)]
pub(crate) struct Feeds(Mutex<BTreeMap<UserId, usize>>);

/// A person's place for a feed; given back when dropped.
struct Place<'a> {
    feeds: &'a Feeds,
    user: UserId,
}

impl Feeds {
    /// A place, unless the person has too many feeds.
    fn take(&self, user: UserId) -> Option<Place<'_>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = open.entry(user).or_default();
        if *theirs >= FEEDS_PER_PERSON {
            return None;
        }
        *theirs += 1;
        Some(Place { feeds: self, user })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut open = self.feeds.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(theirs) = open.get_mut(&self.user) {
            *theirs -= 1;
            if *theirs == 0 {
                open.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_those_without_a_feed() {
        let feeds = Feeds::default();
        let (one, other) = (UserId([1; 16]), UserId([2; 16]));
        let held: Vec<_> = std::iter::from_fn(|| feeds.take(one)).collect();
        assert_eq!(held.len(), FEEDS_PER_PERSON);
        assert!(feeds.take(other).is_some());
        drop(held);
        assert!(feeds.0.lock().unwrap().is_empty());
    }
}
