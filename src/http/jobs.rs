//! `/jobs`: puts users on the warm-up queue, and tells how it is.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::{
        KnownFormat, ObjectBuilder, SchemaFormat, Type,
        schema::{Array, ArrayBuilder},
    },
};

use super::{
    Context,
    body::Input,
    openapi::{BODY, refusals},
    problem::Problem,
};
use crate::jobs::{QueueError, Report};

/// Most ids in one request; past it, 422. The limit on the size of a body may come before: ids of five
/// digits fit.
const IDS_MAX: usize = 10_000;

/// What to warm up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WarmUps {
    /// Ids of users, each from 1.
    #[schema(schema_with = ids_schema)]
    ids: Vec<i64>,
}

fn ids_schema() -> Array {
    let id = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1));
    let ids = ArrayBuilder::new().items(id).min_items(Some(1)).max_items(Some(IDS_MAX));
    ids.description(Some("Ids of users.")).build()
}

/// How much was put on the queue.
#[derive(Serialize, ToSchema)]
pub(super) struct Queued {
    /// Jobs, one for each id.
    queued: usize,
}

/// Puts users on the warm-up queue, all of them or none.
#[utoipa::path(
    post, path = "/jobs/warm-ups", tag = "jobs", operation_id = "warm_up", security(("token" = [])),
    request_body(content = WarmUps, description = BODY),
    responses(
        (status = 202, description = "They are on the queue, and will be loaded into the cache.", body = Queued),
        refusals::WarmUp,
    ),
)]
pub(super) async fn warm_up(
    State(context): State<Arc<Context>>,
    Input(WarmUps { ids }): Input<WarmUps>,
) -> Response {
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Problem::InvalidField("ids takes 1 to 10000 ids.").into_response();
    }
    if ids.iter().any(|id| *id < 1) {
        return Problem::InvalidField("Each of ids is at least 1.").into_response();
    }
    match context.queue.push(&ids).await {
        Ok(()) => (StatusCode::ACCEPTED, Json(Queued { queued: ids.len() })).into_response(),
        Err(error) => refused(&error).into_response(),
    }
}

/// How the queue is.
#[derive(Serialize, ToSchema)]
pub(super) struct Jobs {
    #[serde(flatten)]
    queue: Report,
    /// Keys that writes have made outdated and the cache has not forgotten yet. Not part of the queue.
    invalidations: u64,
}

/// Counts the jobs by state, and shows the latest that were given up.
#[utoipa::path(
    get, path = "/jobs", tag = "jobs", operation_id = "show_jobs", security(("token" = [])),
    responses((status = 200, description = "The queue as it is now.", body = Jobs), refusals::ShowJobs),
)]
pub(super) async fn show(State(context): State<Arc<Context>>) -> Response {
    let queue = match context.queue.report().await {
        Ok(report) => report,
        Err(error) => return refused(&error).into_response(),
    };
    match context.database.missing().await {
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
