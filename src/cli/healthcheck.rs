//! `aside healthcheck`: asks a running service whether it is alive.

use axum::http::StatusCode;

use super::{
    command::{Failed, Result},
    service::Service,
};

/// Asks `service`.
pub(super) async fn healthcheck(service: &Service) -> Result {
    let listen = service.listen;
    Err(Failed::Failure(match service.ask("/healthz").await {
        Ok(answer) if answer.status() == StatusCode::OK => return Ok(()),
        Ok(_) => format!("the service at {listen} is not well"),
        Err(error) => format!("the service at {listen} does not answer: {error}"),
    }))
}
