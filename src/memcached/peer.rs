//! One server as its connections and its callers share it, and its way back into service.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc::WeakSender;

use super::{
    Address,
    breaker::Breaker,
    inspect::{QUESTION_TIMEOUTS, Questions},
    operation::{Changing, Queued},
    routing::Routing,
    wire::{Changes, WireError},
};
use crate::{
    cache::{Backlog, Key, Missed, Page},
    metrics::ServerMetrics,
};

/// One server, as its connections and its callers share it.
pub(crate) struct Peer {
    pub(crate) address: Address,
    pub(crate) place: u16,
    pub(crate) operation_timeout: Duration,
    pub(crate) routing: Arc<Routing>,
    /// The log of what it misses; `None` if nothing is written that it could miss.
    pub(crate) backlog: Option<Arc<dyn Backlog>>,
    pub(crate) breaker: Breaker,
    pub(crate) metrics: ServerMetrics,
    /// The queue of the connection that gives back what was won.
    pub(crate) releases: WeakSender<Queued<Changing>>,
}

impl Peer {
    /// Questions to the server, over connections that are made for them.
    pub(crate) fn questions(&self) -> Questions<'_> {
        Questions { address: &self.address, limit: self.operation_timeout * QUESTION_TIMEOUTS }
    }

    /// True if an entry of the cache may have the key `text`.
    pub(crate) fn has_key(&self, text: &str) -> bool {
        self.backlog.as_ref().is_some_and(|backlog| backlog.has_key(text))
    }

    /// Lets the server forget all that was written while it was away. What is written meanwhile says `pending`, and
    /// is delivered as any other change that is.
    pub(super) async fn catch_up(&self, server: &mut Changes) -> Result<(), WireError> {
        let Some(backlog) = &self.backlog else { return Ok(()) };
        let (mut after, mut is_more) = (None, true);
        while is_more {
            let missed = backlog.missed(self.place, after).await;
            match missed.map_err(WireError::Backlog)? {
                Missed::TooMuch { up_to } => {
                    let emptied = self.questions().empty_or_flush(&|text| self.has_key(text)).await;
                    emptied.map_err(WireError::Backlog)?;
                    backlog.emptied(self.place, up_to);
                    after = Some(up_to);
                }
                Missed::Changes(Page { changes, up_to, is_full }) => {
                    is_more = is_full;
                    let positions = changes.iter().map(|change| change.position).collect();
                    let keys = changes.into_iter().map(|change| change.key);
                    let may_hold = |key: &Key| self.routing.places(key).has(self.place);
                    let mut held: Vec<_> = keys.filter(may_hold).collect();
                    held.sort_unstable();
                    held.dedup();
                    server.forget(&held).await?;
                    backlog.forgotten(self.place, positions, up_to);
                    after = Some(up_to);
                }
            }
        }
        backlog.caught_up(self.place);
        Ok(())
    }
}
