//! The breaker of one server: out of service after failures in a row, and one probe at a time back.

use std::{
    fmt,
    sync::{
        Mutex as Lock, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex, MutexGuard, watch},
    time::timeout,
};

use super::wire::Unusable;
use crate::metrics::ServerMetrics;

/// Failures in a row that put a server out of service.
pub(crate) const FAILURES_MAX: u32 = 3;

/// Pause before the first new attempt to connect; doubled with each failure.
const PAUSE_FIRST: Duration = Duration::from_millis(25);

/// The longest pause, so that a server that is back is in use again within seconds even if one probe more fails.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Whether a server is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is known yet.
    Starting,
    /// It is used.
    InService,
    /// It is not used, but probed.
    OutOfService,
}

impl State {
    /// The state as `/stats` and `/readyz` write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::InService => "in service",
            Self::OutOfService => "out of service",
        }
    }
}

/// What is known of a server's health; shared by its connections and its callers.
#[derive(Debug)]
pub(crate) struct Health {
    server: String,
    state: watch::Sender<State>,
    failures: AtomicU32,
    /// What was said last of a server that answers and can't be used.
    unusable: Lock<Option<Unusable>>,
    probing: Mutex<()>,
    is_retired: AtomicBool,
    metrics: ServerMetrics,
}

impl Health {
    pub(crate) fn new(server: String, metrics: ServerMetrics) -> Self {
        let state = watch::Sender::new(State::Starting);
        let (failures, unusable, probing, is_retired) = Default::default();
        Self { server, state, failures, unusable, probing, is_retired, metrics }
    }

    pub(crate) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Waits until the first attempt to reach the server has succeeded or failed.
    pub(crate) async fn known(&self) {
        // The sender lives in `self`, so that the wait can't fail.
        let _ = self.state.subscribe().wait_for(|state| *state != State::Starting).await;
    }

    /// Waits until the server is out of service.
    pub(crate) async fn broken(&self) {
        let _ = self.state.subscribe().wait_for(|state| *state == State::OutOfService).await;
    }

    /// Waits for the server to be in service, though no longer than for a probe of it; `false` if it is not.
    pub(crate) async fn in_service(&self) -> bool {
        let mut state = self.state.subscribe();
        timeout(PAUSE_MAX, state.wait_for(|state| *state == State::InService)).await.is_ok()
    }

    /// Waits for the turn to connect. A connection that breaks is made anew at once; but while the server is
    /// out of service only one connection at a time has the turn, after a pause, and the others wait here
    /// for how that one fares.
    pub(crate) async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        if self.state() == State::InService {
            return None;
        }
        let probe = self.probing.lock().await;
        // Nothing is known yet, or whoever had the turn before has just found it in service.
        if self.state() == State::OutOfService {
            let failures = self.failures.load(Ordering::Relaxed);
            let pause = PAUSE_FIRST.saturating_mul(1 << failures.min(16)).min(PAUSE_MAX);
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        }
        Some(probe)
    }

    /// Takes the server out of service for good.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
        self.state.send_replace(State::OutOfService);
        self.metrics.in_service.set(0);
    }

    /// Whether it is out of service for good.
    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Relaxed)
    }

    /// A probe succeeded, and the server has forgotten what it must: it is used.
    ///
    /// The failures still count until some work is done. A server that answers probes and nothing else is
    /// out of service again at its next failure, each time for longer.
    pub(crate) fn reached(&self) {
        if self.is_retired() {
            return;
        }
        if self.state.send_replace(State::InService) != State::InService {
            self.metrics.in_service.set(1);
            *self.unusable.lock().unwrap_or_else(PoisonError::into_inner) = None;
            tracing::info!(server = self.server, "memcached is in service");
        }
    }

    /// A round trip succeeded. One that ends after the server was put out of service changes nothing: the
    /// way back is by a probe, and by forgetting what was missed.
    pub(crate) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) > 0 && self.state() == State::InService {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// A round trip or an attempt to connect failed because of `cause`.
    pub(crate) fn failed(&self, cause: &dyn fmt::Display) {
        self.metrics.failures.inc();
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        // The very first failure is enough: there was nothing that worked before.
        let enough = failures >= FAILURES_MAX || self.state() == State::Starting;
        if enough && self.state.send_replace(State::OutOfService) != State::OutOfService {
            self.metrics.in_service.set(0);
            tracing::warn!(server = self.server, failures, %cause, "memcached is out of service");
        }
    }

    /// The server answered, and can't be used because of `reason`, which is logged unless it is known already. To
    /// try once more would not change it: that counts as enough failures.
    pub(crate) fn unusable(&self, reason: Unusable) {
        self.metrics.failures.inc();
        self.metrics.in_service.set(0);
        self.failures.fetch_add(FAILURES_MAX, Ordering::Relaxed);
        let before = {
            let mut unusable = self.unusable.lock().unwrap_or_else(PoisonError::into_inner);
            unusable.replace(reason)
        };
        self.state.send_replace(State::OutOfService);
        if before != Some(reason) {
            tracing::warn!(server = self.server, %reason, "memcached can't be used");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Metrics;

    fn health() -> Arc<Health> {
        Arc::new(Health::new("test".to_owned(), Metrics::default().server("test")))
    }

    #[test]
    fn three_failures_in_a_row_open_the_breaker_and_a_success_between_does_not_let_them_add_up() {
        let health = health();
        health.reached();
        for _ in 0..5 {
            health.failed(&"reset");
            health.failed(&"reset");
            assert_eq!(health.state(), State::InService);
            health.succeeded();
        }
        for _ in 0..3 {
            health.failed(&"reset");
        }
        assert_eq!(health.state(), State::OutOfService);
        health.reached();
        assert_eq!(health.state(), State::InService);
    }

    #[test]
    fn a_probe_between_them_is_no_success() {
        let health = health();
        for _ in 0..3 {
            health.reached();
            health.failed(&"reset");
        }
        assert_eq!(health.state(), State::OutOfService);
        health.reached();
        health.failed(&"reset");
        assert_eq!(health.state(), State::OutOfService, "it has answered nothing but probes");
        health.reached();
        health.succeeded();
        health.failed(&"reset");
        assert_eq!(health.state(), State::InService);
    }

    #[test]
    fn a_round_trip_that_ends_late_does_not_put_a_server_back_into_service() {
        let health = health();
        health.failed(&"refused");
        health.succeeded();
        assert_eq!(health.state(), State::OutOfService);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_probe_that_succeeds_connects_without_a_pause() {
        let health = health();
        health.failed(&"refused");
        let probe = health.turn().await;
        let second = tokio::spawn({
            let health = health.clone();
            async move {
                health.turn().await;
                tokio::time::Instant::now()
            }
        });
        tokio::task::yield_now().await;
        health.reached();
        drop(probe);
        let reached_at = tokio::time::Instant::now();
        assert_eq!(second.await.unwrap(), reached_at);
    }

    #[test]
    fn a_server_that_was_never_reached_is_out_of_service_at_once() {
        let health = health();
        health.failed(&"refused");
        assert_eq!(health.state(), State::OutOfService);
    }

    #[test]
    fn a_server_that_can_not_be_used_is_out_of_service_at_once() {
        let health = health();
        health.reached();
        health.unusable(Unusable::NoCas);
        assert_eq!(health.state(), State::OutOfService);
        health.reached();
        assert_eq!(health.state(), State::InService);
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_at_a_time_while_out_of_service() {
        let health = health();
        health.failed(&"refused");
        let probe = health.turn().await;
        assert!(probe.is_some());
        let second = tokio::spawn({
            let health = health.clone();
            async move { health.turn().await.is_some() }
        });
        tokio::time::sleep(PAUSE_MAX * 10).await;
        assert!(!second.is_finished(), "a second probe went out beside the first");
        drop(probe);
        assert!(second.await.unwrap());
    }
}
