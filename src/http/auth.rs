//! Who may change things: the bearer of the API token.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    http::{header::HOST, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use headers::{Authorization, HeaderMapExt, authorization::Bearer};
use subtle::ConstantTimeEq;

use super::{Context, problem::Problem};

/// Who may use the protected endpoints.
#[derive(Clone)]
pub enum Access {
    /// Anybody on this machine, which alone can reach the service: no token is set. A request must name this
    /// machine as its host: a web page whose own name was pointed at a loopback address ("DNS rebinding") has a
    /// browser on this machine, too.
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
            Self::Open if names_this_machine(request) => return Ok(()),
            Self::Open => return Err(Problem::ForeignHost),
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

/// Whether the host of the request is `localhost`, a name below it (RFC 6761 §6.3), or a loopback address; or whether
/// it has none, as HTTP/1.0 allows and no browser does.
fn names_this_machine(request: &Request) -> bool {
    let field = request.headers().get(HOST);
    let of_field = || field.and_then(|field| Authority::try_from(field.as_bytes()).ok());
    let Some(authority) = request.uri().authority().cloned().or_else(of_field) else {
        return field.is_none();
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
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

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_names_and_addresses_of_this_machine_are_its_own() {
        let of_field = |host: &str| {
            let request = Request::builder().uri("/users").header(HOST, host);
            names_this_machine(&request.body(Body::empty()).unwrap())
        };
        for host in
            ["localhost", "LocalHost:8080", "a.localhost.", "127.0.0.1:1", "127.9.9.9", "[::1]:80"]
        {
            assert!(of_field(host), "{host}");
        }
        for host in [
            "",
            "evil.example:8080",
            "localhost.evil.example",
            "xlocalhost",
            "192.0.2.1",
            "[2001:db8::1]",
            "a b",
        ] {
            assert!(!of_field(host), "{host}");
        }
        let bare = |uri: &str| {
            names_this_machine(&Request::builder().uri(uri).body(Body::empty()).unwrap())
        };
        assert!(bare("/users") && bare("http://localhost/users"));
        assert!(!bare("http://evil.example/users"));
    }
}
