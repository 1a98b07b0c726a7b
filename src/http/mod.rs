//! The routes, and what all of them share. One file a noun.

mod auth;
mod body;
mod cache;
mod cached;
mod cors;
mod document;
mod events;
mod headers;
mod jobs;
mod openapi;
mod page;
mod preconditions;
mod problem;
mod reads;
mod service;
mod sessions;
mod users;

use std::{panic::AssertUnwindSafe, sync::Arc};

use aside_edge::NO_STORE;
use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{HeaderName, StatusCode, header::CACHE_CONTROL},
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use futures_util::FutureExt;
use tokio::sync::{Semaphore, watch};
use tower::{Service, util::option_layer};
use tower_http::compression::{CompressionLayer, Predicate, predicate};

pub use self::{auth::Access, cors::Origins, events::STREAMS_MAX};
use self::{openapi::document, problem::Problem};
use crate::{
    delivery::Delivery, jobs::Queue, metrics::Metrics, operator::Operator, resources::Resources,
    sessions::Sessions, users::Users,
};

/// All that the handlers need; [`app`](crate::app) puts it together.
pub struct Context {
    /// Everything that is served through the cache.
    pub resources: Resources,
    /// The users as they are written.
    pub users: Users,
    /// The log-ins.
    pub sessions: Sessions,
    /// True if a browser must send cookies over TLS only.
    pub cookies_secure: bool,
    /// Explains, counts and forgets.
    pub operator: Operator,
    /// Makes the cache forget what is outdated.
    pub delivery: Delivery,
    /// Things to be loaded into the cache.
    pub queue: Queue,
    /// The callers that may use the protected endpoints.
    pub access: Access,
    /// All instruments.
    pub metrics: Metrics,
    /// Those who watch the figures.
    pub streams: Arc<Semaphore>,
    /// True once the service is about to end: it is not ready any more.
    pub draining: watch::Receiver<bool>,
}

/// The context as a handler takes it.
type Shared = State<Arc<Context>>;

/// The answer of a handler, or the problem in its place.
type Result<T = Response, E = Problem> = std::result::Result<T, E>;

/// Bytes from which a body is compressed, if its client takes that; shorter ones hardly shrink.
const COMPRESSED_BYTES_MIN: u64 = 1024;

/// Browsers ask for an icon, and crawlers for their rules, once a day at most.
const FOR_A_DAY: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "max-age=86400")];

/// Crawlers would only fill the cache.
const ROBOTS: &str = "User-agent: *\nDisallow: /\n";

/// All routes, each error of theirs as `application/problem+json`. Pages of `origins` may read the answers.
pub fn front(context: Context, origins: Option<Origins>) -> Front {
    let context = Arc::new(context);
    let document = document(&context.resources);
    let protected = Router::new()
        .route("/users", post(users::create))
        .route("/users/{id}", put(users::put).patch(users::patch).delete(users::delete))
        .route("/cache", delete(cache::forget_all))
        .route("/jobs", get(jobs::show))
        .route("/jobs/warm-ups", post(jobs::warm_up))
        .merge(controls(&context.resources))
        .merge(reads::routes(&context.resources, true))
        .route_layer(middleware::from_fn_with_state(context.clone(), auth::protect));
    // No entry is compressed: a hit is sent as it is stored. Nor is an answer with a secret of its reader's in it.
    let compressed = predicate::SizeAbove::new(COMPRESSED_BYTES_MIN)
        .and(predicate::NotForContentType::new(page::LARGE));
    let about_itself = Router::new()
        .route("/metrics", get(service::metrics))
        .route("/stats", get(service::stats))
        .route("/openapi.json", get(async |headers| document.show(headers).await))
        .merge(page::routes(&context.resources))
        .route_layer(CompressionLayer::new().compress_when(compressed));
    // Pages of elsewhere may read what the router's own layer says that they may.
    let reads = origins.is_none().then(|| reads::Reads::new(&context.resources));
    let reads = reads.unwrap_or_default();
    let access = context.access.clone();
    let routes = reads::routes(&context.resources, false)
        .route("/healthz", get("ok\n"))
        .route("/readyz", get(service::readyz))
        .route("/events", get(events::watch))
        .route("/favicon.ico", get((StatusCode::NO_CONTENT, FOR_A_DAY)))
        .route("/robots.txt", get((FOR_A_DAY, ROBOTS)))
        .merge(about_itself)
        .merge(protected)
        .merge(sessions::routes(&context))
        .fallback(async || Problem::NoSuchPath)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .layer(option_layer(origins.map(Origins::layer)))
        .with_state(context);
    Front { routes, reads, access }
}

/// The routes, and what every request meets before them.
pub struct Front {
    routes: Router,
    reads: reads::Reads,
    access: Access,
}

impl Front {
    /// Answers `request`. A layer of the router's own would be a box or two for each.
    pub async fn answer(self: Arc<Self>, request: Request) -> Response {
        let answer = match self.access.may_ask(&request) {
            Ok(()) => AssertUnwindSafe(self.of_handler(request)).catch_unwind().await,
            Err(problem) => Ok(problem.into_response()),
        };
        let mut answer = answer.unwrap_or_else(|panic| problem::panicked(&*panic));
        // An answer that says nothing else describes a moment: a cache that kept it would tell of one that has passed.
        answer.headers_mut().entry(CACHE_CONTROL).or_insert(NO_STORE);
        answer
    }

    async fn of_handler(&self, request: Request) -> Response {
        match self.reads.of(&request) {
            Some(read) => read.answer(request).await,
            None => self.routes.clone().call(request).await.into_response(),
        }
    }
}

/// Routes whose handlers take the context.
type Routes = Router<Arc<Context>>;

/// The routes by which the entries of each resource are explained and forgotten.
fn controls(resources: &Resources) -> Routes {
    resources.iter().fold(Router::new(), |router, resource| {
        let of_one = get(cache::explain).delete(cache::forget);
        router.route(&resource.definition.cache_path(), of_one.layer(Extension(resource.clone())))
    })
}
