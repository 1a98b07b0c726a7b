//! The instruments that each part of the service counts with.

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use super::{FillResult, Histogram, HotKeys, LoadResult, Outcome};

/// A counter for each value of a closed set of labels.
#[derive(Clone, Debug)]
pub struct Counts<L>(Box<[(L, Counter)]>);

impl<L: Copy + PartialEq> Counts<L> {
    pub(super) fn new(all: &[L], counter: impl Fn(L) -> Counter) -> Self {
        Self(all.iter().map(|case| (*case, counter(*case))).collect())
    }

    /// Counts one of this case.
    pub fn count(&self, case: L) {
        self.counters(case).for_each(|counter| _ = counter.inc());
    }

    /// The number that was counted of this case.
    pub fn of(&self, case: L) -> u64 {
        self.counters(case).map(Counter::get).sum()
    }

    fn counters(&self, case: L) -> impl Iterator<Item = &Counter> {
        self.0.iter().filter(move |(of, _)| *of == case).map(|(_, counter)| counter)
    }
}

/// The instruments of the stack in front of one source.
#[derive(Clone, Debug)]
pub struct CacheMetrics {
    /// The ledger: each get is entered once.
    pub gets: Counts<Outcome>,
    /// Loads by their end.
    pub loads: Counts<LoadResult>,
    /// Fills by their end.
    pub fills: Counts<FillResult>,
    /// Loads that occupy the source now, those among them that nobody waits for any more.
    pub loads_running: Gauge,
    /// Loads that wait for their turn.
    pub loads_waiting: Gauge,
    /// Seconds from the request to the answer of a hit.
    pub hit_seconds: Histogram,
    /// Seconds of a load, its wait for a permit included.
    pub load_seconds: Histogram,
    /// The keys of all sources, by how often they are asked for.
    pub asked: HotKeys,
    /// The keys of all sources, by how often what is asked for is not in the cache.
    pub missed: HotKeys,
}

/// The instruments of one memcached server.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    /// Operations that shared one round trip.
    pub batch_size: Histogram,
    /// Seconds that the one of them which was queued first had waited in the queue.
    pub queue_seconds: Histogram,
    /// Round trips and connection attempts that failed.
    pub failures: Counter,
    /// Replies that nobody had asked for.
    pub crosstalk: Counter,
    /// 1 while the server is used.
    pub in_service: Gauge,
    /// Changes that the last sweep could not tell it.
    pub undelivered: Gauge,
}
