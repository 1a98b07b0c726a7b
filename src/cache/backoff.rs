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

/// How long after a pause, or after the deadline of the load that follows it, a key counts as failing if it is not
/// tried. Past it the next caller waits for the source again, and the next failure is a first one.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// Remembers for which keys the source failed lately. Their stale entries are served at once, and until the
/// pause of a key has ended nobody tries to refresh it. Clones share what they remember.
#[derive(Clone, Debug)]
pub struct Backoff(Arc<State>);

#[derive(Debug)]
struct State {
    load_timeout: Duration,
    /// Length of the map, so that a hit need not take the lock while nothing fails.
    failing: AtomicUsize,
    pauses: Mutex<HashMap<Key, Pause>>,
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
    pub fn new(load_timeout: Duration) -> Self {
        let (failing, pauses) = (AtomicUsize::default(), Mutex::default());
        Self(Arc::new(State { load_timeout, failing, pauses }))
    }

    /// Whether the last load of `key` failed so lately that the next must wait.
    pub fn holds(&self, key: &Key) -> bool {
        self.pause(key).is_some_and(|pause| Instant::now() < pause.until)
    }

    /// Whether the source is known to fail for `key`: until a load succeeds, and also while the load that follows
    /// a pause is tried, so that nobody waits for it.
    pub fn is_failing(&self, key: &Key) -> bool {
        self.pause(key).is_some_and(|pause| Instant::now() < pause.known_until)
    }

    /// A load of `key` begins. If it was known to fail, it is until this load has ended.
    pub fn tried(&self, key: &Key) {
        let now = Instant::now();
        if let Some(pause) = self.lock().get_mut(key).filter(|pause| now < pause.known_until) {
            pause.known_until = now + self.0.load_timeout + KNOWN_FOR;
        }
    }

    /// A load of `key` failed. The pause is cut at random by up to a half, so that replicas do not
    /// return to a failing source together.
    pub fn failed(&self, key: &Key) {
        let now = Instant::now();
        let mut pauses = self.lock();
        if pauses.len() >= KEYS_MAX {
            pauses.retain(|_, pause| now < pause.known_until);
        }
        let length = match pauses.get(key).filter(|pause| now < pause.known_until) {
            Some(pause) => (pause.length * 2).min(PAUSE_MAX),
            None if pauses.len() >= KEYS_MAX => return,
            None => PAUSE_FIRST,
        };
        let until = now + length.mul_f64(0.5 + fastrand::f64() / 2.0);
        let known_until = until + self.0.load_timeout + KNOWN_FOR;
        pauses.insert(key.clone(), Pause { length, until, known_until });
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

    fn pause(&self, key: &Key) -> Option<Pause> {
        if self.0.failing.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.lock().get(key).copied()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Pause>> {
        self.0.pauses.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(backoff.lock().len(), KEYS_MAX);
        advance(PAUSE_MAX + LOAD_TIMEOUT + KNOWN_FOR).await;
        backoff.failed(&Key::numbered("user", -1));
        assert_eq!(backoff.lock().len(), 1);
    }
}
