//! The cache and what is behind it: opened by the service, and by whoever works for it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{Configured, StartError, declared};
use crate::{
    cache::{Fallback, Form, InFlight, Memory, Origin, Policy, Servers, forget, stack_counted},
    config::StackSettings,
    cores::Cores,
    database::Database,
    delivery::{Delivery, Log, Relay},
    memcached::{Address, Inspector, Memcached},
    metrics::Metrics,
    resources::{AnySource, Definition, Numbered, Resource, Resources},
    sources::calculation::{self, Calculations},
    users::{self, UserSource},
};

/// The word of `--memcached` for no server at all.
const NONE: &str = "none";

/// Bytes of entries kept in this process when there is no memcached at all.
const MEMORY_BYTES_MAX: u64 = 64 << 20;

/// Bytes of entries kept in this process while memcached is away.
const FALLBACK_BYTES_MAX: u64 = 16 << 20;

/// Greatest age of an entry that is kept in this process while memcached is away. Writes through other replicas are
/// heard of sooner, but only while the database can be read.
const FALLBACK_LIFE_MAX: Duration = Duration::from_secs(5);

/// The resources that are served without a file that says so: a source is added by a line here, and one in `sources`.
pub fn definitions(policy: Policy) -> Vec<Definition> {
    vec![users::definition(policy), calculation::definition()]
}

/// The sources of those, in their order.
fn sources(database: &Database) -> [AnySource; 2] {
    let users = UserSource::new(database.clone());
    [AnySource::new(Numbered(users)), AnySource::new(Numbered(Calculations))]
}

/// Every resource with its stack, the database, and the servers of the cache.
pub struct Stacks {
    /// The resources, each with its stack.
    pub resources: Resources,
    /// The database.
    pub database: Database,
    /// Makes the cache forget what a write has changed.
    pub delivery: Delivery,
    /// The servers, and what looks at them; `None` if the setting says so.
    pub servers: Option<(Memcached, Inspector)>,
    /// This process's own memory: the store, or what stands in for it.
    pub memory: Memory,
    /// The loads of all stacks that are under way.
    pub in_flight: InFlight,
    /// The notes of others' triggers, to be relayed for as long as this process serves.
    pub relays: Vec<Relay>,
}

impl Stacks {
    /// Opens the database, connects to memcached and stacks the layers. What earlier writes left over is
    /// forgotten first.
    ///
    /// # Errors
    /// [`StartError`]; its text is one line that names the setting or the path.
    pub async fn open(
        settings: &StackSettings,
        metrics: &Metrics,
        cores: &Cores,
    ) -> Result<Self, StartError> {
        let policy = policy(settings)?;
        let declared = declared(settings.resources.as_deref(), &policy)?;
        warn_of_slow_queries(settings);
        let mut servers = servers(&settings.servers.memcached)?;
        let database =
            Database::open(&settings.database, settings.slow_query, settings.max_queries).await?;
        let configured = Configured::open(declared, settings).await?;
        for (definition, _) in &configured.resources {
            let path = definition.signature.path();
            tracing::info!(resource = &*definition.name, path, "serves a resource of the file");
        }
        let own = definitions(policy).into_iter().zip(sources(&database));
        let all: Vec<_> = own.chain(configured.resources.iter().cloned()).collect();
        let names: Vec<_> = servers.iter().map(Address::to_string).collect();
        let serving = database.serve(&names, settings.adopt_servers).await;
        let serving = serving.map_err(|error| StartError::Setting(error.to_string()))?;
        // In the order of their places.
        let place =
            |server: &Address| serving.servers.iter().position(|it| *it == server.to_string());
        servers.sort_by_key(place);
        let memory = if servers.is_empty() {
            tracing::info!("no memcached is set: entries are kept in this process only");
            Memory::new(MEMORY_BYTES_MAX, Duration::MAX, Origin::Memory)
        } else {
            Memory::new(FALLBACK_BYTES_MAX, FALLBACK_LIFE_MAX, Origin::Fallback)
        };
        let definitions: Vec<_> = all.iter().map(|(definition, _)| definition.clone()).collect();
        let is_key = Box::new(move |text: &str| definitions.iter().any(|it| it.has_key(text)));
        let log = Log::open(database.clone(), serving, memory.clone(), is_key).await;
        let (log, notes) = log.map_err(|error| StartError::Log(error.to_string()))?;
        let log = Arc::new(log);
        let in_flight = InFlight::default();
        let timeout = settings.servers.memcached_timeout;
        let memcached = (!servers.is_empty())
            .then(|| Memcached::start(cores, &servers, timeout, metrics, Some(log.clone())));
        if let Some(memcached) = &memcached {
            memcached.known().await;
        }
        let store = Fallback::new(memcached.clone(), memory.clone());
        let resources = served(all, &store, metrics, &in_flight);
        let told = memcached.clone().map(|memcached| Arc::new(memcached) as Arc<dyn Servers>);
        let delivery = Delivery::start(log, notes, forget(store), told);
        let servers = memcached.map(|memcached| (memcached, Inspector::new(&servers, timeout)));
        let relays = configured.relays(&delivery, metrics).await;
        Ok(Self { resources, database, delivery, servers, memory, in_flight, relays })
    }
}

/// Puts a stack in front of each source.
fn served(
    declared: Vec<(Definition, AnySource)>,
    store: &Fallback<Memcached>,
    metrics: &Metrics,
    in_flight: &InFlight,
) -> Resources {
    let serve = |(definition, source): (Definition, AnySource)| {
        let metrics = metrics.cache(&definition.name);
        let cache =
            stack_counted(source.clone(), store.clone(), &definition.policy, &metrics, in_flight);
        Resource { definition, source, cache, metrics }
    };
    declared.into_iter().map(serve).collect()
}

/// The policy of what has none of its own.
///
/// # Errors
/// [`StartError::Setting`]: some of the settings do not go together.
pub fn policy(settings: &StackSettings) -> Result<Policy, StartError> {
    let policy = Policy {
        form: Form::Object,
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
        let value = setting.join(",").escape_debug().to_string();
        StartError::refused(&value, "--memcached <SERVERS>", format!("{why}; {takes}"))
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

/// A mistake in either, or a demonstration: it is said once, where it can be seen before the first request is.
fn warn_of_slow_queries(settings: &StackSettings) {
    let (slow_query, query_timeout) = (settings.slow_query, settings.query_timeout);
    if slow_query >= query_timeout {
        tracing::warn!(
            ?slow_query,
            ?query_timeout,
            "every query is made slower than a load may take: what is not cached will be 504"
        );
    }
}
