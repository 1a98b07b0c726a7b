//! Every error as `application/problem+json` (RFC 9457): one table of what clients can meet.
//!
//! Nothing of a request is repeated and nothing of the inside is told; what happened is in the log.

use std::{any::Any, sync::Arc};

use aside_edge::{NO_STORE, details, problems};
use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};

use crate::{
    cache::{GetError, LoadError},
    database::NotReady,
};

problems! {
    /// An error as a client meets it.
    Problem {
        Misread(Arc<str>) = BAD_REQUEST, "{0}";
        RepeatedCookie = BAD_REQUEST,
            "There is more than one session cookie, and none of them is preferred.";
        InvalidPrecondition = BAD_REQUEST,
            "If-Match and If-None-Match take entity tags in double quotes, or an asterisk alone.";
        MalformedJson = BAD_REQUEST, "The body is not well-formed JSON.";
        Unauthorized = UNAUTHORIZED, "This needs the API token as a bearer token.";
        Closed = FORBIDDEN,
            "This is closed: the service has no API token and other machines can reach it.";
        ForeignHost = FORBIDDEN,
            "Without an API token this answers only requests whose Host is localhost or a loopback address; \
             --host (ASIDE_HOST) names further ones.";
        NoSuchPath = NOT_FOUND, "There is nothing at this path.";
        Absent(Arc<str>) = NOT_FOUND, "{0}";
        NoSuchUser = NOT_FOUND, "There is no user with this id.";
        NoSuchSession = NOT_FOUND, "There is no such session; it may have ended.";
        MethodNotAllowed = METHOD_NOT_ALLOWED, "The Allow header names the methods of this path.";
        EmailTaken = CONFLICT, "Another user has this email address.";
        Changed = PRECONDITION_FAILED,
            "The present version is not one that If-Match or If-None-Match asks for.";
        NotJson = UNSUPPORTED_MEDIA_TYPE,
            "The body must be JSON, with Content-Type: application/json.";
        NotPatch = UNSUPPORTED_MEDIA_TYPE,
            "The body must be JSON, with a Content-Type that Accept-Patch names.";
        InvalidFields = UNPROCESSABLE_ENTITY,
            "The body lacks a field, has an unknown one, or one of another type.";
        InvalidField(&'static str) = UNPROCESSABLE_ENTITY, "{0}";
        Internal = INTERNAL_SERVER_ERROR, "Something went wrong inside; it is in the log.";
        NoSessions = SERVICE_UNAVAILABLE,
            "Sessions are kept in memcached, and this service is set to do without it.";
        SessionsUnavailable = SERVICE_UNAVAILABLE,
            "memcached, which keeps the sessions, can't be used at the moment; they may be there still.";
        TooManyStreams = SERVICE_UNAVAILABLE, "Too many watch already.";
        Overloaded = SERVICE_UNAVAILABLE, "Too many queries are waiting already.";
        SourceUnavailable = SERVICE_UNAVAILABLE, "The source can't be reached at the moment.";
        NotWritable = SERVICE_UNAVAILABLE, "The database can't be written at the moment.";
        CacheUnavailable = SERVICE_UNAVAILABLE,
            "The memcached servers of this key can't be reached at the moment.";
        NotAllForgotten(u64) = SERVICE_UNAVAILABLE,
            "Not all entries are forgotten: a memcached server is away, does not list its keys \
             or took too long. At least {0} were forgotten.";
        QueueFull = SERVICE_UNAVAILABLE, "Too many jobs are waiting already.";
        QueueUnavailable = SERVICE_UNAVAILABLE, "The queue can't be reached at the moment.";
        Draining = SERVICE_UNAVAILABLE, "The service is shutting down.";
        DatabaseNotReady(NotReady) = SERVICE_UNAVAILABLE, "The {0}.";
        Faulty = BAD_GATEWAY, "The service that was asked gave no answer that is of use.";
        NotCached = GATEWAY_TIMEOUT,
            "only-if-cached was asked for, and the cache has no suitable answer.";
        SourceTimeout = GATEWAY_TIMEOUT, "The source did not answer within the deadline.";
    }
}

/// The scheme by which a caller shows that it knows the API token.
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");

/// Seconds after which a client may ask again, when the service can't serve it now.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

impl From<&GetError> for Problem {
    fn from(error: &GetError) -> Self {
        match error {
            GetError::NotCached => Self::NotCached,
            GetError::Load(LoadError::Overloaded) => Self::Overloaded,
            GetError::Load(LoadError::Unavailable(_)) => Self::SourceUnavailable,
            GetError::Load(LoadError::Timeout) => Self::SourceTimeout,
            GetError::Load(LoadError::Faulty(_) | LoadError::Unusable(_)) => Self::Faulty,
            GetError::Load(LoadError::Failed(_) | LoadError::Panicked) => Self::Internal,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let advice = match status {
            StatusCode::UNAUTHORIZED => Some([(WWW_AUTHENTICATE, BEARER)]),
            StatusCode::SERVICE_UNAVAILABLE => Some([(RETRY_AFTER, RETRY_AFTER_S)]),
            _ => None,
        };
        // The same request may go well in a moment.
        let unkept = [(CACHE_CONTROL, NO_STORE)];
        (unkept, advice, details(status, self.to_string())).into_response()
    }
}

/// The answer of a handler that panicked. The message goes to the log, escaped, and not to the client.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = ?text, "a handler panicked");
    Problem::Internal.into_response()
}
