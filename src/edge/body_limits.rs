//! How large and how slow the body of a request may be.

use std::future::{Ready, ready};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use futures_util::future::{BoxFuture, Either};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::Service;
use tower_http::timeout::{DeadlineBody, TimeoutError};

use super::limits::Limits;
use super::refusal::closing_problem;

/// Bounds the bodies of the requests to the service inside it. A request without a body passes untouched.
///
/// However the handler takes a body that failed, the answer is a problem that says why: 413 past the size, 408 past the
/// deadline, 400 when it broke off or was framed badly. The rest of such a body is not read; the connection is closed.
#[derive(Clone, Debug)]
pub struct BodyLimits<S> {
    inner: S,
    deadline: Duration,
    bytes_max: usize,
}

impl<S> BodyLimits<S> {
    /// Wraps `inner` with the limits for bodies.
    pub fn new(inner: S, limits: &Limits) -> Self {
        Self { inner, deadline: limits.body_deadline, bytes_max: limits.body_bytes_max }
    }
}

type Answered<E> = Result<Response, E>;

impl<S, B> Service<Request<B>> for BodyLimits<S>
where
    S: Service<Request<Body>, Response = Response>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<
        S::Future,
        Either<BoxFuture<'static, Answered<S::Error>>, Ready<Answered<S::Error>>>,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.body().is_end_stream() {
            return Either::Left(self.inner.call(request.map(Body::new)));
        }
        // Answering before the body is asked for also spares a client that sent `Expect: 100-continue` from sending it.
        if request.body().size_hint().lower() > self.bytes_max as u64 {
            return Either::Right(Either::Right(ready(Ok(BodyFailure::TooLarge.answer()))));
        }
        let failure = Arc::new(OnceLock::new());
        let seen = Arc::clone(&failure);
        let request = request.map(|body| {
            let body = DeadlineBody::new(self.deadline, Limited::new(body, self.bytes_max));
            Body::new(body.map_err(move |error| {
                seen.get_or_init(|| BodyFailure::of(&error));
                error
            }))
        });
        let answer = self.inner.call(request);
        Either::Right(Either::Left(Box::pin(async move {
            let answer = answer.await?;
            Ok(failure.get().map_or(answer, |failure| failure.answer()))
        })))
    }
}

#[derive(Clone, Copy, Debug)]
enum BodyFailure {
    TooLarge,
    TooSlow,
    Broken,
}

impl BodyFailure {
    fn of(error: &BoxError) -> Self {
        if error.is::<LengthLimitError>() {
            Self::TooLarge
        } else if error.is::<TimeoutError>() {
            Self::TooSlow
        } else {
            Self::Broken
        }
    }

    fn answer(self) -> Response {
        match self {
            Self::TooLarge => closing_problem(
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body of the request is too large.",
            ),
            Self::TooSlow => closing_problem(
                StatusCode::REQUEST_TIMEOUT,
                "The body of the request came too slowly.",
            ),
            Self::Broken => {
                closing_problem(StatusCode::BAD_REQUEST, "The body of the request is malformed.")
            }
        }
    }
}
