//! `aside healthcheck`: asks a running service whether it is alive.

use super::{
    command::{Failed, Result},
    service::Service,
};

/// Asks `service`.
pub(super) fn healthcheck(service: &Service) -> Result {
    let listen = service.listen;
    Err(Failed::Failure(match service.ask("/healthz") {
        Ok(answer) if answer.status() == 200 => return Ok(()),
        Ok(_) | Err(ureq::Error::StatusCode(_)) => format!("the service at {listen} is not well"),
        Err(error) => format!("the service at {listen} does not answer: {error}"),
    }))
}
