//! `aside jobs`: puts users on the warm-up queue, and works it.

mod consume;
mod produce;
mod progress;

use std::process::ExitCode;

use clap::Subcommand;

use self::{consume::Consume, produce::Produce};
use super::output::refuse;

/// What to do with the queue.
#[derive(Debug, Subcommand)]
pub(super) enum Jobs {
    /// Put users on the queue, to be loaded into the cache
    Produce(Produce),
    /// Load the users on the queue into the cache, until told to stop
    Consume(Box<Consume>),
}

impl Jobs {
    pub(super) fn run(&self) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return refuse(&format!("no threads can be started: {error}")),
        };
        let code = match self {
            Self::Produce(produce) => runtime.block_on(produce.run()),
            Self::Consume(consume) => runtime.block_on(consume.run()),
        };
        // A query that can't be interrupted must not hold up the end of the process.
        runtime.shutdown_background();
        code
    }
}
