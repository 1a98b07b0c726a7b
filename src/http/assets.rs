//! Answers to questions that browsers and crawlers ask by themselves.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// It is asked for once a day at most.
const FOR_A_DAY: (header::HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));

/// Crawlers would only fill the cache.
const ROBOTS: &str = "User-agent: *\nDisallow: /\n";

/// Tells a browser that there is no icon.
pub(super) async fn favicon() -> Response {
    (StatusCode::NO_CONTENT, [FOR_A_DAY]).into_response()
}

/// Tells crawlers to stay away.
pub(super) async fn robots() -> Response {
    ([FOR_A_DAY], ROBOTS).into_response()
}
