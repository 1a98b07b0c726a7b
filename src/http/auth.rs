//! Who may change things: the bearer of the API token.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, header::HOST},
    middleware::Next,
    response::{IntoResponse, Response},
};
use headers::{Authorization, HeaderMapExt, authorization::Bearer};
use subtle::ConstantTimeEq;
use tower_http::validate_request::ValidateRequest;

use super::{Context, problem::Problem};
use crate::edge::Host;

/// Who may use the protected endpoints.
#[derive(Clone)]
pub enum Access {
    /// Anybody on this machine, which alone can reach the service: no token is set. Each request, reads as well, must
    /// name this machine as its host, or one of these: a web page whose own name was pointed at a loopback address
    /// ("DNS rebinding") has a browser on this machine, too.
    Open(Arc<[HostName]>),
    /// Nobody: no token is set, and other machines can reach the service.
    Closed,
    /// Whoever knows the token.
    Token(Arc<str>),
}

impl Access {
    /// What a service on `listen` allows with this token.
    pub fn new(token: Option<&str>, listen: SocketAddr, hosts: &[HostName]) -> Self {
        match token {
            Some(token) => Self::Token(token.into()),
            None if listen.ip().is_loopback() => Self::Open(hosts.into()),
            None => Self::Closed,
        }
    }

    /// Whether nobody at all may use the protected endpoints.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        let token = match self {
            // Its host is checked with that of every other request.
            Self::Open(_) => return Ok(()),
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

    /// Refuses a request for a host that is not this machine's, where that matters.
    ///
    /// The host is that of an absolute target, else that of the field (RFC 9112 §3.2.2). A request without any, as
    /// HTTP/1.0 allows, comes from no browser.
    fn check_host(&self, request: &Request) -> Result<(), Problem> {
        let Self::Open(hosts) = self else { return Ok(()) };
        let field = request.headers().get(HOST).map(HeaderValue::as_bytes);
        let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        let Some(authority) = authority.or(field) else { return Ok(()) };
        let host = Host::parse(authority);
        let is_ours =
            |host: &Host| host.is_this_machine() || hosts.iter().any(|HostName(name)| name == host);
        if host.as_ref().is_some_and(is_ours) { Ok(()) } else { Err(Problem::ForeignHost) }
    }
}

impl ValidateRequest<Body> for Access {
    type ResponseBody = Body;

    /// Checks the host of every request, before its route is known.
    fn validate(&mut self, request: &mut Request) -> Result<(), Response> {
        self.check_host(request).map_err(IntoResponse::into_response)
    }
}

/// A further name or address of this service, as those say it who reach it through a proxy.
#[derive(Clone, Debug)]
pub struct HostName(Host);

impl HostName {
    /// Reads a name or an address; `None` if it is neither. A port makes no difference.
    pub fn parse(text: &str) -> Option<Self> {
        Host::parse(text.as_bytes()).map(Self)
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
