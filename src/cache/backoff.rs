//! Keys whose load has failed, and when the next refresh of each may be tried.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::Key;

/// Pause after the first failed load of a key; doubled with each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Keys remembered at most. Past it a failure is not remembered, and its key is tried without a pause.
const KEYS_MAX: usize = 10_000;

/// Remembers for which keys the source failed lately. While one backs off, its stale entry is served at
/// once and nobody tries to refresh it. Clones share what they remember.
#[derive(Clone, Debug, Default)]
pub struct Backoff(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Length of the map, so that a hit need not take the lock while nothing fails.
    failing: AtomicUsize,
    pauses: Mutex<HashMap<Key, Pause>>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    length: Duration,
    until: Instant,
}

impl Backoff {
    /// Whether the last load of `key` failed so lately that the next must wait.
    pub fn holds(&self, key: &Key) -> bool {
        self.0.failing.load(Ordering::Relaxed) > 0
            && self.lock().get(key).is_some_and(|pause| Instant::now() < pause.until)
    }

    /// A load of `key` failed. The pause is cut at random by up to a half, so that replicas do not
    /// return to a failing source together.
    pub fn failed(&self, key: &Key) {
        let now = Instant::now();
        let mut pauses = self.lock();
        if pauses.len() >= KEYS_MAX {
            pauses.retain(|_, pause| now < pause.until);
        }
        let length = match pauses.get(key) {
            Some(pause) => (pause.length * 2).min(PAUSE_MAX),
            None if pauses.len() >= KEYS_MAX => return,
            None => PAUSE_FIRST,
        };
        let until = now + length.mul_f64(0.5 + fastrand::f64() / 2.0);
        pauses.insert(key.clone(), Pause { length, until });
        self.0.failing.store(pauses.len(), Ordering::Relaxed);
    }

    /// A load of `key` succeeded.
    pub fn succeeded(&self, key: &Key) {
        if self.0.failing.load(Ordering::Relaxed) > 0 {
            let mut pauses = self.lock();
            pauses.remove(key);
            self.0.failing.store(pauses.len(), Ordering::Relaxed);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Pause>> {
        self.0.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_failure_doubles_the_pause_and_a_success_ends_it() {
        let backoff = Backoff::default();
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
        let backoff = Backoff::default();
        for id in 0..=i64::try_from(KEYS_MAX).unwrap() {
            backoff.failed(&Key::numbered("user", id));
        }
        assert_eq!(backoff.lock().len(), KEYS_MAX);
        advance(PAUSE_MAX).await;
        backoff.failed(&Key::numbered("user", -1));
        assert_eq!(backoff.lock().len(), 1);
    }
}
