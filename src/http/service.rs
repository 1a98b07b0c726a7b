//! The service about itself: ready, metrics, and the ledger.

use axum::{
    Json,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use super::{Result, Shared, problem::Problem};

/// The format of [`Metrics::render`](crate::metrics::Metrics::render).
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Tells if requests should be sent here.
pub(super) async fn readyz(State(context): Shared) -> Result {
    if *context.draining.borrow() {
        return Err(Problem::Draining);
    }
    let ready = context.operator.ready().await.map_err(Problem::DatabaseNotReady)?;
    Ok(Json(ready).into_response())
}

/// Shows the metrics, for Prometheus.
pub(super) async fn metrics(State(context): Shared) -> Result {
    let is_ready = !*context.draining.borrow() && context.operator.ready().await.is_ok();
    context.metrics.ready.set(is_ready.into());
    let text = context.metrics.render().map_err(|_| Problem::Internal)?;
    Ok(([(CONTENT_TYPE, OPENMETRICS)], text).into_response())
}

/// Shows the ledger of this process, what its servers count, and what to make of it.
pub(super) async fn stats(State(context): Shared) -> Response {
    Json(context.operator.stats().await).into_response()
}
