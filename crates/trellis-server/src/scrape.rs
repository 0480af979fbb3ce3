//! `GET /metrics`: asks for what is looked at, and answers with all figures (`metrics.rs`).

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::AppState;
use crate::workers::workers;

/// Where the figures are, on both listeners.
pub(crate) const PATH: &str = "/metrics";

/// Where those who watch a NIM look for them; on the server's own listener alone.
pub(crate) const NIM_PATH: &str = "/v1/metrics";

/// Figures for Prometheus.
pub(crate) async fn metrics(State(state): State<AppState>) -> Response {
    // A database that does not answer leaves its figures out; the others may say why.
    let jobs = state.jobs.stats().await.ok();
    let deliveries = state.jobs.store.waiting_deliveries().await.ok();
    // Those of other servers are in those servers' figures.
    let workers = workers(&state.here);
    let gpus = Arc::clone(&state.gpus);
    let metrics = state.metrics.clone();
    // The driver takes some milliseconds.
    let text = tokio::task::spawn_blocking(move || metrics.text(jobs, deliveries, &workers, &gpus()));
    let text = text.await.unwrap_or_default();
    let media_type = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    (media_type, text).into_response()
}
