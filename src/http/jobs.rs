//! `/jobs`: puts things on the warm-up queue, and tells how it is.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{Result, Shared, body::Input, problem::Problem};
use crate::{
    jobs::{QueueError, Report, UNNAMED},
    resources::named,
};

/// Most ids in one request; past it, 422. The limit on the size of a body may come before: ids of five
/// digits fit.
const IDS_MAX: usize = 10_000;

/// The things to be loaded into the cache.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WarmUps {
    /// The name of their resource; [`UNNAMED`], if it is not there.
    resource: Option<String>,
    /// Their ids, each from 1.
    ids: Vec<i64>,
}

/// The number of jobs that were put on the queue.
#[derive(Serialize)]
pub(super) struct Queued {
    /// Jobs, one for each id.
    queued: usize,
}

/// Puts things on the warm-up queue, all of them or none.
pub(super) async fn warm_up(
    State(context): Shared,
    Input(WarmUps { resource, ids }): Input<WarmUps>,
) -> Result<(StatusCode, Json<Queued>)> {
    let resource = resource.as_deref().unwrap_or(UNNAMED);
    let is_known = named(&context.resources, resource).is_some();
    let rules = [
        (is_known, "resource takes the name of a resource."),
        ((1..=IDS_MAX).contains(&ids.len()), "ids takes 1 to 10000 ids."),
        (ids.iter().all(|id| *id > 0), "Each of ids is at least 1."),
    ];
    if let Some((_, broken)) = rules.iter().find(|(holds, _)| !holds) {
        return Err(Problem::InvalidField(broken));
    }
    context.queue.push(resource, &ids).await?;
    Ok((StatusCode::ACCEPTED, Json(Queued { queued: ids.len() })))
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
pub(super) async fn show(State(context): Shared) -> Result<Json<Jobs>> {
    let queue = context.queue.report().await?;
    let invalidations = context.delivery.missing().await.map_err(|error| {
        tracing::warn!(%error, "the invalidations can't be counted");
        Problem::SourceUnavailable
    })?;
    Ok(Json(Jobs { queue, invalidations }))
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Full => Self::QueueFull,
            // The queue itself has it in the log, once an outage.
            QueueError::Unavailable(_) => Self::QueueUnavailable,
        }
    }
}
