//! `aside demo`: walk-throughs in the terminal, against a real memcached.

use std::{io::stdout, ops::RangeInclusive, time::Duration};

use clap::Subcommand;
use tokio::runtime::Builder;

use super::{
    command::{FAILURE, Failed, Result, block_on, connect, inspector},
    signals::Signals,
};
use crate::{
    config::{self, ServerSettings},
    demo::{self, Interrupt, Stop, Walk},
    memcached::{Address, State},
};

/// The TTLs of a walk-through, in seconds: an item of one second may be gone with the next tick of memcached's clock,
/// and nobody waits for longer than a minute.
const TTL_S: RangeInclusive<u32> = 2..=60;

/// Added to the number of the signal that ended a process, its exit status, as shells have it.
const SIGNALLED: u8 = 128;

/// The walk-throughs. Every key that it stores is its own, and is removed at the end.
#[derive(Debug, Subcommand)]
pub(super) enum DemoCommand {
    /// Set a value with a TTL, and count down until memcached has dropped it
    Ttl {
        /// Life of the value, in whole seconds from 2s to 1m
        #[arg(long, default_value = "5s", value_parser = ttl_s, value_name = "DURATION")]
        ttl: u32,
        #[command(flatten)]
        servers: ServerSettings,
    },
    /// Create, read, update, delete and expire a value
    Lifecycle {
        /// Life of the last value, in whole seconds from 2s to 1m
        #[arg(long, default_value = "5s", value_parser = ttl_s, value_name = "DURATION")]
        ttl: u32,
        #[command(flatten)]
        servers: ServerSettings,
    },
    /// Look a user up without the cache and with it, and compare the times
    ///
    /// The users are those that a new database is seeded with, in a temporary one that is removed at the end: no
    /// database of yours is opened, and no entry of a running service touched.
    Speedup {
        /// Which of the 10,000 users is looked up
        #[arg(long, default_value_t = 42, value_parser = clap::value_parser!(i64).range(1..=10_000), value_name = "ID")]
        user: i64,
        /// Time that the SQLite query takes
        #[arg(long, env = "ASIDE_SLOW_QUERY", default_value = "500ms", value_parser = config::pause, value_name = "DURATION")]
        slow_query: Duration,
        #[command(flatten)]
        servers: ServerSettings,
    },
    /// Log a made-up user in, read the session, and log out
    Sessions(ServerSettings),
    /// Set and get some keys, and compare the counters of each server before and after
    Stats(ServerSettings),
}

impl DemoCommand {
    pub(super) fn run(self) -> Result {
        block_on(Builder::new_current_thread(), self.walk())
    }

    /// Walks, if every server can be reached: a key may live on any of them.
    async fn walk(self) -> Result {
        let (servers, title) = match &self {
            Self::Ttl { servers, .. } => (servers, "A value that memcached drops by itself"),
            Self::Lifecycle { servers, .. } => (servers, "A value from its creation to its end"),
            Self::Speedup { servers, .. } => {
                (servers, "The same lookup without the cache and with it")
            }
            Self::Sessions(servers) => (servers, "A session from log-in to log-out"),
            Self::Stats(servers) => (servers, "What memcached counts"),
        };
        let inspector = inspector(servers)?;
        let memcached = connect(&inspector).await;
        if let Some((address, _)) = memcached.states().find(|(_, it)| *it != State::InService) {
            let start = start_of(address);
            let away = format!("memcached at {address} does not answer; start it: {start}");
            return Err(Failed::Failure(away));
        }
        let walk = &mut Walk::new(memcached, Box::new(stdout()), interrupt(Signals::receive()?));
        let servers: Vec<_> = inspector.servers().iter().map(Address::to_string).collect();
        walk.begin(format_args!("{title}; memcached at {}", servers.join(", ")))?;
        let walked = match self {
            Self::Ttl { ttl, .. } => demo::ttl(walk, ttl).await,
            Self::Lifecycle { ttl, .. } => demo::lifecycle(walk, ttl).await,
            Self::Speedup { user, slow_query, .. } => demo::speedup(walk, user, slow_query).await,
            Self::Sessions(_) => demo::sessions(walk).await,
            Self::Stats(_) => demo::statistics(walk, &inspector).await,
        };
        walk.tidied(walked).await?;
        if walk.end()? { Ok(()) } else { Err(Failed::Told(FAILURE)) }
    }
}

impl From<Stop> for Failed {
    fn from(why: Stop) -> Self {
        match why {
            Stop::Signalled(signal) => Self::Told(SIGNALLED.saturating_add(signal)),
            Stop::Unwritten(error) => error.into(),
            Stop::Failed(why) => Self::Failure(why),
        }
    }
}

/// Seconds that a walk-through can show.
fn ttl_s(text: &str) -> Result<u32, String> {
    let ttl = config::ttl(text).ok().and_then(|ttl| u32::try_from(ttl.as_secs()).ok());
    let ttl = ttl.filter(|ttl_s| TTL_S.contains(ttl_s));
    ttl.ok_or_else(|| "it takes whole seconds from 2s to 1m".to_owned())
}

/// The command that starts a memcached at `address`.
fn start_of(address: &Address) -> String {
    match address {
        Address::Tcp { host, port } => format!("memcached -l {host} -p {port}"),
        Address::Unix(path) => format!("memcached -s {path}"),
    }
}

/// Waits for the first of `signals`.
fn interrupt(mut signals: Signals) -> Interrupt {
    Box::pin(async move { u8::try_from(signals.next().await.as_raw_value()).unwrap_or(u8::MAX) })
}
