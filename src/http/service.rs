//! The service about itself: alive, ready, metrics, and the ledger.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{Context, problem::Problem};
use crate::{
    metrics::CacheMetrics,
    statistics::{Evidence, Ledger, ServerRow},
};

/// The format of [`Metrics::render`](crate::metrics::Metrics::render).
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One memcached server, for `/readyz`.
#[derive(Clone, Debug, Serialize)]
pub struct ServerReport {
    /// Its address as the setting has it.
    pub server: String,
    /// `in service` or `out of service`.
    pub state: &'static str,
}

/// Tells that the process is alive.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Tells whether requests should be sent here.
///
/// memcached being away does not make the service unready.
pub(super) async fn readyz(State(context): State<Arc<Context>>) -> Response {
    if context.is_draining() {
        return Problem::Draining.into_response();
    }
    let ready = (context.ready)().await;
    match ready.and_then(|()| context.delivery.in_force()) {
        Ok(()) => {
            let report = Ready { ready: true, memcached: (context.servers)() };
            (StatusCode::OK, Json(report)).into_response()
        }
        Err(not_ready) => Problem::DatabaseNotReady(not_ready).into_response(),
    }
}

/// That the service is ready, and how its servers are.
#[derive(Serialize)]
pub(super) struct Ready {
    /// Always true; what is not ready is a problem.
    ready: bool,
    /// The memcached servers.
    memcached: Vec<ServerReport>,
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
    let memcached = (context.figures)().await;
    let all: Vec<&CacheMetrics> = context.ledgers.iter().map(|(_, metrics)| metrics).collect();
    let service = Ledger::of(&all);
    let sources = context.ledgers.iter().map(|(name, metrics)| (*name, Ledger::of(&[metrics])));
    let figures = memcached.iter().map(|row| &row.figures);
    let verdict = Evidence::of_service(&service, figures).verdict();
    Json(Stats { service, sources: sources.collect(), verdict, memcached }).into_response()
}

/// Whether the cache is worth its while.
#[derive(Serialize)]
pub(super) struct Stats {
    /// The ledger of all sources together.
    service: Ledger,
    /// The ledger of each source, by its name.
    sources: BTreeMap<&'static str, Ledger>,
    /// What to make of it, in a sentence for people.
    verdict: String,
    /// What each memcached server counts.
    memcached: Vec<ServerRow>,
}
