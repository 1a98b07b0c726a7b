//! The figures of all servers for `/stats`: looked at once a second, however many ask.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use crate::{
    memcached::{InspectError, Inspector, Memcached, State},
    statistics::{ServerFigures, ServerRow},
};

/// How long figures are shared. Anybody may ask for them without a token: however often that happens, a server
/// is asked at most once in this time, and never by two at once.
const SHARED_FOR: Duration = Duration::from_secs(1);

type Figures = Arc<[Result<ServerFigures, InspectError>]>;

/// Tells of all servers what they count and whether they are used. Clones share one look.
#[derive(Clone)]
pub(super) struct Report {
    memcached: Memcached,
    inspector: Inspector,
    last: Arc<Mutex<Option<(Instant, Figures)>>>,
}

impl Report {
    pub(super) fn new(memcached: Memcached, inspector: Inspector) -> Self {
        Self { memcached, inspector, last: Arc::default() }
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
        let mut last = self.last.clone().lock_owned().await;
        if let Some((at, figures)) = &*last
            && at.elapsed() < SHARED_FOR
        {
            return figures.clone();
        }
        let (memcached, inspector) = (self.memcached.clone(), self.inspector.clone());
        // A task of its own, which ends with the look: callers who leave must not make it begin again.
        let look = tokio::spawn(async move {
            let used = |address: &_| {
                // To ask one that is out of service would hold up every report until the deadline.
                let mut states = memcached.states();
                states.any(|(one, state)| one == address && state != State::OutOfService)
            };
            let figures = Figures::from(inspector.statistics(used).await);
            *last = Some((Instant::now(), figures.clone()));
            figures
        });
        look.await.unwrap_or_else(|_| Figures::from([]))
    }
}
