//! Keys whose load has failed, and when the next refresh of each may be tried.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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

/// The time after a pause, or after the deadline of the load that follows it, for which a key counts as failing if it is
/// not tried. Past it the next caller waits for the source again, and the next failure is a first one.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// Remembers for which keys the source failed lately. Their stale entries are served at once, and until the
/// pause of a key has ended nobody tries to refresh it. Clones share what they remember.
#[derive(Clone, Debug)]
pub(super) struct Backoff(Arc<Remembered>);

#[derive(Debug)]
struct Remembered {
    load_timeout: Duration,
    /// The number of keys that are remembered, so that a hit need not take the lock while nothing fails.
    failing: AtomicUsize,
    pauses: Mutex<Pauses>,
}

#[derive(Debug)]
struct Pauses {
    by_key: HashMap<Key, Pause>,
    /// The time at which the last of them is forgotten.
    known_until: Instant,
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
        let pauses = Pauses { by_key: HashMap::new(), known_until: Instant::now() };
        let (failing, pauses) = (AtomicUsize::default(), Mutex::new(pauses));
        Self(Arc::new(Remembered { load_timeout, failing, pauses }))
    }

    /// True if the last load of `key` failed so lately that the next must wait.
    pub(super) fn holds(&self, key: &Key) -> bool {
        let pause = self.known().and_then(|pauses| pauses.pause(key));
        pause.is_some_and(|pause| Instant::now() < pause.until)
    }

    /// True if the source is known to fail for `key`: until a load succeeds, and also while the load that follows
    /// a pause is tried, so that nobody waits for it.
    pub(super) fn is_failing(&self, key: &Key) -> bool {
        self.known().is_some_and(|pauses| pauses.pause(key).is_some())
    }

    /// A load of `key` begins. If it was known to fail, it is until this load has ended.
    pub(super) fn tried(&self, key: &Key) {
        if let Some(mut pauses) = self.known()
            && let Some(pause) = pauses.pause(key)
        {
            let known_until = Instant::now() + self.0.load_timeout + KNOWN_FOR;
            pauses.remember(key, Pause { known_until, ..pause });
        }
    }

    /// A load of `key` failed. The pause is cut at random by up to a half, so that replicas do not
    /// return to a failing source together.
    pub(super) fn failed(&self, key: &Key) {
        let now = Instant::now();
        let mut pauses = self.lock();
        if pauses.by_key.len() >= KEYS_MAX {
            pauses.by_key.retain(|_, pause| now < pause.known_until);
        }
        let length = match pauses.pause(key) {
            Some(pause) => (pause.length * 2).min(PAUSE_MAX),
            None if pauses.by_key.len() >= KEYS_MAX => return,
            None => PAUSE_FIRST,
        };
        let until = now + length.mul_f64(0.5 + fastrand::f64() / 2.0);
        let known_until = until + self.0.load_timeout + KNOWN_FOR;
        pauses.remember(key, Pause { length, until, known_until });
        self.0.failing.store(pauses.by_key.len(), Ordering::Relaxed);
    }

    /// A load of `key` succeeded.
    pub(super) fn succeeded(&self, key: &Key) {
        if let Some(mut pauses) = self.known() {
            pauses.by_key.remove(key);
            self.0.failing.store(pauses.by_key.len(), Ordering::Relaxed);
        }
    }

    /// The pauses that are remembered. If there are none no lock is taken; if all of it is over, by this look only.
    fn known(&self) -> Option<MutexGuard<'_, Pauses>> {
        if self.0.failing.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut pauses = self.lock();
        if Instant::now() < pauses.known_until {
            return Some(pauses);
        }
        pauses.by_key = HashMap::new();
        self.0.failing.store(0, Ordering::Relaxed);
        None
    }

    fn lock(&self) -> MutexGuard<'_, Pauses> {
        self.0.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pauses {
    fn pause(&self, key: &Key) -> Option<Pause> {
        let now = Instant::now();
        self.by_key.get(key).copied().filter(|pause| now < pause.known_until)
    }

    fn remember(&mut self, key: &Key, pause: Pause) {
        self.known_until = self.known_until.max(pause.known_until);
        self.by_key.insert(key.clone(), pause);
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
        for id in 0..=i64::try_from(KEYS_MAX).unwrap() {
            backoff.failed(&Key::numbered("user", id));
        }
        assert_eq!(backoff.lock().by_key.len(), KEYS_MAX);
        advance(PAUSE_MAX + LOAD_TIMEOUT + KNOWN_FOR).await;
        backoff.failed(&Key::numbered("user", -1));
        assert_eq!(backoff.lock().by_key.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_long_ago_is_forgotten_and_costs_nobody_a_lock() {
        let backoff = Backoff::new(LOAD_TIMEOUT);
        let [once, often, other] = [1, 2, 3].map(|id| Key::numbered("user", id));
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
        assert!(!backoff.is_failing(&other));
        assert_eq!(backoff.0.failing.load(Ordering::Relaxed), 0, "no hit takes the lock any more");
    }
}
