//! The instruments that each part of the service counts with.

use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};

use super::{FillResult, JobResult, LoadResult, Outcome};

/// The instruments of the stack in front of one source.
#[derive(Clone, Debug)]
pub struct CacheMetrics {
    pub(super) gets: Box<[Counter]>,
    pub(super) loads: Box<[Counter]>,
    pub(super) fills: Box<[Counter]>,
    /// Loads that occupy the source now, those among them that nobody waits for any more.
    pub loads_running: Gauge,
    /// Seconds from the request to the answer of a hit.
    pub hit_seconds: Histogram,
    /// Seconds of a load, its wait for a permit included.
    pub load_seconds: Histogram,
}

impl CacheMetrics {
    /// Enters one get into the ledger.
    pub fn get(&self, outcome: Outcome) {
        self.gets[outcome as usize].inc();
    }

    /// Counts one load.
    pub fn load(&self, result: LoadResult) {
        self.loads[result as usize].inc();
    }

    /// Counts one fill.
    pub fn fill(&self, result: FillResult) {
        self.fills[result as usize].inc();
    }

    /// The number of gets with this outcome.
    pub fn gets(&self, outcome: Outcome) -> u64 {
        self.gets[outcome as usize].get()
    }

    /// The number of loads that ended so.
    pub fn loads(&self, result: LoadResult) -> u64 {
        self.loads[result as usize].get()
    }

    /// The number of fills that ended so.
    pub fn fills(&self, result: FillResult) -> u64 {
        self.fills[result as usize].get()
    }
}

/// The instruments of one memcached server.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    /// Operations that shared one round trip.
    pub batch_size: Histogram,
    /// Round trips and connection attempts that failed.
    pub failures: Counter,
    /// Replies that nobody had asked for.
    pub crosstalk: Counter,
    /// 1 while the server is used.
    pub in_service: Gauge,
}

/// The attempts at jobs, counted.
#[derive(Clone, Debug)]
pub struct JobMetrics {
    pub(super) jobs: Box<[Counter]>,
}

impl JobMetrics {
    /// Counts one attempt.
    pub fn job(&self, result: JobResult) {
        self.jobs[result as usize].inc();
    }
}

/// The HTTP connections, counted. The numbers may be read at any time, from any thread.
#[derive(Debug, Default)]
pub struct EdgeCounters {
    pub(crate) open: Gauge,
    pub(crate) refused: Counter,
}

impl EdgeCounters {
    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        u64::try_from(self.open.get()).unwrap_or(0)
    }

    /// Connections that were answered 503 since the start, because too many were open.
    pub fn refused(&self) -> u64 {
        self.refused.get()
    }
}
