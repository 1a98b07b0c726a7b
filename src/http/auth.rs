//! Who may change things: the bearer of the API token.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use headers::{Authorization, HeaderMapExt, authorization::Bearer};
use subtle::ConstantTimeEq;

use super::{Context, problem::Problem};

/// Who may use the protected endpoints.
#[derive(Clone)]
pub enum Access {
    /// Anybody: no token is set, and only this machine can reach the service.
    Open,
    /// Nobody: no token is set, and other machines can reach the service.
    Closed,
    /// Whoever knows the token.
    Token(Arc<str>),
}

impl Access {
    /// What a service on `listen` allows with this token.
    pub fn new(token: Option<&str>, listen: SocketAddr) -> Self {
        match token {
            Some(token) => Self::Token(token.into()),
            None if listen.ip().is_loopback() => Self::Open,
            None => Self::Closed,
        }
    }

    /// Whether nobody at all may use the protected endpoints.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        let token = match self {
            Self::Open => return Ok(()),
            Self::Closed => return Err(Problem::Closed),
            Self::Token(token) => token,
        };
        let given = request.headers().typed_get::<Authorization<Bearer>>();
        let given = given.as_ref().map_or("", |given| given.token());
        // In constant time: how long the answer takes must not tell how much of a guess was right.
        if bool::from(given.as_bytes().ct_eq(token.as_bytes())) {
            Ok(())
        } else {
            Err(Problem::Unauthorized)
        }
    }
}

/// Lets a request pass if it may.
pub(super) async fn protect(
    State(context): State<Arc<Context>>,
    request: Request,
    next: Next,
) -> Response {
    match context.access.check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
