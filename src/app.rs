//! The composition root: makes everything, in order, and serves until told to stop.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use axum_server::Handle;

use crate::{
    cache::{Cache, Fallback, Memory, Origin, Policy, stack},
    config::Settings,
    http::{self, Context, ServerReport, edge},
    memcached::{Address, Memcached},
    metrics::{CacheMetrics, Metrics},
    users::{Database, Users},
};

/// Bytes of entries kept in this process when there is no memcached at all.
const MEMORY_BYTES_MAX: u64 = 64 << 20;

/// Bytes of entries kept in this process while memcached is away.
const FALLBACK_BYTES_MAX: u64 = 16 << 20;

/// How long an entry may be kept in this process while memcached is away: a write through another
/// replica is not heard of here until then.
const FALLBACK_LIFE_MAX: Duration = Duration::from_secs(5);

/// The service, ready to be served.
pub struct App {
    router: Router,
    draining: Arc<AtomicBool>,
}

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting that is no use, or two that do not go together.
    #[error("{0}")]
    Setting(String),
    /// The database can't be opened.
    #[error(transparent)]
    Database(#[from] crate::users::OpenError),
}

impl App {
    /// Opens the database, connects to memcached and stacks the layers.
    ///
    /// # Errors
    /// [`StartError`]; its text is one line that names the setting or the path.
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        let policy = policy(settings)?;
        let servers = servers(&settings.memcached)?;
        let metrics = Metrics::default();
        let database =
            Database::open(&settings.database, settings.slow_query, settings.max_queries).await?;
        let ledger = metrics.cache("users");
        let users = Users::new(database.clone());
        let (users, states) = if servers.is_empty() {
            tracing::info!("no memcached is set: entries are kept in this process only");
            let memory = Memory::new(MEMORY_BYTES_MAX, Duration::MAX, Origin::Memory);
            (stack(users, memory, &policy, &ledger), None)
        } else {
            let memcached = Memcached::start(&servers, settings.memcached_timeout, &metrics);
            memcached.known().await;
            (with_fallback(users, memcached.clone(), &policy, &ledger), Some(memcached))
        };
        let draining = Arc::new(AtomicBool::new(false));
        let context = Context {
            users,
            users_ledger: ledger,
            database,
            metrics,
            servers: Box::new(move || states.as_ref().map_or_else(Vec::new, reports)),
            draining: draining.clone(),
        };
        Ok(Self { router: http::router(context), draining })
    }

    /// Serves on `listener` until `handle` says to stop.
    ///
    /// # Errors
    /// Only if the listener can't be used at all; a failed connection is that connection's affair.
    pub async fn serve(self, listener: TcpListener, handle: Handle<SocketAddr>) -> io::Result<()> {
        edge::serve(listener, self.router, edge::Limits::default(), Arc::default(), handle).await
    }

    /// Set it, and the service is not ready any more.
    pub fn draining(&self) -> impl Fn() + use<> {
        let draining = self.draining.clone();
        move || draining.store(true, Ordering::Relaxed)
    }
}

fn with_fallback(
    users: Users,
    memcached: Memcached,
    policy: &Policy,
    ledger: &CacheMetrics,
) -> Cache<i64> {
    let memory = Memory::new(FALLBACK_BYTES_MAX, FALLBACK_LIFE_MAX, Origin::Fallback);
    stack(users, Fallback::new(memcached, memory), policy, ledger)
}

fn reports(memcached: &Memcached) -> Vec<ServerReport> {
    memcached
        .states()
        .map(|(address, state)| ServerReport { server: address.to_string(), state: state.word() })
        .collect()
}

fn policy(settings: &Settings) -> Result<Policy, StartError> {
    let policy = Policy {
        ttl: settings.ttl,
        stale_while_revalidate: settings.stale_while_revalidate,
        stale_if_error: settings.stale_if_error,
        negative_ttl: settings.negative_ttl,
        load_timeout: settings.query_timeout,
        loads_max: settings.max_queries,
        waiting_max: settings.max_waiting,
    };
    let refused = |why| StartError::Setting(format!("these settings do not go together: {why}"));
    policy.check().map_err(refused)?;
    Ok(policy)
}

/// The servers of `--memcached`; none of them if it says `none`.
fn servers(setting: &[String]) -> Result<Vec<Address>, StartError> {
    if setting == ["none"] {
        return Ok(Vec::new());
    }
    let refused = |why| {
        let takes = "it takes host:port or unix:///path, separated by commas, or `none`";
        StartError::Setting(format!(
            "invalid value '{}' for '--memcached <SERVERS>': {why}; {takes}",
            setting.join(",").escape_debug()
        ))
    };
    let servers = setting.iter().map(|text| text.parse::<Address>());
    let servers =
        servers.collect::<Result<Vec<_>, _>>().map_err(|error| refused(error.to_string()))?;
    if servers.is_empty() {
        return Err(refused("no server is named".to_owned()));
    }
    Ok(servers)
}
