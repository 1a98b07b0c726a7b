//! `aside top`: the figures of a running service, live.

use aside_top::Watch;
use clap::Args;

use super::{
    command::{Failed, Result},
    service::Service,
    signals::Signals,
};
use crate::config::Secret;

/// The service to watch.
#[derive(Args, Debug)]
pub(super) struct Top {
    #[command(flatten)]
    service: Service,

    /// Token of the service, for the keys that are asked for most
    #[arg(long, env = "ASIDE_API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    api_token: Option<Secret>,
}

impl Top {
    /// Watches until it is told to end.
    pub(super) async fn run(&self) -> Result {
        let token = self.api_token.as_ref().map(Secret::reveal);
        let mut signals = Signals::receive()?;
        tokio::select! {
            ended = Watch { listen: self.service.listen, token }.run() => ended.map_err(Failed::Failure),
            _ = signals.next() => Ok(()),
        }
    }
}
