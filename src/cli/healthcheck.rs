//! `aside healthcheck`: asks a running service whether it is alive.

use std::process::ExitCode;

use clap::Args;

use super::{output::complain, service::Service};

/// Which service is asked.
#[derive(Args, Debug)]
pub(super) struct Healthcheck {
    #[command(flatten)]
    service: Service,
}

impl Healthcheck {
    pub(super) fn run(&self) -> ExitCode {
        let listen = self.service.listen;
        match self.service.ask("/healthz") {
            Ok(answer) if answer.status() == 200 => return ExitCode::SUCCESS,
            Ok(_) | Err(ureq::Error::StatusCode(_)) => {
                complain(&format!("the service at {listen} is not well"));
            }
            Err(error) => {
                complain(&format!("the service at {listen} does not answer: {error}"));
            }
        }
        ExitCode::FAILURE
    }
}
