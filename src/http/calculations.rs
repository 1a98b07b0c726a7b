//! `GET /calculations/{n}`, and `HEAD`.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};

use super::{Context, cached, number, problem::Problem};

/// Doubles a number, slowly.
///
/// It takes five seconds, and the result is kept for ten.
pub(super) async fn show(State(context): State<Arc<Context>>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let n = request.uri.path().strip_prefix("/calculations/").and_then(number);
    cached::answer(&context.calculations, n, Problem::NoSuchPath, &request).await
}
