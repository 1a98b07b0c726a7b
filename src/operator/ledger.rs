//! The service's own account of its gets.

use serde::{Deserialize, Serialize};

use super::per_cent;
use crate::metrics::{CacheMetrics, LoadResult as Load, Outcome};

/// The gets since the start by their outcome: `gets` is the sum of `hits`, `stale`, `misses` and `bypasses`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// All of them.
    pub gets: u64,
    /// Fresh entries, `negative_hits` among them.
    pub hits: u64,
    /// Fresh entries that say "no such thing".
    pub negative_hits: u64,
    /// Entries past their fresh life that were served all the same.
    pub stale: u64,
    /// The source was asked or waited for, `collapsed` among them.
    pub misses: u64,
    /// Another caller's load was waited for.
    pub collapsed: u64,
    /// The cache was not asked, or could not be.
    pub bypasses: u64,
    /// Hits and stale hits of all gets, in per cent; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hit_rate: Option<f64>,
    /// Loads that were begun, however they ended.
    pub loads: u64,
    /// Loads among them that gave no answer.
    pub loads_failed: u64,
}

impl Ledger {
    /// The ledger of all these stacks together.
    pub fn of(stacks: &[&CacheMetrics]) -> Self {
        let gets = |outcome| stacks.iter().map(|metrics| metrics.gets.of(outcome)).sum::<u64>();
        let loads = |result| stacks.iter().map(|metrics| metrics.loads.of(result)).sum::<u64>();
        let (negative_hits, collapsed) = (gets(Outcome::NegativeHit), gets(Outcome::Collapsed));
        let (hits, misses) = (gets(Outcome::Hit) + negative_hits, gets(Outcome::Miss) + collapsed);
        let (stale, bypasses) = (gets(Outcome::Stale), gets(Outcome::Bypass));
        let gets = hits + stale + misses + bypasses;
        let loads_failed = loads(Load::Timeout)
            + loads(Load::Unavailable)
            + loads(Load::Failed)
            + loads(Load::Panicked);
        Self {
            gets,
            hits,
            negative_hits,
            stale,
            misses,
            collapsed,
            bypasses,
            hit_rate: per_cent(hits + stale, gets),
            loads: loads(Load::Found) + loads(Load::Absent) + loads_failed,
            loads_failed,
        }
    }
}
