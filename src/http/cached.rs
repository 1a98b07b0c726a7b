//! The answer of a stack as an HTTP response: the same for every source.

use axum::{
    body::Body,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use tokio::time::Instant;
use tower::ServiceExt;

use super::{
    headers::{JSON, account, directives, etag},
    preconditions::{Expected, is_unchanged},
    problem::Problem,
};
use crate::{
    cache::{Answer, Failure, Get},
    resources::{Resource, last_number},
};

/// Headers of an answer, `Date` and `Content-Length` included; room for them is made at once.
const HEADERS: usize = 12;

/// Answers `request`, a `GET` or a `HEAD`, from the cache of `resource`.
pub(super) async fn answer(resource: &Resource, request: &Parts) -> Response {
    let begun_at = Instant::now();
    let Some(id) = last_number(request.uri.path()) else {
        return Problem::InvalidId.into_response();
    };
    let expected = match Expected::of_read(&request.headers) {
        Ok(expected) => expected,
        Err(problem) => return problem.into_response(),
    };
    let get = Get { id, directives: directives(&request.headers) };
    let (mut response, of_cache) = match resource.cache.clone().oneshot(get).await {
        Ok(Answer { body: Some(body), age_s, account }) => {
            let etag = etag(&body);
            let mut response = if !expected.allows(&etag) {
                Problem::Changed.into_response()
            } else if is_unchanged(&request.headers, &etag) {
                StatusCode::NOT_MODIFIED.into_response()
            } else {
                let mut response = Response::new(Body::from(body));
                let headers = response.headers_mut();
                headers.reserve(HEADERS);
                headers.insert(header::CONTENT_TYPE, JSON);
                response
            };
            let headers = response.headers_mut();
            headers.insert(header::AGE, age_s.into());
            headers.insert(header::ETAG, etag);
            (response, account)
        }
        Ok(Answer { body: None, age_s, account }) => {
            let mut response =
                resource.absent.map_or(Problem::NoSuchPath, Problem::Absent).into_response();
            response.headers_mut().insert(header::AGE, age_s.into());
            (response, account)
        }
        Err(Failure { error, account }) => (Problem::from(&error).into_response(), account),
    };
    account(response.headers_mut(), &of_cache, begun_at.elapsed());
    response
}
