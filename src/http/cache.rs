//! `/cache`: explain an entry without touching it, forget one, forget all.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::time::Instant;

use super::{Context, headers::of_write, number, problem::Problem};
use crate::{
    cache::{Condition, Explanation, Key},
    users::SPACE,
};

/// What `/cache` does; [`app`](crate::app) puts it together.
pub struct CacheControl {
    /// Explains a key without touching it.
    pub explain: Box<dyn Fn(Key) -> BoxFuture<'static, Held> + Send + Sync>,
    /// Forgets every entry, and tells how many there were.
    pub forget_all: Box<dyn Fn() -> BoxFuture<'static, Result<u64, Unfinished>> + Send + Sync>,
}

/// Not everything could be forgotten: a server is away, does not list its keys, or took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Entries that were.
    pub forgotten: u64,
}

/// All that is known of one key.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// The key in the cache.
    pub key: String,
    /// The servers, the one where it lives first.
    pub servers: Vec<ServerPlace>,
    /// What this process's own memory holds: the only store, or what stood in while a server was away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Explanation>,
}

/// One server as a place for the key.
#[derive(Clone, Debug, Serialize)]
pub struct ServerPlace {
    /// Its address as the setting has it.
    pub server: String,
    /// MurmurHash3 of `server-key`; the highest is the first choice.
    pub score: u32,
    /// Why the key lives here, or does not.
    pub why: String,
    /// What is there; absent if it was not asked or gave no answer.
    #[serde(flatten)]
    pub entry: Option<Explanation>,
    /// Why it gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl ServerPlace {
    /// Whether there is anything under the key.
    fn holds(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.state != Condition::Absent)
    }
}

impl Held {
    /// The one that answers for the key: the first server that does, or this process's memory. `None` if no
    /// server answered and the memory holds nothing.
    pub fn entry(&self) -> Option<&Explanation> {
        self.servers.iter().find_map(|place| place.entry.as_ref()).or(self.memory.as_ref())
    }
}

/// Explains the entry of a user without touching it.
pub(super) async fn explain(State(context): State<Arc<Context>>, uri: Uri) -> Response {
    let Some(id) = id(&uri) else { return Problem::InvalidId.into_response() };
    let held = (context.control.explain)(Key::numbered(SPACE, id)).await;
    let state = match held.entry() {
        Some(entry) => entry.state,
        // Without servers, an entry that is not in the memory is nowhere.
        None if held.servers.is_empty() => Condition::Absent,
        None => return Problem::CacheUnavailable.into_response(),
    };
    let held_by = held.servers.iter().find(|place| place.holds()).map(|place| place.server.clone());
    Json(Explained { state, held_by, held }).into_response()
}

/// What is known of an entry.
#[derive(Serialize)]
pub(super) struct Explained {
    /// What it is, for the first server that answers, or for this process's memory.
    state: Condition,
    /// The first server that has something under the key.
    held_by: Option<String>,
    #[serde(flatten)]
    held: Held,
}

/// Forgets the entry of a user, as a write does it, but without one.
pub(super) async fn forget(State(context): State<Arc<Context>>, uri: Uri) -> Response {
    let begun_at = Instant::now();
    let Some(id) = id(&uri) else { return Problem::InvalidId.into_response() };
    let (delivery, key) = (context.delivery.clone(), Key::numbered(SPACE, id));
    // A task of its own: a client that leaves does not end it between the cache and the log.
    let task = tokio::spawn(async move { delivery.forget(id).await });
    match task.await {
        Ok(Ok(forgotten)) => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            of_write(response.headers_mut(), &key, forgotten, begun_at.elapsed());
            response
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "a key can be neither forgotten nor noted");
            Problem::CacheUnavailable.into_response()
        }
        Err(_) => Problem::Internal.into_response(),
    }
}

/// Forgets all entries.
///
/// Sessions and the items of other programs stay.
pub(super) async fn forget_all(State(context): State<Arc<Context>>) -> Response {
    match (context.control.forget_all)().await {
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

fn id(uri: &Uri) -> Option<i64> {
    uri.path().strip_prefix("/cache/users/").and_then(number)
}
