//! HTTPS for the people of the hotline.
//!
//! A request comes in at the listener, is matched in the one table of routes, and passes the
//! gate: a token, the signature of the token's device over exactly this request, and the
//! permission that the route asks for. Only then is its handler called. Handlers read a hub's data
//! through `store::Scoped`, the installation's trail through `store::Installation`, and a person's
//! own through `store::Reader`; `cargo xtask check` keeps the view of all hubs at once from them.
//! They write through `store::Store::commit`; what has a meaning is sealed by clients, verified by
//! `crypto` and passed on.

mod activity;
pub mod body;
mod call;
mod chains;
mod charge;
mod code;
mod endpoints;
mod exports;
mod feed;
mod gate;
mod heads;
mod keylog;
mod limit;
mod listen;
mod meter;
mod mirror;
mod newcomer;
mod panel;
mod passkeys;
mod patient;
mod refusal;
mod role;
mod room;
mod rooms;
mod route;
mod scrub;
mod sealed;
mod shared;
mod sight;
mod spent;
mod start;
mod tls;
mod watch;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::IntoResponse;

pub use call::{Call, Caller};
pub use heads::heads_by_trail;
pub use keylog::{KeyLogError, sign_log_anew};
pub use listen::{ListenError, Serving, WebServer};
pub use refusal::Refusal;
pub use route::{Access, RouteFacts};
pub use scrub::scrub_what_was_left;
pub use shared::{BootstrapError, Shared, WebOptions};
pub use tls::{CertificateFlaw, LocalAuthority, Tls, TlsError, TlsSource, certificate_flaws};
pub use watch::News;

/// The API and the panel as one service, to be put behind a listener. Every request must carry its peer's
/// address as an extension ([`std::net::SocketAddr`]).
pub fn service(shared: std::sync::Arc<Shared>) -> axum::Router {
    let feed = feed::route(std::sync::Arc::clone(&shared));
    let api = endpoints::table().into_router(std::sync::Arc::clone(&shared));
    let charged = move |mut request: Request, next: Next| {
        let charged = gate::charge(&shared, &mut request);
        async move {
            match charged {
                Ok(()) => next.run(request).await,
                Err(refused) => refused.into_response(),
            }
        }
    };
    let all = api.merge(feed).merge(panel::route());
    all.layer(axum::middleware::from_fn(charged))
}

/// Every route, with who may use it.
#[must_use]
pub fn routes() -> Vec<RouteFacts> {
    endpoints::table().facts()
}

/// The description of the API (OpenAPI), as JSON.
#[must_use]
pub fn openapi_json() -> String {
    endpoints::table().openapi_json()
}
