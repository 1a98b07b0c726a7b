//! `POST /users`, `PUT`, `PATCH` and `DELETE /users/{id}`: change the row, forget the key, acknowledge.

use std::{future::Future, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::time::Instant;

use super::id;
use crate::{
    http::{
        Context,
        body::Input,
        headers::{JSON, etag, of_write},
        preconditions::Expected,
        problem::Problem,
    },
    users::{Profile, ProfileChange, User, WriteError, Written},
};

/// Adds a user.
pub(in crate::http) async fn create(
    State(context): State<Arc<Context>>,
    Input(profile): Input<Profile>,
) -> Response {
    let write = {
        let database = context.database.clone();
        async move { database.create(profile).await }
    };
    let mut response = carry_out(context, StatusCode::CREATED, write).await;
    if response.status() == StatusCode::CREATED
        && let Some(Created(id)) = response.extensions_mut().remove()
        && let Ok(location) = HeaderValue::try_from(format!("/users/{id}"))
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Changes all fields of a user.
pub(in crate::http) async fn put(
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
pub(in crate::http) async fn patch(
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
    let Some(id) = id(uri.path()) else { return Problem::InvalidId.into_response() };
    let expected = match expectation(headers) {
        Ok(expected) => expected,
        Err(problem) => return problem.into_response(),
    };
    let database = context.database.clone();
    let write = async move { database.update(id, change, expected).await };
    carry_out(context, StatusCode::OK, write).await
}

/// Deletes a user.
pub(in crate::http) async fn delete(
    State(context): State<Arc<Context>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Some(id) = id(uri.path()) else { return Problem::InvalidId.into_response() };
    let expected = match expectation(&headers) {
        Ok(expected) => expected,
        Err(problem) => return problem.into_response(),
    };
    let database = context.database.clone();
    let write = async move { database.delete(id, expected).await };
    carry_out(context, StatusCode::NO_CONTENT, write).await
}

/// The id of a user that was just created, on its way to the `Location` header.
#[derive(Clone, Copy)]
struct Created(i64);

/// Writes, forgets, and answers. In a task of its own: a client that leaves ends neither the write nor
/// the forgetting.
async fn carry_out(
    context: Arc<Context>,
    status: StatusCode,
    write: impl Future<Output = Result<Written, WriteError>> + Send + 'static,
) -> Response {
    let begun_at = Instant::now();
    let task = tokio::spawn(async move {
        let Written { user, outdated } = write.await?;
        let key = outdated.change.key.clone();
        let forgotten = context.delivery.carry_out(outdated).await;
        Ok((user, key, forgotten))
    });
    match task.await {
        Ok(Ok((user, key, forgotten))) => {
            let mut response = written(status, user);
            of_write(response.headers_mut(), &key, forgotten, begun_at.elapsed());
            response
        }
        Ok(Err(error)) => refused(&error).into_response(),
        Err(_) => Problem::Internal.into_response(),
    }
}

fn written(status: StatusCode, user: Option<User>) -> Response {
    let Some(user) = user else { return status.into_response() };
    let Ok(body) = serde_json::to_vec(&user) else { return Problem::Internal.into_response() };
    let etag = etag(&body);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response.headers_mut().insert(header::ETAG, etag);
    response.extensions_mut().insert(Created(user.id));
    response
}

/// Says of a user whether it is a version that the write is meant for.
fn expectation(headers: &HeaderMap) -> Result<impl Fn(&User) -> bool + Send + use<>, Problem> {
    let expected = Expected::of_write(headers)?;
    Ok(move |user: &User| serde_json::to_vec(user).is_ok_and(|body| expected.allows(&etag(&body))))
}

fn refused(error: &WriteError) -> Problem {
    match error {
        WriteError::Invalid(why) => Problem::InvalidField(why),
        WriteError::NoSuchUser => Problem::NoSuchUser,
        WriteError::EmailTaken => Problem::EmailTaken,
        WriteError::Changed => Problem::Changed,
        WriteError::Unavailable(_) => {
            tracing::warn!(%error, "a write was refused");
            Problem::NotWritable
        }
        WriteError::Failed(_) => {
            tracing::error!(%error, "a write failed");
            Problem::Internal
        }
    }
}
