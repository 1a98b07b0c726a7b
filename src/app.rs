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
    cache::{Fallback, Memory, Origin, Policy, forget, stack},
    calculations,
    config::{Settings, Token},
    http::{self, Access, Context, ServerReport, edge},
    jobs::{self, Invalidations},
    memcached::{Address, Backlog, Memcached},
    metrics::{EdgeCounters, Metrics},
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
    connections: Arc<EdgeCounters>,
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
        let access = access(settings)?;
        let metrics = Metrics::default();
        let database =
            Database::open(&settings.database, settings.slow_query, settings.max_queries).await?;
        let (ledger, of_calculations) = (metrics.cache("users"), metrics.cache("calculations"));
        let users = Users::new(database.clone());
        let (users, calculations, forget, memcached) = if servers.is_empty() {
            tracing::info!("no memcached is set: entries are kept in this process only");
            let memory = Memory::new(MEMORY_BYTES_MAX, Duration::MAX, Origin::Memory);
            let users = stack(users, memory.clone(), &policy, &ledger);
            let calculations = calculations::stacked(memory.clone(), &of_calculations);
            (users, calculations, forget(memory), None)
        } else {
            let memory = Memory::new(FALLBACK_BYTES_MAX, FALLBACK_LIFE_MAX, Origin::Fallback);
            let backlog = backlog(database.clone(), memory.clone());
            let memcached =
                Memcached::start(&servers, settings.memcached_timeout, &metrics, backlog);
            memcached.known().await;
            let store = Fallback::new(memcached.clone(), memory);
            let users = stack(users, store.clone(), &policy, &ledger);
            let calculations = calculations::stacked(store.clone(), &of_calculations);
            (users, calculations, forget(store), Some(memcached))
        };
        let invalidations = Invalidations::start(database.clone(), forget);
        if let Err(error) = invalidations.deliver().await {
            tracing::warn!(%error, "what earlier writes left over can't be forgotten yet");
        }
        let draining = Arc::new(AtomicBool::new(false));
        let connections = metrics.edge();
        let context = Context {
            users,
            calculations,
            ledgers: vec![("users", ledger), ("calculations", of_calculations)],
            database,
            invalidations,
            access,
            metrics,
            servers: Box::new(move || memcached.as_ref().map_or_else(Vec::new, reports)),
            draining: draining.clone(),
        };
        Ok(Self { router: http::router(context), connections, draining })
    }

    /// Serves on `listener` until `handle` says to stop.
    ///
    /// # Errors
    /// Only if the listener can't be used at all; a failed connection is that connection's affair.
    pub async fn serve(self, listener: TcpListener, handle: Handle<SocketAddr>) -> io::Result<()> {
        let limits = edge::Limits::default();
        edge::serve(listener, self.router, limits, self.connections, handle).await
    }

    /// Set it, and the service is not ready any more.
    pub fn draining(&self) -> impl Fn() + use<> {
        let draining = self.draining.clone();
        move || draining.store(true, Ordering::Relaxed)
    }
}

/// What a memcached server must forget before it is used again. Entries that stood in for its own are
/// dropped with that.
fn backlog(database: Database, memory: Memory) -> Backlog {
    Arc::new(move || {
        let (database, memory) = (database.clone(), memory.clone());
        Box::pin(async move {
            let intents = jobs::pending(&database).await.map_err(|error| error.to_string())?;
            memory.clear();
            Ok(intents.into_iter().map(|intent| intent.key).collect())
        })
    })
}

fn access(settings: &Settings) -> Result<Access, StartError> {
    let token = settings.api_token.as_ref();
    if token.is_some_and(|token| !token.is_sound()) {
        let takes = "it takes letters, digits and -._~+/=";
        return Err(StartError::Setting(format!(
            "invalid value for '--api-token <TOKEN>': {takes}"
        )));
    }
    let access = Access::new(token.map(Token::reveal), settings.listen);
    if matches!(access, Access::Closed) {
        tracing::warn!(
            listen = %settings.listen,
            "no API token is set and other machines can reach this: writes are closed"
        );
    }
    Ok(access)
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
