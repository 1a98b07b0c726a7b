//! `/users`: reads through the cache, writes that forget.

pub(super) mod write;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};

pub(super) use write::{create, delete, patch, put};

use super::{Context, cached, number, problem::Problem};

/// Shows a user.
pub(super) async fn show(State(context): State<Arc<Context>>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let id = id(request.uri.path());
    cached::answer(&context.users, id, Problem::NoSuchUser, &request).await
}

fn id(path: &str) -> Option<i64> {
    path.strip_prefix("/users/").and_then(number)
}
