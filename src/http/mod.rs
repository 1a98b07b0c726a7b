//! The routes, and what all of them share. One file a noun.

mod auth;
mod body;
pub mod edge;
mod headers;
mod problem;
mod service;
mod users;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router, middleware,
    routing::{get, post, put},
};
use tower_http::catch_panic::CatchPanicLayer;

pub use self::{auth::Access, service::ServerReport};
use crate::{
    cache::Cache,
    jobs::Invalidations,
    metrics::{CacheMetrics, Metrics},
    users::Database,
};
use problem::Problem;

/// What the handlers need; [`app`](crate::app) puts it together.
pub struct Context {
    /// The stack in front of the users.
    pub users: Cache<i64>,
    /// The ledger of that stack.
    pub users_ledger: CacheMetrics,
    /// Asked whether it is ready, and written to.
    pub database: Database,
    /// Makes the cache forget what a write has changed.
    pub invalidations: Invalidations,
    /// Who may use the protected endpoints.
    pub access: Access,
    /// All instruments.
    pub metrics: Metrics,
    /// Tells of each memcached server whether it is used.
    pub servers: Box<dyn Fn() -> Vec<ServerReport> + Send + Sync>,
    /// Set once the service is about to end: it is not ready any more.
    pub draining: Arc<AtomicBool>,
}

impl Context {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// All routes, each error of theirs as `application/problem+json`.
pub fn router(context: Context) -> Router {
    let context = Arc::new(context);
    let protected = Router::new()
        .route("/users", post(users::create))
        .route("/users/{id}", put(users::put).patch(users::patch).delete(users::delete))
        .route_layer(middleware::from_fn_with_state(context.clone(), auth::protect));
    Router::new()
        .route("/users/{id}", get(users::show))
        .route("/healthz", get(service::healthz))
        .route("/readyz", get(service::readyz))
        .route("/metrics", get(service::metrics))
        .route("/stats", get(service::stats))
        .merge(protected)
        .fallback(async || Problem::NoSuchPath)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .with_state(context)
}
