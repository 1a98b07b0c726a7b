//! `/cache`: explain an entry without touching it, forget one, forget all.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::time::Instant;

use super::{Context, headers::of_write, problem::Problem};
use crate::{
    cache::Source,
    operator::Unfinished,
    resources::{Resource, last_number},
};

/// Explains the entry of one thing without touching it.
pub(super) async fn explain(context: Arc<Context>, resource: Resource, uri: Uri) -> Response {
    let Some(id) = last_number(uri.path()) else { return Problem::InvalidId.into_response() };
    let kept_stale_s = resource.policy.kept_stale_s();
    match context.operator.explain(&resource.key(id), kept_stale_s).await {
        Some(held) => Json(held).into_response(),
        None => Problem::CacheUnavailable.into_response(),
    }
}

/// Forgets the entry of one thing, as a write does it, but without one.
pub(super) async fn forget(context: Arc<Context>, resource: Resource, uri: Uri) -> Response {
    let begun_at = Instant::now();
    let Some(id) = last_number(uri.path()) else { return Problem::InvalidId.into_response() };
    let key = resource.key(id);
    let may_be = async move { resource.source.may_have(&id).await };
    match context.delivery.forget(key.clone(), may_be).await {
        Ok(is_forgotten) => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            of_write(response.headers_mut(), &key, is_forgotten, begun_at.elapsed());
            response
        }
        Err(error) => {
            tracing::warn!(%error, "a key can be neither forgotten nor noted");
            Problem::CacheUnavailable.into_response()
        }
    }
}

/// Forgets all entries.
///
/// Sessions and the items of other programs stay.
pub(super) async fn forget_all(State(context): State<Arc<Context>>) -> Response {
    match context.operator.forget_all().await {
        Ok(forgotten) => Json(Forgotten { forgotten }).into_response(),
        Err(Unfinished { forgotten }) => Problem::NotAllForgotten(forgotten).into_response(),
    }
}

/// How much was forgotten.
#[derive(Serialize)]
pub(super) struct Forgotten {
    /// Entries that were there.
    forgotten: u64,
}
