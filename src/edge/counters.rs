//! Counts a connection for as long as it is open.

use std::sync::Arc;

use super::addresses::OfAddress;
use crate::metrics::EdgeCounters;

/// Counts a connection as open until the returned value is dropped, or as refused if `connections_max` are open or
/// its own address has too many; `of_address` tells.
pub(super) fn admit(
    counters: &Arc<EdgeCounters>,
    connections_max: u64,
    of_address: impl FnOnce() -> Result<Option<OfAddress>, TooMany>,
) -> Option<OpenConnection> {
    let mut open = OpenConnection { counters: Arc::clone(counters), _of_address: None };
    // Adding first and looking after makes the limit exact: of two that arrive at once, one sees the other.
    if counters.add() < connections_max
        && let Ok(of_address) = of_address()
    {
        open._of_address = of_address;
        return Some(open);
    }
    counters.refuse();
    None
}

/// An address has as many connections as it may have.
#[derive(Debug)]
pub(super) struct TooMany;

/// One connection that is counted as open.
#[derive(Debug)]
pub(super) struct OpenConnection {
    counters: Arc<EdgeCounters>,
    _of_address: Option<OfAddress>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.counters.subtract();
    }
}
