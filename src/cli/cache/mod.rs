//! `aside cache`: a small client of the memcached servers.

mod explain;
mod items;
mod stats;
mod value;

use std::{future::Future, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, Subcommand};

use super::{
    output::{Unwritten, complain},
    refuse,
    service::Service,
};
use crate::{
    app,
    cache::{Key, NoBacklog},
    config::{self, ServerSettings},
    memcached::{Inspector, Memcached},
    metrics::Metrics,
};

/// What is done with the cache.
#[derive(Debug, Subcommand)]
pub(super) enum CacheCommand {
    /// Store a value
    Set {
        /// 1 to 250 printable ASCII characters without spaces
        key: String,
        /// 1 to 1,000,000 bytes; `-` reads them from standard input, as they are
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// How long it is kept, in whole seconds
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
    key: String,
    #[command(flatten)]
    servers: ServerSettings,
}

/// Why a command came to nothing, in one line.
pub(super) enum Failed {
    /// What was asked for makes no sense: exit status 2.
    Refused(String),
    /// It could not be done, or there is nothing: exit status 1.
    Failure(String),
}

impl CacheCommand {
    pub(super) fn run(self) -> ExitCode {
        let done = match self {
            Self::Set { key, value, ttl, servers } => checked(&key).and_then(|key| {
                let value = value::given(value)?;
                block_on(items::set(&servers, &key, value, ttl))
            }),
            Self::Get(OneKey { key, servers }) => {
                checked(&key).and_then(|key| block_on(items::get(&servers, &key)))
            }
            Self::Delete(OneKey { key, servers }) => {
                checked(&key).and_then(|key| block_on(items::delete(&servers, &key)))
            }
            Self::Stats { servers, service } => block_on(stats::print(&servers, &service)),
            Self::Explain {
                key: OneKey { key, servers },
                stale_while_revalidate,
                stale_if_error,
            } => {
                let kept_stale = stale_while_revalidate.max(stale_if_error);
                checked(&key).and_then(|key| block_on(explain::print(&servers, &key, kept_stale)))
            }
        };
        done.map_or_else(Failed::told, |()| ExitCode::SUCCESS)
    }
}

impl From<Unwritten> for Failed {
    fn from(why: Unwritten) -> Self {
        Self::Failure(why.to_string())
    }
}

impl Failed {
    /// Says why.
    pub(super) fn told(self) -> ExitCode {
        match self {
            Self::Refused(why) => refuse(&why),
            Self::Failure(why) => {
                complain(&why);
                ExitCode::FAILURE
            }
        }
    }
}

/// The key that `text` is. A complaint repeats nothing of it that a terminal would obey.
fn checked(text: &str) -> Result<Key, Failed> {
    Key::new(text).map_err(|why| {
        let text: String = text.escape_default().take(100).collect();
        Failed::Refused(format!("invalid value '{text}' for '<KEY>': {why}"))
    })
}

/// Looks at the servers of `settings`, which must name some.
pub(super) fn inspector(settings: &ServerSettings) -> Result<Inspector, Failed> {
    match app::inspector(settings) {
        Ok(Some(inspector)) => Ok(inspector),
        Ok(None) => Err(Failed::Refused(
            "invalid value 'none' for '--memcached <SERVERS>': a client needs a server".to_owned(),
        )),
        Err(error) => Err(Failed::Refused(error.to_string())),
    }
}

/// Connects to the servers, and waits until it is known of each whether it can be reached.
pub(super) async fn connect(inspector: &Inspector) -> Memcached {
    // A command has the time of a question: its connection is made while it waits.
    let memcached = Memcached::start(
        inspector.servers(),
        inspector.question_timeout(),
        &Metrics::default(),
        // Nothing is written here that a server could have missed.
        Arc::new(NoBacklog),
    );
    memcached.known().await;
    memcached
}

pub(super) fn block_on<T>(command: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failed::Failure(format!("no runtime can be started: {error}")))?;
    runtime.block_on(command)
}
