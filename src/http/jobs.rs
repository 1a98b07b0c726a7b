//! `/jobs`: puts things on the warm-up queue, and tells how it is.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// The name of each: the value of its parameter, or a list of those of all.
    ids: Vec<Value>,
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
    let named = named(&context.resources, resource);
    let named = named.ok_or(Problem::InvalidField("resource takes the name of a resource."))?;
    if !(1..=IDS_MAX).contains(&ids.len()) {
        return Err(Problem::InvalidField("ids takes 1 to 10000 ids."));
    }
    let signature = &named.definition.signature;
    let rest = |id: &Value| Some(signature.write_rest(&signature.of_json(id)?));
    let ids: Option<Vec<_>> = ids.iter().map(rest).collect();
    let ids = ids.ok_or_else(|| match signature.is_numbered() {
        true => Problem::InvalidField("Each of ids is a number from 1 on."),
        false => Problem::InvalidField(
            "Each of ids is the value of the parameter, or a list of those of all.",
        ),
    })?;
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
