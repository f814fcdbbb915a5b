//! `/health/live`, `/health/ready` and `/metrics`, on loopback.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::metrics::Metrics;

/// Serves until the process ends.
///
/// # Errors
/// The address cannot be bound, or is not a loopback address.
pub async fn listen(address: SocketAddr, metrics: Arc<Metrics>) -> io::Result<SocketAddr> {
    if !address.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "metrics tell when people call: only a loopback address is allowed, such as 127.0.0.1:9464",
        ));
    }
    let listener = tokio::net::TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let app = Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(text))
        .with_state(metrics);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(bound)
}

/// The process answers.
async fn live() -> &'static str {
    "live\n"
}

/// New calls are taken and their facts are kept.
async fn ready(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    match metrics.not_ready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {why}\n"),
        ),
    }
}

async fn text(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        metrics.encode(),
    )
}
