//! Keys whose load has failed, and when the next refresh of each may be tried.

use std::time::Duration;

use moka::sync::Cache;
use tokio::time::Instant;

use super::Key;

/// Pause after the first failed load of a key; doubled with each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Keys remembered at most. Past it a key that is seldom asked for is not, and is tried without a pause.
const KEYS_MAX: u64 = 10_000;

/// The time after a pause, or after the deadline of the load that follows it, for which a key counts as failing if it is
/// not tried. Past it the next caller waits for the source again, and the next failure is a first one.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// Remembers for which keys the source failed lately. Their stale entries are served at once, and until the
/// pause of a key has ended nobody tries to refresh it. Clones share what they remember.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    load_timeout: Duration,
    pauses: Cache<Key, Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    length: Duration,
    /// The next load may be tried.
    until: Instant,
    /// It is forgotten.
    known_until: Instant,
}

impl Backoff {
    /// Remembers nothing yet. A load ends within `load_timeout`.
    pub(super) fn new(load_timeout: Duration) -> Self {
        // Dropped in the end even if nobody asks for them again, so that hits pay nothing any more.
        let life = PAUSE_MAX + load_timeout + KNOWN_FOR;
        let pauses = Cache::builder().max_capacity(KEYS_MAX).time_to_live(life).build();
        Self { load_timeout, pauses }
    }

    /// True if the last load of `key` failed so lately that the next must wait.
    pub(super) fn holds(&self, key: &Key) -> bool {
        self.pause(key).is_some_and(|pause| Instant::now() < pause.until)
    }

    /// True if the source is known to fail for `key`: until a load succeeds, and also while the load that follows
    /// a pause is tried, so that nobody waits for it.
    pub(super) fn is_failing(&self, key: &Key) -> bool {
        self.pause(key).is_some()
    }

    /// A load of `key` begins. If it was known to fail, it is until this load has ended.
    pub(super) fn tried(&self, key: &Key) {
        if let Some(pause) = self.pause(key) {
            let known_until = Instant::now() + self.load_timeout + KNOWN_FOR;
            self.pauses.insert(key.clone(), Pause { known_until, ..pause });
        }
    }

    /// A load of `key` failed. The pause is cut at random by up to a half, so that replicas do not
    /// return to a failing source together.
    pub(super) fn failed(&self, key: &Key) {
        let length = self.pause(key).map_or(PAUSE_FIRST, |pause| (pause.length * 2).min(PAUSE_MAX));
        let until = Instant::now() + length.mul_f64(0.5 + fastrand::f64() / 2.0);
        let known_until = until + self.load_timeout + KNOWN_FOR;
        self.pauses.insert(key.clone(), Pause { length, until, known_until });
        // It is counted at once, so that no look misses it.
        self.pauses.run_pending_tasks();
    }

    /// A load of `key` succeeded.
    pub(super) fn succeeded(&self, key: &Key) {
        self.pauses.invalidate(key);
    }

    fn pause(&self, key: &Key) -> Option<Pause> {
        // All that a hit pays while nothing fails.
        let pause = (self.pauses.entry_count() > 0).then(|| self.pauses.get(key)).flatten();
        pause.filter(|pause| Instant::now() < pause.known_until)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const LOAD_TIMEOUT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn each_failure_doubles_the_pause_and_a_success_ends_it() {
        let backoff = Backoff::new(LOAD_TIMEOUT);
        let key = Key::numbered("user", 1);
        assert!(!backoff.holds(&key));
        for length in [500, 1000, 2000, 4000, 8000, 10_000, 10_000].map(Duration::from_millis) {
            backoff.failed(&key);
            advance(length / 2 - Duration::from_millis(1)).await;
            assert!(backoff.holds(&key), "{length:?}");
            assert!(!backoff.holds(&Key::numbered("user", 2)));
            advance(length / 2 + Duration::from_millis(1)).await;
            assert!(!backoff.holds(&key), "{length:?}");
        }
        backoff.failed(&key);
        backoff.succeeded(&key);
        assert!(!backoff.holds(&key));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_keys_are_remembered() {
        let backoff = Backoff::new(LOAD_TIMEOUT);
        for id in 0..2 * i64::try_from(KEYS_MAX).unwrap() {
            backoff.failed(&Key::numbered("user", id));
        }
        backoff.pauses.run_pending_tasks();
        assert!(backoff.pauses.entry_count() <= KEYS_MAX);
    }

    #[test]
    fn no_pause_is_kept_when_it_counts_no_more() {
        let life = Backoff::new(LOAD_TIMEOUT).pauses.policy().time_to_live();
        assert_eq!(life, Some(PAUSE_MAX + LOAD_TIMEOUT + KNOWN_FOR));
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_long_ago_is_forgotten() {
        let backoff = Backoff::new(LOAD_TIMEOUT);
        let [once, often] = [1, 2].map(|id| Key::numbered("user", id));
        for _ in 0..5 {
            backoff.failed(&often);
        }
        advance(PAUSE_MAX + LOAD_TIMEOUT + KNOWN_FOR).await;
        backoff.failed(&once);
        assert!(!backoff.is_failing(&often) && backoff.is_failing(&once));
        backoff.failed(&often);
        advance(PAUSE_FIRST).await;
        assert!(!backoff.holds(&often), "it is a first failure again");
        advance(LOAD_TIMEOUT + KNOWN_FOR).await;
        assert!(![once, often].iter().any(|key| backoff.is_failing(key)));
    }
}
