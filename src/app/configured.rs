//! The resources of a file, put together with what is behind them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::StartError;
use crate::{
    cache::Policy,
    config::StackSettings,
    database::{Foreign, Inbox, Triggers},
    delivery::{Delivery, KeyOf, Relay},
    metrics::Metrics,
    resources::{
        AnySource, Definition,
        file::{At, Backend, Declared, DeclaredResource, Fault, QueryDeclared},
    },
    sources::{
        origin::Origin,
        query::{Query, noting},
    },
};

/// The file that is read where none is named, if it is there.
pub const FILE: &str = "aside.toml";

/// Most queries that may run at once in one database: each has a connection.
const QUERIES_MAX: usize = 256;

/// The name of our own database where others have theirs.
const OWN: &str = "--database";

/// All that a file declares, opened.
#[derive(Default)]
pub struct Configured {
    /// Its resources and their sources.
    pub resources: Vec<(Definition, AnySource)>,
    /// The databases with tables whose changes outdate entries, by name, and their triggers.
    pub triggers: BTreeMap<String, Triggers>,
    foreign: BTreeMap<String, Foreign>,
}

/// All that the file declares that `path` names, or `aside.toml`, if it is there.
///
/// # Errors
/// [`Fault`].
pub fn declared(path: Option<&Path>, policy: &Policy) -> Result<Declared, Fault> {
    let path = path.map_or_else(|| PathBuf::from(FILE), Path::to_path_buf);
    if path.as_os_str() == FILE && !path.exists() {
        return Ok(Declared::default());
    }
    Declared::read(&path, policy)
}

impl Configured {
    /// Opens the databases of what is `declared`, and prepares every query.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn open(declared: Declared, settings: &StackSettings) -> Result<Self, Fault> {
        let mut configured = Self::default();
        let loads = loads(&declared.resources)?;
        for (name, (loads_max, at)) in loads {
            let foreign = open(name, &declared, loads_max, at, settings).await?;
            configured.foreign.insert(name.to_owned(), foreign);
        }
        let mut notings: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for DeclaredResource { definition, backend, .. } in declared.resources {
            let source = match &backend {
                Backend::Origin(origin) => AnySource::new(Origin::open(origin, &definition)?),
                Backend::Query(query) => {
                    let name = database_of(query);
                    let foreign = &configured.foreign[name];
                    for changed_by in &query.changed_by {
                        let noting = noting(changed_by, &definition, foreign).await?;
                        notings.entry(name.to_owned()).or_default().push(noting);
                    }
                    AnySource::new(Query::prepare(query, &definition, foreign.clone()).await?)
                }
            };
            configured.resources.push((definition, source));
        }
        let triggers = notings.into_iter().map(|(name, notings)| {
            let foreign = configured.foreign[&name].clone();
            (name, Triggers::of(foreign, notings))
        });
        configured.triggers = triggers.collect();
        Ok(configured)
    }

    /// The notes of each database's triggers, on their way to `delivery`. Those that are there already are delivered first.
    pub async fn relays(&self, delivery: &Delivery, metrics: &Metrics) -> Vec<Relay> {
        let definitions: Vec<_> =
            self.resources.iter().map(|(definition, _)| definition.clone()).collect();
        let key_of: KeyOf = Arc::new(move |name, arguments| {
            let definition = definitions.iter().find(|it| *it.name == *name)?;
            let arguments = serde_json::from_str(arguments).ok()?;
            Some(definition.signature.of_json(&arguments)?.key(&definition.space))
        });
        let mut relays = Vec::new();
        for (name, triggers) in &self.triggers {
            let missing = triggers.missing().await.unwrap_or_default();
            for noting in missing {
                tracing::warn!(
                    resource = noting.resource,
                    table = noting.table,
                    "the table has no triggers for changed_by, and entries live until they lapse: run `aside triggers --install`"
                );
            }
            let inbox = Inbox::of(self.foreign[name].clone());
            let mut relay =
                Relay::new(name.clone(), inbox, key_of.clone(), delivery.clone(), metrics);
            relay.drain().await;
            relays.push(relay);
        }
        relays
    }
}

fn database_of(query: &QueryDeclared) -> &str {
    query.database.as_deref().unwrap_or(OWN)
}

/// The databases that queries need, how many may run at once in each, and a query of each.
fn loads(resources: &[DeclaredResource]) -> Result<BTreeMap<&str, (usize, &At)>, Fault> {
    let mut loads: BTreeMap<&str, (usize, &At)> = BTreeMap::new();
    for DeclaredResource { definition, backend, .. } in resources {
        let Backend::Query(query) = backend else { continue };
        let (loads_max, at) = loads.entry(database_of(query)).or_insert((0, &query.at));
        *loads_max += definition.policy.loads_max;
        *at = &query.at;
        if *loads_max > QUERIES_MAX {
            let name = database_of(query);
            let why = format_args!(
                "with this one, {loads_max} queries may run at once in {name}, and {QUERIES_MAX} is the most: give its resources max_loads"
            );
            return Err(query.at.fault(why));
        }
    }
    Ok(loads)
}

async fn open(
    name: &str,
    declared: &Declared,
    loads_max: usize,
    at: &At,
    settings: &StackSettings,
) -> Result<Foreign, Fault> {
    match declared.databases.get(name) {
        None => Foreign::open(&settings.database, loads_max).await.map_err(|error| at.fault(error)),
        Some((setting, at)) => {
            let url = setting.value(at)?;
            let opened = Foreign::open(url.reveal(), loads_max).await;
            opened.map_err(|error| at.fault(format_args!("[database.{name}]: {error}")))
        }
    }
}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        Self::Setting(fault.to_string())
    }
}
