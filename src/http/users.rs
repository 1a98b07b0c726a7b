//! `POST /users`, `PUT`, `PATCH` and `DELETE /users/{id}`: change the row, forget the key, acknowledge.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::time::Instant;

use super::{
    Context,
    body::Input,
    headers::{JSON, etag, of_write},
    preconditions::Expected,
    problem::Problem,
};
use crate::{
    database::Unwritten,
    resources::last_number,
    users::{Profile, ProfileChange, User, WriteError, Written},
};

/// Adds a user.
pub(super) async fn create(
    State(context): State<Arc<Context>>,
    Input(profile): Input<Profile>,
) -> Response {
    answer(StatusCode::CREATED, context.users.clone().create(profile)).await
}

/// Changes all fields of a user.
pub(super) async fn put(
    State(context): State<Arc<Context>>,
    uri: Uri,
    headers: HeaderMap,
    Input(profile): Input<Profile>,
) -> Response {
    update(context, &uri, &headers, profile.into()).await
}

/// What a `PATCH` may be: a merge patch (RFC 7396) of an object whose fields can't be removed.
const PATCHES: &str = "application/json, application/merge-patch+json";

/// Names what a `PATCH` may be (RFC 5789 §3.1).
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// Changes those fields of a user that are there.
pub(super) async fn patch(
    State(context): State<Arc<Context>>,
    uri: Uri,
    headers: HeaderMap,
    change: Result<Input<ProfileChange>, Problem>,
) -> Response {
    let mut response = match change {
        Ok(Input(change)) if is_patch(&headers) => update(context, &uri, &headers, change).await,
        Ok(_) | Err(Problem::NotJson) => Problem::NotPatch.into_response(),
        Err(problem) => problem.into_response(),
    };
    response.headers_mut().insert(ACCEPT_PATCH, HeaderValue::from_static(PATCHES));
    response
}

fn is_patch(headers: &HeaderMap) -> bool {
    let of = headers.get(header::CONTENT_TYPE).and_then(|of| of.to_str().ok()?.split(';').next());
    of.is_some_and(|of| PATCHES.split(", ").any(|patch| of.trim().eq_ignore_ascii_case(patch)))
}

async fn update(
    context: Arc<Context>,
    uri: &Uri,
    headers: &HeaderMap,
    change: ProfileChange,
) -> Response {
    match target(uri, headers) {
        Ok((id, expected)) => {
            answer(StatusCode::OK, context.users.clone().update(id, change, expected)).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Deletes a user.
pub(super) async fn delete(
    State(context): State<Arc<Context>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match target(&uri, &headers) {
        Ok((id, expected)) => {
            answer(StatusCode::NO_CONTENT, context.users.clone().delete(id, expected)).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Makes a write, in a task of its own: a client that leaves ends it no more.
async fn answer(
    status: StatusCode,
    write: impl Future<Output = Result<Written, WriteError>> + Send + 'static,
) -> Response {
    let begun_at = Instant::now();
    let Written { user, key, is_forgotten } = match tokio::spawn(write).await {
        Ok(Ok(written)) => written,
        Ok(Err(error)) => return refused(&error).into_response(),
        Err(_) => return Problem::Internal.into_response(),
    };
    let mut response = status.into_response();
    if let Some(user) = user {
        // Strings and a number always serialise.
        let body = serde_json::to_vec(&user).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, JSON);
        headers.insert(header::ETAG, etag(&body));
        if status == StatusCode::CREATED
            && let Ok(location) = HeaderValue::try_from(format!("/users/{}", user.id))
        {
            headers.insert(header::LOCATION, location);
        }
        *response.body_mut() = Body::from(body);
    }
    of_write(response.headers_mut(), &key, is_forgotten, begun_at.elapsed());
    response
}

/// The id of the user that a write is for, and a test for the versions of it that the write is meant for.
fn target(
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(i64, impl Fn(&User) -> bool + Send + use<>), Problem> {
    let id = last_number(uri.path()).ok_or(Problem::InvalidId)?;
    let expected = Expected::of_write(headers)?;
    let is_expected =
        move |user: &User| serde_json::to_vec(user).is_ok_and(|body| expected.allows(&etag(&body)));
    Ok((id, is_expected))
}

fn refused(error: &WriteError) -> Problem {
    match error {
        WriteError::Invalid(why) => Problem::InvalidField(why),
        WriteError::NoSuchUser => Problem::NoSuchUser,
        WriteError::EmailTaken => Problem::EmailTaken,
        WriteError::Changed => Problem::Changed,
        WriteError::Unwritten(Unwritten::Unavailable(_)) => {
            tracing::warn!(%error, "a write was refused");
            Problem::NotWritable
        }
        WriteError::Unwritten(_) => {
            tracing::error!(%error, "a write failed");
            Problem::Internal
        }
    }
}
