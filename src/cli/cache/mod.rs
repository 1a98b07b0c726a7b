//! `aside cache`: a small client of the memcached servers.

mod explain;
mod items;
mod stats;
mod value;

use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::runtime::Builder;

use super::{
    command::{Result, block_on},
    service::Service,
};
use crate::{
    cache::{Key, Policy},
    config::{self, ServerSettings},
};

/// A command about the servers.
#[derive(Debug, Subcommand)]
pub(super) enum CacheCommand {
    /// Store a value
    Set {
        /// 1 to 250 printable ASCII characters without spaces
        #[arg(value_parser = Key::new)]
        key: Key,
        /// 1 to 1,000,000 bytes; `-` reads them from standard input, as they are
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// Time for which it is kept, in whole seconds
        #[arg(long, default_value = "60s", value_parser = config::ttl, value_name = "DURATION")]
        ttl: Duration,
        #[command(flatten)]
        servers: ServerSettings,
    },
    /// Print a value; exit status 1 if there is none
    Get(OneKey),
    /// Delete a value
    Delete(OneKey),
    /// Show what each server counts, the ledger of a running service, and what to make of it
    Stats {
        #[command(flatten)]
        servers: ServerSettings,
        #[command(flatten)]
        service: Service,
    },
    /// Say where a key lives and why, and what is there, without touching it
    Explain {
        #[command(flatten)]
        key: OneKey,
        /// As the service has it, in whole seconds: with --stale-if-error it says when an entry grows stale
        #[arg(long, env = "ASIDE_STALE_WHILE_REVALIDATE", default_value = "10s", value_parser = config::life, value_name = "DURATION")]
        stale_while_revalidate: Duration,
        /// As the service has it, in whole seconds
        #[arg(long, env = "ASIDE_STALE_IF_ERROR", default_value = "5m", value_parser = config::life, value_name = "DURATION")]
        stale_if_error: Duration,
    },
}

/// A key, and where to look for it.
#[derive(Args, Debug)]
pub(super) struct OneKey {
    /// 1 to 250 printable ASCII characters without spaces
    #[arg(value_parser = Key::new)]
    key: Key,
    #[command(flatten)]
    servers: ServerSettings,
}

impl CacheCommand {
    pub(super) fn run(self) -> Result {
        block_on(Builder::new_current_thread(), async {
            match self {
                Self::Set { key, value, ttl, servers } => {
                    items::set(&servers, &key, value::given(value)?, ttl).await
                }
                Self::Get(OneKey { key, servers }) => items::get(&servers, &key).await,
                Self::Delete(OneKey { key, servers }) => items::delete(&servers, &key).await,
                Self::Stats { servers, service } => stats::print(&servers, &service).await,
                Self::Explain { key, stale_while_revalidate, stale_if_error } => {
                    let OneKey { key, servers } = key;
                    let policy =
                        Policy { stale_while_revalidate, stale_if_error, ..Policy::default() };
                    explain::print(&servers, &key, policy).await
                }
            }
        })
    }
}
