//! The service about itself: alive, ready, metrics, and the ledger.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use super::{Context, problem::Problem};

/// The format of [`Metrics::render`](crate::metrics::Metrics::render).
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Tells that the process is alive.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Tells whether requests should be sent here.
pub(super) async fn readyz(State(context): State<Arc<Context>>) -> Response {
    if context.is_draining() {
        return Problem::Draining.into_response();
    }
    match context.operator.ready().await {
        Ok(ready) => Json(ready).into_response(),
        Err(not_ready) => Problem::DatabaseNotReady(not_ready).into_response(),
    }
}

/// Shows the metrics, for Prometheus.
pub(super) async fn metrics(State(context): State<Arc<Context>>) -> Response {
    match context.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(_) => Problem::Internal.into_response(),
    }
}

/// Shows the ledger of this process, what its servers count, and what to make of it.
pub(super) async fn stats(State(context): State<Arc<Context>>) -> Response {
    Json(context.operator.stats().await).into_response()
}
