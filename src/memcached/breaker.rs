//! The breaker of one server: out of service after failures in a row, and one probe at a time back.

use std::{mem, time::Duration};

use tokio::{
    sync::{Mutex, MutexGuard, watch},
    time::{sleep, timeout},
};

use super::wire::{Unusable, WireError};
use crate::metrics::ServerMetrics;

/// Failures in a row that put a server out of service.
pub(crate) const FAILURES_MAX: u32 = 3;

/// Pause before the first new attempt to connect; doubled with each failure.
const PAUSE_FIRST: Duration = Duration::from_millis(25);

/// The longest pause, so that a server that is back is in use again within seconds even if one probe more fails.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The state of a server.
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

/// The breaker of one server; shared by its connections and its callers.
pub(crate) struct Breaker {
    server: String,
    known: watch::Sender<Known>,
    probing: Mutex<()>,
    metrics: ServerMetrics,
}

/// The server as it was seen last.
struct Known {
    state: State,
    /// In a row.
    failures: u32,
    /// Said last of a server that answers and can't be used.
    unusable: Option<Unusable>,
    /// It is out of service for good.
    is_retired: bool,
}

impl Breaker {
    pub(crate) fn new(server: String, metrics: ServerMetrics) -> Self {
        let state = State::Starting;
        let known = Known { state, failures: 0, unusable: None, is_retired: false };
        Self { server, known: watch::Sender::new(known), probing: Mutex::default(), metrics }
    }

    pub(crate) fn state(&self) -> State {
        self.known.borrow().state
    }

    /// Waits for the server to be in service, though no longer than for a probe of it; `false` if it is not.
    pub(crate) async fn in_service(&self) -> bool {
        timeout(PAUSE_MAX, self.reaches(|state| state == State::InService)).await.is_ok()
    }

    /// Waits for a state of the server.
    pub(crate) async fn reaches(&self, is_awaited: impl Fn(State) -> bool) {
        // The sender lives in `self`, so that the wait can't fail.
        let _ = self.known.subscribe().wait_for(|known| is_awaited(known.state)).await;
    }

    /// Waits for the turn to connect. A connection that breaks is made anew at once; but while the server is
    /// out of service only one connection at a time has the turn, after a pause, and the others wait here
    /// for how that one fares.
    pub(crate) async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        if self.state() == State::InService {
            return None;
        }
        let probe = self.probing.lock().await;
        // Nothing is known yet, or the one that had the turn before has just found it in service.
        if self.state() == State::OutOfService {
            let failures = self.known.borrow().failures;
            let pause = PAUSE_FIRST.saturating_mul(1 << failures.min(16)).min(PAUSE_MAX);
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        }
        Some(probe)
    }

    /// Takes the server out of service for good.
    pub(crate) fn retire(&self) {
        self.known.send_modify(|known| {
            known.is_retired = true;
            known.state = State::OutOfService;
        });
        self.metrics.in_service.set(0);
    }

    /// True if it is out of service for good.
    pub(crate) fn is_retired(&self) -> bool {
        self.known.borrow().is_retired
    }

    /// A probe succeeded, and the server has forgotten what it must: it is used.
    ///
    /// The failures still count until some work is done. A server that answers probes and nothing else is
    /// out of service again at its next failure, each time for longer.
    pub(crate) fn reached(&self) {
        let is_news = self.known.send_if_modified(|known| {
            known.unusable = None;
            !known.is_retired
                && mem::replace(&mut known.state, State::InService) != State::InService
        });
        if is_news {
            self.metrics.in_service.set(1);
            tracing::info!(server = self.server, "memcached is in service");
        }
    }

    /// A round trip succeeded. One that ends after the server was put out of service changes nothing: the
    /// way back is by a probe, and by forgetting what was missed.
    pub(crate) fn succeeded(&self) {
        if self.known.borrow().failures > 0 {
            self.known.send_if_modified(|known| {
                if known.state == State::InService {
                    known.failures = 0;
                }
                false
            });
        }
    }

    /// A round trip or an attempt to connect failed because of `cause`.
    ///
    /// To try a server once more that answers and can't be used would not change it: that counts as enough failures,
    /// and is logged unless it is known already.
    pub(crate) fn failed(&self, cause: &WireError) {
        self.metrics.failures.inc();
        if matches!(cause, WireError::Crosstalk) {
            self.metrics.crosstalk.inc();
        }
        let unusable = if let WireError::Unusable(reason) = cause { Some(*reason) } else { None };
        let (mut failures, mut before) = (0, None);
        let is_news = self.known.send_if_modified(|known| {
            failures = known.failures.saturating_add(unusable.map_or(1, |_| FAILURES_MAX));
            known.failures = failures;
            before = known.unusable;
            known.unusable = unusable.or(before);
            // The very first failure is enough: there was nothing that worked before.
            let enough = failures >= FAILURES_MAX || known.state == State::Starting;
            enough && mem::replace(&mut known.state, State::OutOfService) != State::OutOfService
        });
        if is_news {
            self.metrics.in_service.set(0);
        }
        match unusable {
            Some(reason) if before != unusable => {
                tracing::warn!(server = self.server, %reason, "memcached can't be used");
            }
            None if is_news => {
                tracing::warn!(server = self.server, failures, %cause, "memcached is out of service");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Metrics;

    fn breaker() -> Arc<Breaker> {
        Arc::new(Breaker::new("test".to_owned(), Metrics::default().server("test")))
    }

    #[test]
    fn three_failures_in_a_row_open_the_breaker_and_a_success_between_does_not_let_them_add_up() {
        let breaker = breaker();
        breaker.reached();
        for _ in 0..5 {
            breaker.failed(&WireError::Crosstalk);
            breaker.failed(&WireError::Crosstalk);
            assert_eq!(breaker.state(), State::InService);
            breaker.succeeded();
        }
        for _ in 0..3 {
            breaker.failed(&WireError::Crosstalk);
        }
        assert_eq!(breaker.state(), State::OutOfService);
        breaker.reached();
        assert_eq!(breaker.state(), State::InService);
    }

    #[test]
    fn a_probe_between_them_is_no_success() {
        let breaker = breaker();
        for _ in 0..3 {
            breaker.reached();
            breaker.failed(&WireError::Crosstalk);
        }
        assert_eq!(breaker.state(), State::OutOfService);
        breaker.reached();
        breaker.failed(&WireError::Crosstalk);
        assert_eq!(breaker.state(), State::OutOfService, "it has answered nothing but probes");
        breaker.reached();
        breaker.succeeded();
        breaker.failed(&WireError::Crosstalk);
        assert_eq!(breaker.state(), State::InService);
    }

    #[test]
    fn a_round_trip_that_ends_late_does_not_put_a_server_back_into_service() {
        let breaker = breaker();
        breaker.failed(&WireError::Crosstalk);
        breaker.succeeded();
        assert_eq!(breaker.state(), State::OutOfService);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_probe_that_succeeds_connects_without_a_pause() {
        let breaker = breaker();
        breaker.failed(&WireError::Crosstalk);
        let probe = breaker.turn().await;
        let second = tokio::spawn({
            let breaker = breaker.clone();
            async move {
                breaker.turn().await;
                tokio::time::Instant::now()
            }
        });
        tokio::task::yield_now().await;
        breaker.reached();
        drop(probe);
        let reached_at = tokio::time::Instant::now();
        assert_eq!(second.await.unwrap(), reached_at);
    }

    #[test]
    fn a_server_that_was_never_reached_is_out_of_service_at_once() {
        let breaker = breaker();
        breaker.failed(&WireError::Crosstalk);
        assert_eq!(breaker.state(), State::OutOfService);
    }

    #[test]
    fn a_server_that_can_not_be_used_is_out_of_service_at_once() {
        let breaker = breaker();
        breaker.reached();
        breaker.failed(&Unusable::NoCas.into());
        assert_eq!(breaker.state(), State::OutOfService);
        breaker.reached();
        assert_eq!(breaker.state(), State::InService);
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_at_a_time_while_out_of_service() {
        let breaker = breaker();
        breaker.failed(&WireError::Crosstalk);
        let probe = breaker.turn().await;
        assert!(probe.is_some());
        let second = tokio::spawn({
            let breaker = breaker.clone();
            async move { breaker.turn().await.is_some() }
        });
        tokio::time::sleep(PAUSE_MAX * 10).await;
        assert!(!second.is_finished(), "a second probe went out beside the first");
        drop(probe);
        assert!(second.await.unwrap());
    }
}
