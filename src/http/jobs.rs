//! `/jobs`: puts things on the warm-up queue, and tells how it is.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{Context, body::Input, problem::Problem};
use crate::jobs::{QueueError, Report, UNNAMED};

/// Most ids in one request; past it, 422. The limit on the size of a body may come before: ids of five
/// digits fit.
const IDS_MAX: usize = 10_000;

/// The things to be loaded into the cache.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WarmUps {
    /// The name of their resource; users, if it is not there.
    #[serde(default = "unnamed")]
    resource: String,
    /// Their ids, each from 1.
    ids: Vec<i64>,
}

fn unnamed() -> String {
    UNNAMED.to_owned()
}

/// The number of jobs that were put on the queue.
#[derive(Serialize)]
pub(super) struct Queued {
    /// Jobs, one for each id.
    queued: usize,
}

/// Puts things on the warm-up queue, all of them or none.
pub(super) async fn warm_up(
    State(context): State<Arc<Context>>,
    Input(WarmUps { resource, ids }): Input<WarmUps>,
) -> Response {
    if context.resources.named(&resource).is_none() {
        return Problem::InvalidField("resource takes the name of a resource.").into_response();
    }
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Problem::InvalidField("ids takes 1 to 10000 ids.").into_response();
    }
    if ids.iter().any(|id| *id < 1) {
        return Problem::InvalidField("Each of ids is at least 1.").into_response();
    }
    match context.queue.push(&resource, &ids).await {
        Ok(()) => (StatusCode::ACCEPTED, Json(Queued { queued: ids.len() })).into_response(),
        Err(error) => refused(&error).into_response(),
    }
}

/// The state of the queue.
#[derive(Serialize)]
pub(super) struct Jobs {
    #[serde(flatten)]
    queue: Report,
    /// Keys that writes have made outdated and the cache has not forgotten yet. Not part of the queue.
    invalidations: u64,
}

/// Counts the jobs by state, and shows the latest that were given up.
pub(super) async fn show(State(context): State<Arc<Context>>) -> Response {
    let queue = match context.queue.report().await {
        Ok(report) => report,
        Err(error) => return refused(&error).into_response(),
    };
    match context.delivery.missing().await {
        Ok(invalidations) => Json(Jobs { queue, invalidations }).into_response(),
        Err(error) => {
            tracing::warn!(%error, "the invalidations can't be counted");
            Problem::SourceUnavailable.into_response()
        }
    }
}

fn refused(error: &QueueError) -> Problem {
    match error {
        QueueError::Full => Problem::QueueFull,
        // The queue itself has it in the log, once an outage.
        QueueError::Unavailable(_) => Problem::QueueUnavailable,
    }
}
