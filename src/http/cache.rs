//! `/cache`: explain an entry without touching it, forget one, forget all.

use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, Uri},
    response::IntoResponse,
};
use serde::Serialize;
use tokio::time::Instant;

use super::{Result, Shared, headers::of_write, problem::Problem};
use crate::{
    cache::{Key, Source},
    cores,
    operator::Unfinished,
    resources::{Arguments, Resource},
};

/// Explains the entry of one thing without touching it.
pub(super) async fn explain(
    State(context): Shared,
    Extension(resource): Extension<Resource>,
    uri: Uri,
) -> Result {
    let (_, key) = key(&resource, &uri)?;
    let held = context.operator.explain(&key, resource.definition.policy.kept_stale_s()).await;
    held.map(|held| Json(held).into_response()).ok_or(Problem::CacheUnavailable)
}

/// Forgets the entry of one thing, as a write does it, but without one.
pub(super) async fn forget(
    State(context): Shared,
    Extension(resource): Extension<Resource>,
    uri: Uri,
) -> Result {
    let begun_at = Instant::now();
    let (id, key) = key(&resource, &uri)?;
    let may_be = async move { resource.source.may_have(&id).await };
    let forgotten = context.delivery.forget(key.clone(), may_be).await;
    let is_forgotten = forgotten.map_err(|error| {
        tracing::warn!(%error, "a key can be neither forgotten nor noted");
        Problem::CacheUnavailable
    })?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    of_write(response.headers_mut(), &key, is_forgotten, begun_at.elapsed());
    Ok(response)
}

/// The thing that the path names after `/cache/{resource}`, and its key.
fn key(resource: &Resource, uri: &Uri) -> Result<(Arguments, Key)> {
    let rest = uri.path().splitn(4, '/').nth(3).unwrap_or_default();
    let rest = uri.query().map_or_else(|| rest.to_owned(), |query| format!("{rest}?{query}"));
    let id = resource.definition.signature.read_rest(&rest).map_err(Problem::Misread)?;
    let key = resource.source.key(&id);
    Ok((id, key))
}

/// Forgets all entries.
///
/// Sessions and the items of other programs stay.
pub(super) async fn forget_all(State(context): Shared) -> Result<Json<Forgotten>> {
    match cores::spawn(context.operator.clone().forget_all()).await {
        Ok(Ok(forgotten)) => Ok(Json(Forgotten { forgotten })),
        Ok(Err(Unfinished { forgotten })) => Err(Problem::NotAllForgotten(forgotten)),
        Err(_) => Err(Problem::Internal),
    }
}

/// The number of entries that were forgotten.
#[derive(Serialize)]
pub(super) struct Forgotten {
    /// Entries that were there.
    forgotten: u64,
}
