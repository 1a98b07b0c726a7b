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
use crate::metrics::{CacheMetrics, LoadResult, Outcome};

/// The format of [`Metrics::render`](crate::metrics::Metrics::render).
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One memcached server, for `/stats` and `/readyz`.
#[derive(Clone, Debug, Serialize)]
pub struct ServerReport {
    /// Its address as the setting has it.
    pub server: String,
    /// `in service` or `out of service`.
    pub state: &'static str,
}

/// `GET /healthz`: the process is alive.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: whether requests should be sent here. memcached being away does not make it unready.
pub(super) async fn readyz(State(context): State<Arc<Context>>) -> Response {
    if context.is_draining() {
        return Problem::Draining.into_response();
    }
    match context.database.ready().await {
        Ok(()) => {
            let report = Ready { ready: true, memcached: (context.servers)() };
            (StatusCode::OK, Json(report)).into_response()
        }
        Err(not_ready) => Problem::DatabaseNotReady(not_ready).into_response(),
    }
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    memcached: Vec<ServerReport>,
}

/// `GET /metrics`, for Prometheus.
pub(super) async fn metrics(State(context): State<Arc<Context>>) -> Response {
    match context.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(_) => Problem::Internal.into_response(),
    }
}

/// `GET /stats`: the ledger of this process and the state of its servers.
pub(super) async fn stats(State(context): State<Arc<Context>>) -> Response {
    let all: Vec<&CacheMetrics> = context.ledgers.iter().map(|(_, metrics)| metrics).collect();
    let sources = context.ledgers.iter().map(|(name, metrics)| (*name, Ledger::of(&[metrics])));
    let report = Stats {
        service: Ledger::of(&all),
        sources: sources.collect(),
        memcached: (context.servers)(),
    };
    Json(report).into_response()
}

#[derive(Serialize)]
struct Stats {
    service: Ledger,
    sources: BTreeMap<&'static str, Ledger>,
    memcached: Vec<ServerReport>,
}

/// What became of the gets since the start: `gets` is the sum of `hits`, `stale`, `misses` and `bypasses`.
#[derive(Serialize)]
struct Ledger {
    gets: u64,
    /// Fresh entries, `negative_hits` among them.
    hits: u64,
    negative_hits: u64,
    stale: u64,
    /// The source was asked or waited for, `collapsed` among them.
    misses: u64,
    collapsed: u64,
    bypasses: u64,
    /// Hits and stale hits of all gets, in per cent; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    hit_rate: Option<f64>,
    /// Loads that were begun, however they ended.
    loads: u64,
    loads_failed: u64,
}

impl Ledger {
    /// The ledger of all these stacks together.
    fn of(stacks: &[&CacheMetrics]) -> Self {
        let gets = |outcome| stacks.iter().map(|metrics| metrics.gets(outcome)).sum::<u64>();
        let loads = |result| stacks.iter().map(|metrics| metrics.loads(result)).sum::<u64>();
        let [hit, negative_hits, stale, miss, collapsed, bypasses] = [
            Outcome::Hit,
            Outcome::NegativeHit,
            Outcome::Stale,
            Outcome::Miss,
            Outcome::Collapsed,
            Outcome::Bypass,
        ]
        .map(gets);
        let (hits, misses) = (hit + negative_hits, miss + collapsed);
        let gets = hits + stale + misses + bypasses;
        let answered = loads(LoadResult::Found) + loads(LoadResult::Absent);
        let loads_failed = [
            LoadResult::Timeout,
            LoadResult::Unavailable,
            LoadResult::Failed,
            LoadResult::Panicked,
        ]
        .map(loads)
        .iter()
        .sum();
        Self {
            gets,
            hits,
            negative_hits,
            stale,
            misses,
            collapsed,
            bypasses,
            hit_rate: per_cent(hits + stale, gets),
            loads: answered + loads_failed,
            loads_failed,
        }
    }
}

/// `part` of `whole` in per cent, to two places.
fn per_cent(part: u64, whole: u64) -> Option<f64> {
    let hundredths = (u128::from(part) * 10_000).checked_div(u128::from(whole))?;
    u32::try_from(hundredths).ok().map(|hundredths| f64::from(hundredths) / 100.0)
}
