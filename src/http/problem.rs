//! Every error as `application/problem+json` (RFC 9457): one table of what clients can meet.
//!
//! Nothing of a request is repeated and nothing of the inside is told; what happened is in the log.

use std::{any::Any, borrow::Cow};

use crate::{
    cache::{GetError, LoadError},
    database::NotReady,
    edge::{NO_STORE, details},
};
use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};

/// What can go wrong for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    InvalidId,
    NoSuchPath,
    Absent(&'static str),
    NoSuchUser,
    NoSuchSession,
    RepeatedCookie,
    NoSessions,
    SessionsUnavailable,
    MethodNotAllowed,
    NotCached,
    Overloaded,
    SourceUnavailable,
    SourceTimeout,
    InvalidPrecondition,
    MalformedJson,
    NotJson,
    NotPatch,
    InvalidFields,
    InvalidField(&'static str),
    EmailTaken,
    Changed,
    NotWritable,
    CacheUnavailable,
    NotAllForgotten(u64),
    QueueFull,
    QueueUnavailable,
    Unauthorized,
    Closed,
    ForeignHost,
    Draining,
    DatabaseNotReady(NotReady),
    Internal,
}

/// Seconds after which a client may ask again, when the service can't serve it now.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

impl Problem {
    /// The status and what is said beside it.
    pub(super) fn parts(self) -> (StatusCode, Cow<'static, str>) {
        let (status, detail) = match self {
            Self::InvalidId => (
                StatusCode::BAD_REQUEST,
                "An id is a decimal number from 1 to 9223372036854775807 without sign or leading zeros.",
            ),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "There is nothing at this path."),
            Self::Absent(sentence) => (StatusCode::NOT_FOUND, sentence),
            Self::NoSuchUser => (StatusCode::NOT_FOUND, "There is no user with this id."),
            Self::NoSuchSession => {
                (StatusCode::NOT_FOUND, "There is no such session; it may have ended.")
            }
            Self::RepeatedCookie => (
                StatusCode::BAD_REQUEST,
                "There is more than one session cookie, and none of them is preferred.",
            ),
            Self::NoSessions => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Sessions are kept in memcached, and this service is set to do without it.",
            ),
            Self::SessionsUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "memcached, which keeps the sessions, can't be used at the moment; they may be there still.",
            ),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "The Allow header names the methods of this path.")
            }
            Self::NotCached => (
                StatusCode::GATEWAY_TIMEOUT,
                "only-if-cached was asked for, and the cache has no suitable answer.",
            ),
            Self::Overloaded => {
                (StatusCode::SERVICE_UNAVAILABLE, "Too many queries are waiting already.")
            }
            Self::SourceUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "The database can't be reached at the moment.")
            }
            Self::SourceTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "The database did not answer within the deadline.")
            }
            Self::InvalidPrecondition => (
                StatusCode::BAD_REQUEST,
                "If-Match and If-None-Match take entity tags in double quotes, or an asterisk alone.",
            ),
            Self::MalformedJson => (StatusCode::BAD_REQUEST, "The body is not well-formed JSON."),
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body must be JSON, with Content-Type: application/json.",
            ),
            Self::NotPatch => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body must be JSON, with a Content-Type that Accept-Patch names.",
            ),
            Self::InvalidFields => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The body lacks a field, has an unknown one, or one of another type.",
            ),
            Self::InvalidField(why) => (StatusCode::UNPROCESSABLE_ENTITY, why),
            Self::EmailTaken => (StatusCode::CONFLICT, "Another user has this email address."),
            Self::Changed => (
                StatusCode::PRECONDITION_FAILED,
                "The present version is not one that If-Match or If-None-Match asks for.",
            ),
            Self::NotWritable => {
                (StatusCode::SERVICE_UNAVAILABLE, "The database can't be written at the moment.")
            }
            Self::CacheUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The memcached servers of this key can't be reached at the moment.",
            ),
            Self::NotAllForgotten(forgotten) => {
                let detail = format!(
                    "Not all entries are forgotten: a memcached server is away, does not list its keys \
                     or took too long. At least {forgotten} were forgotten."
                );
                return (StatusCode::SERVICE_UNAVAILABLE, detail.into());
            }
            Self::QueueFull => {
                (StatusCode::SERVICE_UNAVAILABLE, "Too many jobs are waiting already.")
            }
            Self::QueueUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "The queue can't be reached at the moment.")
            }
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, "This needs the API token as a bearer token.")
            }
            Self::Closed => (
                StatusCode::FORBIDDEN,
                "This is closed: the service has no API token and other machines can reach it.",
            ),
            Self::ForeignHost => (
                StatusCode::FORBIDDEN,
                "Without an API token this answers only requests whose Host is localhost or a loopback address; \
                 --host (ASIDE_HOST) names further ones.",
            ),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "The service is shutting down."),
            Self::DatabaseNotReady(why) => {
                return (StatusCode::SERVICE_UNAVAILABLE, format!("The {why}.").into());
            }
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong inside; it is in the log.",
            ),
        };
        (status, detail.into())
    }
}

impl From<&GetError> for Problem {
    fn from(error: &GetError) -> Self {
        match error {
            GetError::NotCached => Self::NotCached,
            GetError::Load(LoadError::Overloaded) => Self::Overloaded,
            GetError::Load(LoadError::Unavailable(_)) => Self::SourceUnavailable,
            GetError::Load(LoadError::Timeout) => Self::SourceTimeout,
            GetError::Load(LoadError::Failed(_) | LoadError::Panicked) => Self::Internal,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, detail) = self.parts();
        let mut response = details(status, detail).into_response();
        // What went wrong now may go well in a moment.
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_S);
        }
        response
    }
}

/// The answer of a handler that panicked. The message goes to the log, escaped, and not to the client.
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = ?text, "a handler panicked");
    Problem::Internal.into_response()
}
