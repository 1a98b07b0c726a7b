//! Counts a connection for as long as it is open.

use std::sync::Arc;

use crate::metrics::EdgeCounters;

/// Counts a connection as open until the returned value is dropped, or as refused if `connections_max` are
/// open.
pub(super) fn admit(counters: &Arc<EdgeCounters>, connections_max: u64) -> Option<OpenConnection> {
    let open = OpenConnection { counters: Arc::clone(counters) };
    // Adding first and looking after makes the limit exact: of two that arrive at once, one sees the other.
    if counters.add() < connections_max {
        return Some(open);
    }
    counters.refuse();
    None
}

/// One connection that is counted as open.
#[derive(Debug)]
pub(super) struct OpenConnection {
    counters: Arc<EdgeCounters>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.counters.subtract();
    }
}
