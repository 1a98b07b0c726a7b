//! The right to change things: it is that of the bearer of the API token.

use std::{net::SocketAddr, sync::Arc};

use aside_edge::Host;
use axum::{
    extract::{Request, State},
    http::{HeaderValue, header::HOST},
    middleware::Next,
};
use headers::{Authorization, HeaderMapExt, authorization::Bearer};
use subtle::ConstantTimeEq;

use super::{Result, Shared, problem::Problem};

/// The callers that may use the protected endpoints.
#[derive(Clone)]
pub enum Access {
    /// Anybody on this machine, which alone can reach the service: no token is set. Each request, reads as well, must
    /// name this machine as its host, or be called so: a web page whose own name was pointed at a loopback address
    /// ("DNS rebinding") has a browser on this machine, too.
    Open {
        /// The address on which the service is.
        listen: Arc<str>,
        /// Its other names.
        hosts: Arc<[Host]>,
    },
    /// Nobody: no token is set, and other machines can reach the service.
    Closed,
    /// A caller that knows the token.
    Token(Arc<str>),
}

impl Access {
    /// The access that a service on `listen` gives with this token. `hosts` are the names and addresses by which callers
    /// reach it through a proxy.
    pub fn new(token: Option<&str>, listen: SocketAddr, hosts: &[Host]) -> Self {
        match token {
            Some(token) => Self::Token(token.into()),
            None if listen.ip().is_loopback() => {
                Self::Open { listen: listen.to_string().into(), hosts: hosts.into() }
            }
            None => Self::Closed,
        }
    }

    /// True if nobody at all may use the protected endpoints.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    /// Refuses a request for a host that is not this machine's, where that matters, before its route is known.
    ///
    /// The host is that of an absolute target, else that of the field (RFC 9112 §3.2.2). A request without any, as
    /// HTTP/1.0 allows, comes from no browser.
    pub(super) fn may_ask(&self, request: &Request) -> Result<()> {
        let Self::Open { listen, hosts } = self else { return Ok(()) };
        let field = request.headers().get(HOST).map(HeaderValue::as_bytes);
        let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        let Some(authority) = authority.or(field) else { return Ok(()) };
        // Most name the very address.
        if authority == listen.as_bytes() {
            return Ok(());
        }
        match Host::parse(authority) {
            Some(host) if host.is_this_machine() || hosts.contains(&host) => Ok(()),
            _ => Err(Problem::ForeignHost),
        }
    }

    /// Refuses a request of a caller that may not use the protected endpoints.
    pub(super) fn check(&self, request: &Request) -> Result<()> {
        match self {
            // Its host is checked with that of every other request.
            Self::Open { .. } => Ok(()),
            Self::Closed => Err(Problem::Closed),
            Self::Token(token) => {
                let given = request.headers().typed_get::<Authorization<Bearer>>();
                let given = given.as_ref().map_or("", |given| given.token());
                // In constant time: how long the answer takes must not tell how much of a guess was right.
                let is_right = bool::from(given.as_bytes().ct_eq(token.as_bytes()));
                if is_right { Ok(()) } else { Err(Problem::Unauthorized) }
            }
        }
    }
}

/// Lets a request pass if it may.
pub(super) async fn protect(State(context): Shared, request: Request, next: Next) -> Result {
    context.access.check(&request)?;
    Ok(next.run(request).await)
}
