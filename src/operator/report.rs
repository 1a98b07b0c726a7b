//! Reports of a running service: whether it is ready, and what it and its servers count. Anybody may ask for them
//! without a token, so each look is shared by all who ask at the same time, and for a while after.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

use serde::Serialize;

use super::{Evidence, Ledger, Operator, ServerRow, parts::Figures};
use crate::{database::NotReady, memcached::State};

/// A service that is ready, and the state of its servers.
#[derive(Serialize)]
pub struct Ready {
    /// Always true; what is not ready is an error.
    ready: bool,
    /// The memcached servers.
    memcached: Vec<ServerReport>,
}

/// One memcached server, for `/readyz`.
#[derive(Clone, Debug, Serialize)]
pub struct ServerReport {
    /// Its address as the setting has it.
    pub server: String,
    /// `in service` or `out of service`.
    pub state: &'static str,
}

/// The figures by which the cache is worth its while or not.
#[derive(Serialize)]
pub struct Stats {
    /// The ledger of all resources together.
    service: Ledger,
    /// The ledger of each resource, by its name.
    sources: BTreeMap<String, Ledger>,
    /// A sentence for people: what to make of it.
    verdict: String,
    /// The figures of each memcached server.
    memcached: Vec<ServerRow>,
}

impl Operator {
    /// Tells whether requests should be sent here. memcached being away does not make the service unready.
    ///
    /// # Errors
    /// [`NotReady`].
    pub async fn ready(&self) -> Result<Ready, NotReady> {
        let (database, told) = (self.parts.database.clone(), self.told.clone());
        let look = self.ready.look(async move {
            let ready = database.ready().await;
            if told.swap(ready.is_ok(), Relaxed) != ready.is_ok() {
                match ready {
                    Ok(()) => tracing::info!("ready again"),
                    Err(why) => tracing::warn!(%why, "not ready"),
                }
            }
            ready
        });
        let look = look.await;
        look.unwrap_or(Err(NotReady::Failing))?;
        self.parts.delivery.in_force()?;
        let states = self.parts.servers.iter().flat_map(|(memcached, _)| memcached.states());
        let memcached = states.map(|(address, state)| ServerReport {
            server: address.to_string(),
            state: state.word(),
        });
        Ok(Ready { ready: true, memcached: memcached.collect() })
    }

    /// Counts, by the ledgers of this process and by its servers, and judges.
    pub async fn stats(&self) -> Stats {
        let memcached = self.rows().await;
        let resources = &self.parts.resources;
        let all: Vec<_> = resources.iter().map(|resource| &resource.metrics).collect();
        let service = Ledger::of(&all);
        let sources =
            resources.iter().map(|it| (it.definition.name.to_string(), Ledger::of(&[&it.metrics])));
        let sources = sources.collect();
        let verdict = Evidence::of_service(&service, &memcached).verdict();
        Stats { service, sources, verdict, memcached }
    }

    /// A row for each server, in the order of the setting.
    async fn rows(&self) -> Vec<ServerRow> {
        let Some((memcached, inspector)) = self.parts.servers.clone() else { return Vec::new() };
        let used = memcached.clone();
        let look = async move {
            // To ask one that is out of service would hold up every report until the deadline.
            let is_used = |address: &_| {
                used.states().any(|(one, state)| one == address && state != State::OutOfService)
            };
            Figures::from(inspector.statistics(is_used).await)
        };
        let figures = self.figures.look(look).await.unwrap_or_else(|| Figures::from([]));
        let rows = memcached.states().zip(figures.iter());
        rows.map(|((at, state), it)| ServerRow::new(at, Some(state.word()), it.clone())).collect()
    }
}
