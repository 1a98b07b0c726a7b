//! The limits on the body of a request: how large and how slow it may be.

use std::{
    convert::Infallible,
    future::ready,
    sync::{Arc, OnceLock},
};

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
    http::Request,
    response::Response,
};
use futures_util::{TryFutureExt, future::Either};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::Service;
use tower_http::timeout::{DeadlineBody, TimeoutError};

use crate::{limits::Limits, refusal::Refusal};

/// Lets `service` answer `request`, whose body is bounded. A request without a body passes untouched.
///
/// However the handler takes a body that failed, the answer is a problem that says why: 413 past the size, 408 past the
/// deadline, 400 when it broke off or was framed badly. The rest of such a body is not read; the connection is closed.
pub(super) fn answer<S, B>(
    mut service: S,
    limits: &Limits,
    request: Request<B>,
) -> impl Future<Output = Result<Response, Infallible>> + use<S, B>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    // Answering before the body is asked for also spares a client that sent `Expect: 100-continue` from sending it.
    if request.body().size_hint().lower() > limits.body_bytes_max as u64 {
        return Either::Left(ready(Ok(Refusal::BodyTooLarge.answer())));
    }
    let mut failure = None;
    let answer = if request.body().is_end_stream() {
        service.call(request.map(|_| Body::empty()))
    } else {
        let seen = Arc::clone(failure.insert(Arc::new(OnceLock::new())));
        service.call(request.map(|body| {
            let body = Limited::new(body, limits.body_bytes_max);
            let body = DeadlineBody::new(limits.body_deadline, body).map_err(move |error| {
                seen.get_or_init(|| refusal(&error));
                error
            });
            Body::new(body)
        }))
    };
    Either::Right(answer.map_ok(move |answer| {
        let failure = failure.as_ref().and_then(|failure| failure.get());
        failure.map_or(answer, |refusal| refusal.answer())
    }))
}

fn refusal(error: &BoxError) -> Refusal {
    if error.is::<LengthLimitError>() {
        Refusal::BodyTooLarge
    } else if error.is::<TimeoutError>() {
        Refusal::BodyTooSlow
    } else {
        Refusal::BodyMalformed
    }
}
