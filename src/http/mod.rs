//! The routes, and what all of them share. One file a noun.

mod assets;
mod auth;
mod body;
mod cache;
mod cached;
mod calculations;
mod cors;
pub mod edge;
mod headers;
mod jobs;
mod openapi;
mod preconditions;
mod problem;
mod service;
mod sessions;
mod users;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    http::header::CACHE_CONTROL,
    middleware,
    routing::{delete, get, post, put},
};
use futures_util::future::BoxFuture;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, predicate::SizeAbove},
    set_header::SetResponseHeaderLayer,
    validate_request::ValidateRequestHeaderLayer,
};

pub use self::{
    auth::{Access, HostName},
    cache::{CacheControl, Held, ServerPlace, Unfinished},
    cors::Origins,
    service::ServerReport,
};
use crate::{
    cache::Cache,
    delivery::Delivery,
    jobs::Queue,
    metrics::{CacheMetrics, Metrics},
    sessions::Sessions,
    statistics::ServerRow,
    users::{Database, NotReady},
};
use headers::NO_STORE;
use problem::Problem;

/// What the handlers need; [`app`](crate::app) puts it together.
pub struct Context {
    /// The stack in front of the users.
    pub users: Cache<i64>,
    /// The stack in front of the slow calculation.
    pub calculations: Cache<i64>,
    /// Who is logged in.
    pub sessions: Sessions,
    /// Whether a browser must send cookies over TLS only.
    pub cookies_secure: bool,
    /// What each stack counts, by the name of its source.
    pub ledgers: Vec<(&'static str, CacheMetrics)>,
    /// Tells whether the database can serve.
    pub ready: Box<dyn Fn() -> BoxFuture<'static, Result<(), NotReady>> + Send + Sync>,
    /// Written to.
    pub database: Database,
    /// Makes the cache forget what a write has changed.
    pub delivery: Delivery,
    /// Users to be loaded into the cache.
    pub queue: Queue,
    /// Who may use the protected endpoints.
    pub access: Access,
    /// All instruments.
    pub metrics: Metrics,
    /// Tells of each memcached server whether it is used.
    pub servers: Box<dyn Fn() -> Vec<ServerReport> + Send + Sync>,
    /// Tells what each memcached server counts.
    pub figures: Box<dyn Fn() -> BoxFuture<'static, Vec<ServerRow>> + Send + Sync>,
    /// Explains and forgets entries.
    pub control: CacheControl,
    /// Set once the service is about to end: it is not ready any more.
    pub draining: Arc<AtomicBool>,
}

impl Context {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Bytes from which a body is compressed, if its client takes that; shorter ones hardly shrink.
const COMPRESSED_BYTES_MIN: u64 = 1024;

/// All routes, each error of theirs as `application/problem+json`. Pages of `origins` may read the answers.
pub fn router(context: Context, origins: Option<Origins>) -> Router {
    let context = Arc::new(context);
    let access = context.access.clone();
    let protected = Router::new()
        .route("/users", post(users::create))
        .route("/users/{id}", put(users::put).patch(users::patch).delete(users::delete))
        .route("/cache", delete(cache::forget_all))
        .route("/cache/users/{id}", get(cache::explain).delete(cache::forget))
        .route("/jobs", get(jobs::show))
        .route("/jobs/warm-ups", post(jobs::warm_up))
        .route_layer(middleware::from_fn_with_state(context.clone(), auth::protect));
    // No entry is compressed: a hit is sent as it is stored. Nor is an answer with a secret of its reader's in it.
    let about_itself = Router::new()
        .route("/metrics", get(service::metrics))
        .route("/stats", get(service::stats))
        .route("/openapi.json", get(openapi::show))
        .route_layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN)));
    let router = Router::new()
        .route("/users/{id}", get(users::show))
        .route("/calculations/{n}", get(calculations::show))
        .route("/healthz", get(service::healthz))
        .route("/readyz", get(service::readyz))
        .route("/favicon.ico", get(assets::favicon))
        .route("/robots.txt", get(assets::robots))
        .merge(about_itself)
        .merge(protected)
        .merge(sessions::routes(&context))
        .fallback(async || Problem::NoSuchPath)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed);
    let router = match origins {
        Some(origins) => router.layer(origins.layer()),
        None => router,
    };
    router
        .layer((
            // What does not say otherwise describes a moment: a cache that kept it would tell of one that has passed.
            SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, NO_STORE),
            CatchPanicLayer::custom(problem::panicked),
            ValidateRequestHeaderLayer::custom(access),
        ))
        .with_state(context)
}

/// A number at the end of a path, if it is canonical: digits of an `i64` from 1, without leading zeros. The
/// path is read as it was sent, so that an escaped digit is no second name of the same thing.
fn number(text: &str) -> Option<i64> {
    let canonical = text.starts_with(|first: char| first.is_ascii_digit() && first != '0')
        && text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(number("1"), Some(1));
        assert_eq!(number("9223372036854775807"), Some(i64::MAX));
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "007",
            "1e3",
            "1.0",
            "0x1",
            " 1",
            "1 ",
            "%31",
            "1%00",
            "%2e%2e",
            "9223372036854775808",
            "99999999999999999999999",
            "١",
            "😀",
            "a",
            "1/",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
