//! The cache and what is behind it: opened by the service, and by whoever works for it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::StartError;
use crate::{
    cache::{Cache, Fallback, Forget, InFlight, Memory, Origin, Policy, forget, stack_counted},
    calculations,
    config::StackSettings,
    jobs::{self, InService, Invalidations},
    memcached::{Address, Backlog, Memcached},
    metrics::{CacheMetrics, Metrics},
    users::{Database, Users},
};

/// What `--memcached` says where there is no server.
const NONE: &str = "none";

/// Bytes of entries kept in this process when there is no memcached at all.
const MEMORY_BYTES_MAX: u64 = 64 << 20;

/// Bytes of entries kept in this process while memcached is away.
const FALLBACK_BYTES_MAX: u64 = 16 << 20;

/// How long an entry may be kept in this process while memcached is away: a write through another
/// replica is not heard of here until then.
const FALLBACK_LIFE_MAX: Duration = Duration::from_secs(5);

/// Every source with its stack, the database, and the servers of the cache.
pub struct Stacks {
    /// The stack in front of the users.
    pub users: Cache<i64>,
    /// The stack in front of the slow calculation.
    pub calculations: Cache<i64>,
    /// What each stack counts, by the name of its source.
    pub ledgers: Vec<(&'static str, CacheMetrics)>,
    /// Where the users are.
    pub database: Database,
    /// Makes the cache forget what a write has changed.
    pub invalidations: Invalidations,
    /// The servers; `None` if the setting says so.
    pub memcached: Option<Memcached>,
    /// This process's own memory: the store, or what stands in for it.
    pub memory: Memory,
    /// Makes the store forget a key.
    pub forget: Forget,
    /// The loads of all stacks that are under way.
    pub in_flight: InFlight,
}

impl Stacks {
    /// Opens the database, connects to memcached and stacks the layers. What earlier writes left over is
    /// forgotten first.
    ///
    /// # Errors
    /// [`StartError`]; its text is one line that names the setting or the path.
    pub async fn open(settings: &StackSettings, metrics: &Metrics) -> Result<Self, StartError> {
        let policy = policy(settings)?;
        let servers = servers(&settings.servers.memcached)?;
        let database =
            Database::open(&settings.database, settings.slow_query, settings.max_queries).await?;
        let (ledger, of_calculations) = (metrics.cache("users"), metrics.cache("calculations"));
        let (users, in_flight) = (Users::new(database.clone()), InFlight::default());
        let (users, calculations, forget, memory, memcached) = if servers.is_empty() {
            tracing::info!("no memcached is set: entries are kept in this process only");
            let memory = Memory::new(MEMORY_BYTES_MAX, Duration::MAX, Origin::Memory);
            let users = stack_counted(users, memory.clone(), &policy, &ledger, &in_flight);
            let calculations = calculations::stacked(memory.clone(), &of_calculations, &in_flight);
            (users, calculations, forget(memory.clone()), memory, None)
        } else {
            let memory = Memory::new(FALLBACK_BYTES_MAX, FALLBACK_LIFE_MAX, Origin::Fallback);
            let backlog = backlog(database.clone(), memory.clone());
            let memcached =
                Memcached::start(&servers, settings.servers.memcached_timeout, metrics, backlog);
            memcached.known().await;
            let store = Fallback::new(memcached.clone(), memory.clone());
            let users = stack_counted(users, store.clone(), &policy, &ledger, &in_flight);
            let calculations = calculations::stacked(store.clone(), &of_calculations, &in_flight);
            (users, calculations, forget(store), memory, Some(memcached))
        };
        let in_service = in_service(memcached.clone());
        let invalidations = Invalidations::start(database.clone(), forget.clone(), in_service);
        if let Err(error) = invalidations.deliver().await {
            tracing::warn!(%error, "what earlier writes left over can't be forgotten yet");
        }
        let ledgers = vec![("users", ledger), ("calculations", of_calculations)];
        Ok(Self {
            users,
            calculations,
            ledgers,
            database,
            invalidations,
            memcached,
            memory,
            forget,
            in_flight,
        })
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

/// Whether a key can be forgotten in every place that it may be in: in this process's own memory always.
fn in_service(memcached: Option<Memcached>) -> InService {
    Arc::new(move |key| memcached.as_ref().is_none_or(|servers| servers.is_in_service(key)))
}

pub(super) fn policy(settings: &StackSettings) -> Result<Policy, StartError> {
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
///
/// # Errors
/// [`StartError::Setting`], which repeats the setting and says what it takes.
pub fn servers(setting: &[String]) -> Result<Vec<Address>, StartError> {
    if setting == [NONE] {
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
    // It would be a server of this name, which nobody means.
    if setting.iter().any(|text| text == NONE) {
        return Err(refused("`none` stands alone".to_owned()));
    }
    // Two connections to one server, taken for two: its keys would have no second choice.
    let mut seen = HashSet::new();
    match servers.iter().find(|server| !seen.insert(*server)) {
        Some(twice) => Err(refused(format!("{twice} is named twice"))),
        None => Ok(servers),
    }
}
