//! The pace of a source: how long its loads take, and so how long one more would wait for its turn.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Each load moves the mean by this part of its distance from it, as the round trip time of a TCP connection is
/// smoothed (RFC 6298 §2).
const WEIGHT: u64 = 8;

/// The smoothed time of a load. Zero until there was one: as long as nothing is known, nobody is refused for it.
#[derive(Debug, Default)]
pub(super) struct Pace {
    mean_us: AtomicU64,
}

impl Pace {
    /// Notes how long a load took, however it ended. Of two at the same time one may be lost.
    pub(super) fn observe(&self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX / WEIGHT).max(1);
        let mean_us = match self.mean_us.load(Ordering::Relaxed) {
            0 => took_us,
            mean_us => mean_us - mean_us / WEIGHT + took_us / WEIGHT,
        };
        self.mean_us.store(mean_us, Ordering::Relaxed);
    }

    /// The wait of a load that has `ahead` others before it, where `loads_max` run at once and end one after the other.
    /// Where they have begun together, it may be up to one load longer.
    pub(super) fn wait(&self, ahead: usize, loads_max: usize) -> Duration {
        let turns = u64::try_from(ahead.saturating_add(1)).unwrap_or(u64::MAX);
        let at_once = u64::try_from(loads_max).unwrap_or(u64::MAX).max(1);
        let mean_us = self.mean_us.load(Ordering::Relaxed);
        Duration::from_micros(mean_us.saturating_mul(turns) / at_once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_share_of_a_load_for_each_that_is_ahead_and_one_more() {
        let pace = Pace::default();
        assert_eq!(pace.wait(1_000_000, 1), Duration::ZERO, "nothing is known");
        pace.observe(Duration::from_millis(800));
        assert_eq!(pace.wait(0, 1), Duration::from_millis(800));
        assert_eq!(pace.wait(0, 8), Duration::from_millis(100), "one of eight ends soon");
        assert_eq!(pace.wait(7, 8), Duration::from_millis(800));
        assert_eq!(pace.wait(24, 8), Duration::from_millis(2500));
        pace.observe(Duration::MAX);
        assert!(pace.wait(usize::MAX, 1) > Duration::from_secs(1), "no overflow");
    }

    #[test]
    fn the_pace_follows_the_source_within_some_dozens_of_loads() {
        let pace = Pace::default();
        for millis in [500, 5] {
            for _ in 0..64 {
                pace.observe(Duration::from_millis(millis));
            }
            let seen = pace.wait(0, 1);
            assert!(
                seen.abs_diff(Duration::from_millis(millis)) < Duration::from_millis(1),
                "{seen:?}"
            );
        }
    }
}
