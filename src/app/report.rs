//! The figures of all servers for `/stats`: looked at once a second, however many ask.

use std::{sync::Arc, time::Duration};

use super::shared::Shared;
use crate::{
    memcached::{InspectError, Inspector, Memcached, State},
    statistics::{ServerFigures, ServerRow},
};

/// How long figures are shared: a server is asked at most once in this time.
const SHARED_FOR: Duration = Duration::from_secs(1);

type Figures = Arc<[Result<ServerFigures, InspectError>]>;

/// Tells of all servers what they count and whether they are used. Clones share one look.
#[derive(Clone)]
pub(super) struct Report {
    memcached: Memcached,
    inspector: Inspector,
    last: Shared<Figures>,
}

impl Report {
    pub(super) fn new(memcached: Memcached, inspector: Inspector) -> Self {
        Self { memcached, inspector, last: Shared::new(SHARED_FOR) }
    }

    /// A row for each server, in the order of the setting.
    pub(super) async fn rows(&self) -> Vec<ServerRow> {
        let figures = self.figures().await;
        let rows =
            self.memcached.states().zip(figures.iter()).map(|((address, state), figures)| {
                let figures = figures.clone().map_err(|error| error.to_string());
                ServerRow::new(address.to_string(), Some(state.word()), figures)
            });
        rows.collect()
    }

    async fn figures(&self) -> Figures {
        let (memcached, inspector) = (self.memcached.clone(), self.inspector.clone());
        let look = async move {
            let used = |address: &_| {
                // To ask one that is out of service would hold up every report until the deadline.
                let mut states = memcached.states();
                states.any(|(one, state)| one == address && state != State::OutOfService)
            };
            Figures::from(inspector.statistics(used).await)
        };
        self.last.look(look).await.unwrap_or_else(|| Figures::from([]))
    }
}
