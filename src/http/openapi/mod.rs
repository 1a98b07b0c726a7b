//! `GET /openapi.json`: the routes for people who generate clients from them.
//!
//! What an operation takes and answers stands at its handler; what many of them share stands here, once.

mod absent;
mod answers;
mod headers;
mod parameters;
mod problems;
pub(super) mod refusals;

use std::sync::LazyLock;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

pub(super) use self::{
    absent::IfAny,
    answers::*,
    parameters::{Id, N, Reading, SessionId, Version},
};
use super::{
    assets, cache, calculations,
    headers::{CACHE_CONTROL, JSON, etag},
    jobs,
    preconditions::is_unchanged,
    problem::Problem,
    service, sessions, users,
};
use crate::{calculations::Calculation, users::User};

/// What every client must know.
const ABOUT: &str = "A caching HTTP service in front of a slow backend. \
    Every error is a problem (RFC 9457), `application/problem+json`. \
    A path that answers `GET` answers `HEAD` as well, with the same headers and no body. \
    A method that a path does not have is answered 405, with `Allow`.";

#[derive(OpenApi)]
#[openapi(
    info(title = "Aside", description = ABOUT),
    paths(
        users::show,
        users::write::create,
        users::write::put,
        users::write::patch,
        users::write::delete,
        calculations::show,
        sessions::create,
        sessions::show,
        sessions::delete,
        sessions::show_current,
        sessions::delete_current,
        cache::explain,
        cache::forget,
        cache::forget_all,
        jobs::warm_up,
        jobs::show,
        service::stats,
        service::healthz,
        service::readyz,
        service::metrics,
        assets::favicon,
        assets::robots,
        show,
    ),
    components(schemas(Problem, User, Calculation, sessions::Shown)),
    modifiers(&Shared),
)]
struct Document;

/// Said of every body that is taken.
pub(super) const BODY: &str = "JSON of at most 64 KiB that arrives within 10 s.";

/// What operations refer to by name and no derive collects.
struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        // What needs no token says so, too.
        for get in document.paths.paths.values_mut().filter_map(|path| path.get.as_mut()) {
            get.security.get_or_insert_default();
        }
        let components = document.components.get_or_insert_with(Components::new);
        headers::add(components);
        components.schemas.values_mut().for_each(absent::never_null);
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description = Some(
            "The API token. A service without one is open on a loopback address and closed on any other."
                .to_owned(),
        );
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let cookie = ApiKeyValue::with_description(
            sessions::COOKIE,
            "The id of a session, as a browser keeps it after a log-in.",
        );
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// The document as it is sent, and its tag. That is sent as a weak one: the document may be compressed on its way.
static DOCUMENT: LazyLock<(Bytes, HeaderValue)> = LazyLock::new(|| {
    // Maps with text for keys always serialise.
    let document = serde_json::to_vec(&Document::openapi()).unwrap_or_default();
    let etag = etag(&document);
    (document.into(), etag)
});

/// Shows this document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "service",
    operation_id = "show_openapi",
    params(parameters::IfNoneMatch),
    responses(DocumentRead, refusals::Other)
)]
pub(super) async fn show(request: HeaderMap) -> Response {
    let (document, etag) = &*DOCUMENT;
    let mut response = if is_unchanged(&request, etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, JSON)], document.clone()).into_response()
    };
    let weak = etag.to_str().map_or(String::new(), |etag| format!("W/{etag}"));
    if let Ok(weak) = HeaderValue::try_from(weak) {
        response.headers_mut().insert(header::ETAG, weak);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, CACHE_CONTROL);
    response
}
