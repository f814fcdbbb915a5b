//! The feed: a WebSocket over which clients hear that something changed.

mod socket;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::ORIGIN;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use protocol::{FEED_MESSAGE_MAX_BYTES, FEED_PATH};

use crate::listen::Connection;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// The longest message that is read at all; a shorter one that is still too long is told so.
const READ_MAX_BYTES: usize = 4 * FEED_MESSAGE_MAX_BYTES;

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
    let peer = head.extensions.get::<SocketAddr>().copied();
    let peer = peer.ok_or_else(|| Refusal::internal("a request without a peer"))?;
    shared.limits.address(peer.ip())?;
    let connection = head.extensions.get::<Connection>().cloned();
    // Browsers let any page open a WebSocket, and say which page it was.
    let page = head.headers.get(ORIGIN);
    if page.is_some_and(|page| page.as_bytes() != shared.options.origin.as_bytes()) {
        return Err(Refusal::not_allowed());
    }
    let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &()).await;
    let upgrade = upgrade.map_err(|_| Refusal::malformed("this path speaks WebSocket"))?;
    let upgrade = upgrade
        .max_message_size(READ_MAX_BYTES)
        .max_frame_size(READ_MAX_BYTES);
    Ok(upgrade.on_upgrade(move |socket| socket::serve(shared, socket, connection)))
}
