//! `/sessions`: log in, look, log out. By the id for a caller with the API token, by the cookie for a browser.

mod cookie;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header::LOCATION},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;
use tower::ServiceExt;

use super::{Context, Result, Routes, Shared, auth, body::Input, problem::Problem};
use crate::{
    cache::{Directives, Get},
    resources::named,
    sessions::{Login, Session, SessionError, SessionId},
    users,
};

/// The session of the cookie.
const CURRENT: &str = "/sessions/current";

/// The routes of this noun.
///
/// The current session needs no token: a browser has none, and one that has the cookie knows an id, which nobody
/// can guess. It is closed where nobody may use sessions at all.
pub(super) fn routes(context: &Arc<Context>) -> Routes {
    Router::new()
        .route("/sessions", post(create))
        .route("/sessions/{id}", get(show).delete(delete))
        .route_layer(middleware::from_fn_with_state(context.clone(), auth::protect))
        .route("/sessions/current", get(show).delete(delete))
}

/// A session as its own user sees it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    /// A secret: a client that knows it is logged in.
    id: &'a str,
    #[serde(flatten)]
    session: Session,
}

/// Logs a user in.
///
/// The `Location` is the one for its cookie: proxies log that header, and the id is a secret.
pub(super) async fn create(State(context): Shared, Input(login): Input<Login>) -> Result {
    login.check()?;
    is_on_record(&context, login.user_id).await?;
    let (id, session) = context.sessions.create(login).await?;
    let location = [(LOCATION, CURRENT)];
    let mut response = (StatusCode::CREATED, location, shown(&id, session)).into_response();
    cookie::set(response.headers_mut(), &context, &id);
    Ok(response)
}

/// Refuses where there is no such user, by a plain read through the cache.
async fn is_on_record(context: &Context, id: i64) -> Result<()> {
    let users = named(&context.resources, users::NAME).ok_or(Problem::NoSuchUser)?;
    let get = Get { id: id.into(), directives: Directives::default() };
    let answer = users.cache.clone().oneshot(get).await;
    let answer = answer.map_err(|failure| Problem::from(&failure.error))?;
    answer.body.map(|_| ()).ok_or(Problem::NoSuchUser)
}

/// Shows a session, which lives anew from now.
///
/// Only the cookie that named it is renewed: a user who follows a link to somebody else's session must not be
/// logged in as them.
pub(super) async fn show(State(context): Shared, uri: Uri, headers: HeaderMap) -> Result {
    let id = id(&context, &uri, &headers)?;
    let session = context.sessions.read(&id).await?.ok_or(Problem::NoSuchSession)?;
    let mut response = shown(&id, session).into_response();
    if uri.path() == CURRENT {
        cookie::set(response.headers_mut(), &context, &id);
    }
    Ok(response)
}

/// Logs a user out.
///
/// The browser drops its cookie also if there was no such session; but not if that can't be known.
pub(super) async fn delete(State(context): Shared, uri: Uri, headers: HeaderMap) -> Response {
    let ended = async {
        let was_there = context.sessions.delete(&id(&context, &uri, &headers)?).await?;
        if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::NoSuchSession) }
    };
    let ended = ended.await;
    let is_over = matches!(ended, Ok(_) | Err(Problem::NoSuchSession));
    let mut response = ended.into_response();
    if uri.path() == CURRENT && is_over {
        cookie::clear(response.headers_mut(), &context);
    }
    response
}

/// The id in the cookie, or in the path. There, text that is none names no session, and memcached is not asked. The
/// path is read as it was sent, so that an escaped character is no second spelling.
fn id(context: &Context, uri: &Uri, headers: &HeaderMap) -> Result<SessionId> {
    if uri.path() != CURRENT {
        let text = uri.path().strip_prefix("/sessions/");
        return text.and_then(SessionId::parse).ok_or(Problem::NoSuchSession);
    }
    if context.access.is_closed() { Err(Problem::Closed) } else { cookie::id(headers) }
}

fn shown(id: &SessionId, session: Session) -> Json<Shown<'_>> {
    Json(Shown { id: id.reveal(), session })
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Invalid(why) => Self::InvalidField(why),
            SessionError::NoMemcached => Self::NoSessions,
            // A server that goes out of service says so itself, once.
            SessionError::Unavailable(_) => Self::SessionsUnavailable,
            SessionError::NoRandomness => {
                tracing::error!(%error, "a log-in failed");
                Self::Internal
            }
        }
    }
}
