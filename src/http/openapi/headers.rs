//! The headers of answers, each described once.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::openapi::{
    Components, Header, Object, Ref, RefOr, Type, header::HeaderBuilder, schema::ObjectBuilder,
};

/// The headers of every answer that the cache had a part in.
pub(super) const OF_CACHE: &[&str] =
    &["X-Cache", "Cache-Status", "Server-Timing", "X-Response-Time", "Cache-Control"];

/// The headers of every answer to a write.
pub(super) const OF_WRITE: &[&str] =
    &["Cache-Status", "Server-Timing", "X-Response-Time", "Cache-Control"];

/// The headers of every answer about a session.
pub(super) const OF_SESSION: &[&str] = &["Cache-Control"];

const TEXTS: &[(&str, &str)] = &[
    (
        "Cache-Status",
        "RFC 9211, with one member, such as `aside; hit; ttl=42; key=\"user:42\"`. A write says `detail=forgotten`, \
         or `detail=pending` while its key is still to be forgotten.",
    ),
    (
        "Server-Timing",
        "Milliseconds, such as `cache;dur=0.21, db;dur=501.8, total;dur=502.3`; `db` only if a load was waited for.",
    ),
    ("X-Response-Time", "How long the answer took, such as `502.3ms`."),
    (
        "Cache-Control",
        "`no-cache`: a private cache may keep the answer and must ask again. About sessions `no-store`.",
    ),
    (
        "ETag",
        "A tag of the body, strong but for this document's, for `If-None-Match` and `If-Match`.",
    ),
    ("Location", "The path of the new user; of a new session, the one that takes its cookie."),
    ("Set-Cookie", "Keeps the id of the session in a browser, or removes it."),
    ("WWW-Authenticate", "`Bearer`."),
];

/// Adds all of them to `components`.
pub(super) fn add(components: &mut Components) {
    let mut add = |name: &str, schema: ObjectBuilder, description: &str| {
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description));
        components.headers.insert(name.to_owned(), RefOr::T(header.build()));
    };
    for (name, description) in TEXTS {
        add(name, of_type(Type::String), description);
    }
    let served = of_type(Type::String).enum_values(Some(["HIT", "MISS", "STALE", "BYPASS"]));
    add("X-Cache", served, "What the cache did; `BYPASS` if it was not asked or could not be.");
    let seconds = || of_type(Type::Integer).minimum(Some(0));
    add("Age", seconds(), "Seconds since the answer was loaded.");
    add("Retry-After", seconds(), "Seconds after which it may be tried again.");
}

/// References to the headers of these names.
pub(super) fn named(names: &[&str]) -> BTreeMap<String, RefOr<Header>> {
    let reference = |name| Ref::new(format!("#/components/headers/{name}"));
    names.iter().map(|name| ((*name).to_owned(), RefOr::Ref(reference(name)))).collect()
}

fn of_type(of: Type) -> ObjectBuilder {
    Object::with_type(of).into()
}

/// The headers that a problem of a status has in some operations, beside those that it always has.
pub(super) type Headers = fn(StatusCode) -> Vec<&'static str>;

pub(super) fn of_none(_: StatusCode) -> Vec<&'static str> {
    Vec::new()
}

pub(super) fn of_cache(status: StatusCode) -> Vec<&'static str> {
    match status {
        // The cache is not asked with something that is no id.
        StatusCode::BAD_REQUEST => Vec::new(),
        // That there is no such thing is an entry, too.
        StatusCode::NOT_FOUND => [OF_CACHE, &["Age"]].concat(),
        StatusCode::PRECONDITION_FAILED => [OF_CACHE, &["Age", "ETag"]].concat(),
        _ => OF_CACHE.to_vec(),
    }
}

pub(super) fn of_session(status: StatusCode) -> Vec<&'static str> {
    match status {
        // A body that did not come whole says nothing of a session; it is refused before.
        StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => Vec::new(),
        _ => OF_SESSION.to_vec(),
    }
}

pub(super) fn of_log_out(status: StatusCode) -> Vec<&'static str> {
    // The browser drops a cookie of a session that has ended.
    let cookie: &[&str] = if status == StatusCode::NOT_FOUND { &["Set-Cookie"] } else { &[] };
    [&of_session(status)[..], cookie].concat()
}
