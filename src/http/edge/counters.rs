//! What the edge counts, for the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The connections of one edge, counted. The numbers may be read at any time, from any thread.
#[derive(Debug, Default)]
pub struct EdgeCounters {
    open: AtomicU64,
    refused: AtomicU64,
}

impl EdgeCounters {
    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Connections that were answered 503 since the start, because too many were open.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Counts a connection as open until the returned value is dropped, or as refused if `connections_max` are open.
    pub(super) fn admit(self: &Arc<Self>, connections_max: u64) -> Option<OpenConnection> {
        let open = OpenConnection { counters: Arc::clone(self) };
        // Adding first and looking after makes the limit exact: of two that arrive at once, one sees the other.
        if self.open.fetch_add(1, Relaxed) < connections_max {
            return Some(open);
        }
        self.refused.fetch_add(1, Relaxed);
        None
    }
}

/// One connection that is counted as open.
#[derive(Debug)]
pub(super) struct OpenConnection {
    counters: Arc<EdgeCounters>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.counters.open.fetch_sub(1, Relaxed);
    }
}
