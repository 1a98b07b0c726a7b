//! The connections, counted.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

/// The HTTP connections, counted. Clones share the numbers, which may be read at any time, from any thread.
#[derive(Clone, Debug, Default)]
pub struct EdgeCounters {
    /// Connections that are open now.
    pub open: Gauge<u64, AtomicU64>,
    /// Connections that were answered 503 since the start, because too many were open.
    pub refused: Counter,
}
