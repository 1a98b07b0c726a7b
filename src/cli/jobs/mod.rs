//! `aside jobs`: puts users on the warm-up queue, and works it.

mod consume;
mod produce;
mod progress;

use clap::Subcommand;
use tokio::runtime::Builder;

use self::{consume::Consume, produce::Produce};
use super::command::{Result, block_on};

/// A command about the queue.
#[derive(Debug, Subcommand)]
pub(super) enum Jobs {
    /// Put users on the queue, to be loaded into the cache
    Produce(Produce),
    /// Load the users on the queue into the cache, until told to stop
    Consume(Box<Consume>),
}

impl Jobs {
    pub(super) fn run(&self) -> Result {
        block_on(Builder::new_multi_thread(), async {
            match self {
                Self::Produce(produce) => produce.run().await,
                Self::Consume(consume) => consume.run().await,
            }
        })
    }
}
