//! The answer of a stack as an HTTP response: the same for every source.

use std::mem;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::time::Instant;
use tower::ServiceExt;

use super::{
    Result,
    headers::{account, directives, etag},
    preconditions::{Expected, is_unchanged},
    problem::Problem,
};
use crate::{
    cache::{Answer, Failure, Get},
    resources::Resource,
};

/// Headers of an answer, `Date` and `Content-Length` included; room for them is made at once.
const HEADERS: usize = 12;

/// Answers `request`, a `GET` or a `HEAD`, from the cache of `resource`. What is found is of the type `media`.
pub(super) async fn answer(
    resource: &Resource,
    media: &HeaderValue,
    mut request: Request,
) -> Result {
    let begun_at = Instant::now();
    let uri = request.uri();
    let read = resource.definition.signature.read(uri.path(), uri.query());
    let id = read.map_err(Problem::Misread)?;
    let expected = Expected::of_read(request.headers())?;
    let get = Get { id, directives: directives(request.headers()) };
    let (mut response, of_cache) = match resource.cache.clone().oneshot(get).await {
        Ok(Answer { body: Some(body), age_s, account }) => {
            let etag = etag(&body);
            let mut response = if !expected.allows(&etag) {
                Problem::Changed.into_response()
            } else if is_unchanged(request.headers(), &etag) {
                StatusCode::NOT_MODIFIED.into_response()
            } else {
                // hyper reads the next request of the connection into the map of this answer, so that one map goes round.
                let mut headers = mem::take(request.headers_mut());
                headers.clear();
                headers.reserve(HEADERS);
                headers.insert(header::CONTENT_TYPE, media.clone());
                let mut response = Response::new(Body::from(body));
                *response.headers_mut() = headers;
                response
            };
            let headers = response.headers_mut();
            headers.insert(header::AGE, age_s.into());
            headers.insert(header::ETAG, etag);
            (response, account)
        }
        Ok(Answer { body: None, age_s, account }) => {
            let absent = resource.definition.absent.clone();
            let problem = absent.map_or(Problem::NoSuchPath, Problem::Absent);
            (([(header::AGE, HeaderValue::from(age_s))], problem).into_response(), account)
        }
        Err(Failure { error, account }) => (Problem::from(&error).into_response(), account),
    };
    account(response.headers_mut(), &of_cache, begun_at.elapsed());
    Ok(response)
}
