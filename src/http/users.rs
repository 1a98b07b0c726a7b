//! `POST /users`, `PUT`, `PATCH` and `DELETE /users/{id}`: change the row, forget the key, acknowledge.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use tokio::time::Instant;

use super::{
    Context, Result, Shared,
    body::Input,
    headers::{JSON, etag, of_write},
    preconditions::Expected,
    problem::Problem,
};
use crate::{
    cores,
    database::Unwritten,
    resources::last_number,
    users::{Profile, ProfileChange, User, WriteError, Written},
};

/// Adds a user.
pub(super) async fn create(State(context): Shared, Input(profile): Input<Profile>) -> Result {
    answer(StatusCode::CREATED, context.users.clone().create(profile)).await
}

/// Changes all fields of a user.
pub(super) async fn put(
    State(context): Shared,
    request: Parts,
    Input(profile): Input<Profile>,
) -> Result {
    update(&context, &request, profile.into()).await
}

/// The types of a `PATCH`: a merge patch (RFC 7396) of an object whose fields can't be removed.
const PATCHES: &str = "application/json, application/merge-patch+json";

/// Names the types of a `PATCH` (RFC 5789 §3.1).
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// Changes those fields of a user that are there.
pub(super) async fn patch(
    State(context): Shared,
    request: Parts,
    change: Result<Input<ProfileChange>>,
) -> Response {
    let changed = match change {
        Ok(Input(change)) if is_patch(&request.headers) => update(&context, &request, change).await,
        Ok(_) | Err(Problem::NotJson) => Err(Problem::NotPatch),
        Err(problem) => Err(problem),
    };
    let mut response = changed.into_response();
    response.headers_mut().insert(ACCEPT_PATCH, HeaderValue::from_static(PATCHES));
    response
}

fn is_patch(headers: &HeaderMap) -> bool {
    let of = headers.get(header::CONTENT_TYPE).and_then(|of| of.to_str().ok()?.split(';').next());
    of.is_some_and(|of| PATCHES.split(", ").any(|patch| of.trim().eq_ignore_ascii_case(patch)))
}

async fn update(context: &Context, request: &Parts, change: ProfileChange) -> Result {
    let (id, expected) = target(request)?;
    answer(StatusCode::OK, context.users.clone().update(id, change, expected)).await
}

/// Deletes a user.
pub(super) async fn delete(State(context): Shared, request: Parts) -> Result {
    let (id, expected) = target(&request)?;
    answer(StatusCode::NO_CONTENT, context.users.clone().delete(id, expected)).await
}

/// Makes a write, in a task of its own: a client that leaves does not end it.
async fn answer(
    status: StatusCode,
    write: impl Future<Output = Result<Written, WriteError>> + Send + 'static,
) -> Result {
    let begun_at = Instant::now();
    let written = cores::spawn(write).await.map_err(|_| Problem::Internal)??;
    let mut response = match written.user {
        Some(user) => {
            // Strings and a number always serialise.
            let body = serde_json::to_vec(&user).unwrap_or_default();
            let tag = [(header::CONTENT_TYPE, JSON), (header::ETAG, etag(&body))];
            let is_new = status == StatusCode::CREATED;
            let location = is_new.then(|| [(header::LOCATION, format!("/users/{}", user.id))]);
            (status, tag, location, body).into_response()
        }
        None => status.into_response(),
    };
    let total = begun_at.elapsed();
    of_write(response.headers_mut(), &written.key, written.is_forgotten, total);
    Ok(response)
}

/// The id of the user that a write is for, and a test for the versions of it that the write is meant for.
fn target(request: &Parts) -> Result<(i64, impl Fn(&User) -> bool + Send + use<>)> {
    let id = last_number(request.uri.path()).map_err(Problem::Misread)?;
    let expected = Expected::of_write(&request.headers)?;
    let is_expected =
        move |user: &User| serde_json::to_vec(user).is_ok_and(|body| expected.allows(&etag(&body)));
    Ok((id, is_expected))
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Invalid(why) => Self::InvalidField(why),
            WriteError::NoSuchUser => Self::NoSuchUser,
            WriteError::EmailTaken => Self::EmailTaken,
            WriteError::Changed => Self::Changed,
            WriteError::Unwritten(Unwritten::Unavailable(_)) => {
                tracing::warn!(%error, "a write was refused");
                Self::NotWritable
            }
            WriteError::Unwritten(_) => {
                tracing::error!(%error, "a write failed");
                Self::Internal
            }
        }
    }
}
