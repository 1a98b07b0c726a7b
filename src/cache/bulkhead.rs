//! The bulkhead: so many loads run, so many wait, the rest are refused at once.

use std::{sync::Arc, time::Duration};

use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tower::{Layer, service_fn};

use super::{Found, LoadEnd, LoadError, Policy, Source, load::Loads, pace::Pace};
use crate::{
    cores,
    metrics::{CacheMetrics, LoadResult},
};

/// Bounds the loads of a source. See the module's first line.
pub(super) struct BulkheadLayer(Arc<Room>);

/// The room at a source: so many places to run, and so many to wait for one.
pub(super) struct Room {
    running: Arc<Semaphore>,
    waiting: Semaphore,
    pace: Arc<Pace>,
    policy: Policy,
    metrics: CacheMetrics,
}

impl BulkheadLayer {
    /// Lets so many loads run at once, and so many wait, as `policy` says.
    pub(super) fn new(policy: &Policy, metrics: &CacheMetrics) -> Self {
        Self(Arc::new(Room {
            running: Arc::new(Semaphore::new(policy.loads_max)),
            waiting: Semaphore::new(policy.waiting_max),
            pace: Arc::default(),
            policy: policy.clone(),
            metrics: metrics.clone(),
        }))
    }

    /// The room, for those who would otherwise take a lease only to give it back.
    pub(super) fn room(&self) -> Arc<Room> {
        self.0.clone()
    }
}

impl<S: Source> Layer<Arc<S>> for BulkheadLayer {
    type Service = Loads<S::Id>;

    fn layer(&self, source: Arc<S>) -> Loads<S::Id> {
        let room = self.room();
        Loads::new(service_fn(move |id| room.clone().load(source.clone(), id)))
    }
}

impl Room {
    /// True if a load that came now would run or wait, and not be refused. A moment later it may be otherwise.
    pub(super) fn is_left(&self) -> bool {
        self.running.available_permits() > 0 || self.has_place_to_wait()
    }

    /// Loads `id` from `source`, and counts how that ended.
    async fn load<S: Source>(self: Arc<Self>, source: Arc<S>, id: S::Id) -> LoadEnd {
        let result = self.attempt(source, id).await;
        self.metrics.loads.count(match &result {
            Ok(Found { body: Some(_), .. }) => LoadResult::Found,
            Ok(Found { body: None, .. }) => LoadResult::Absent,
            Err(LoadError::Timeout) => LoadResult::Timeout,
            Err(LoadError::Overloaded) => LoadResult::Overloaded,
            Err(LoadError::Unavailable(_)) => LoadResult::Unavailable,
            Err(LoadError::Failed(_) | LoadError::Faulty(_) | LoadError::Unusable(_)) => {
                LoadResult::Failed
            }
            Err(LoadError::Panicked) => LoadResult::Panicked,
        });
        result
    }

    async fn attempt<S: Source>(&self, source: Arc<S>, id: S::Id) -> LoadEnd {
        let begun_at = Instant::now();
        let deadline = begun_at + self.policy.load_timeout;
        let permit = self.admit(begun_at).await?;
        let permit = Counted::new(&self.metrics.loads_running, permit);
        // The load is a task of its own and takes the permit along: a caller may leave, and a
        // source that overruns its deadline still occupies it until it has really stopped.
        let pace = self.pace.clone();
        let load = cores::spawn(async move {
            let running_since = Instant::now();
            let result = source.load(id, deadline).await;
            pace.observe(running_since.elapsed());
            drop(permit);
            result
        });
        let result = match timeout_at(deadline, load).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(LoadError::Panicked),
            Err(_) => Err(LoadError::Timeout),
        };
        self.metrics.load_seconds.observe(begun_at.elapsed().as_secs_f64());
        result
    }

    /// Waits for a permit, for at most [`Self::patience`]. A load that would wait for longer, as the source goes now, is
    /// refused at once.
    async fn admit(&self, begun_at: Instant) -> Result<OwnedSemaphorePermit, LoadError> {
        if let Ok(permit) = self.running.clone().try_acquire_owned() {
            return Ok(permit);
        }
        if !self.has_place_to_wait() {
            return Err(LoadError::Overloaded);
        }
        let place = self.waiting.try_acquire().map_err(|_| LoadError::Overloaded)?;
        let _place = Counted::new(&self.metrics.loads_waiting, place);
        let turn = self.running.clone().acquire_owned();
        match timeout_at(begun_at + self.patience(), turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(LoadError::Overloaded),
        }
    }

    /// Half of the load's time: a load that begins later than that would be begun only to be given up.
    fn patience(&self) -> Duration {
        self.policy.load_timeout / 2
    }

    /// True if one more may wait, and is not likely to wait in vain. As many as run at once may wait in any case:
    /// however slow the source is, one of those may be about to end.
    fn has_place_to_wait(&self) -> bool {
        let left = self.waiting.available_permits();
        let ahead = self.policy.waiting_max.saturating_sub(left);
        let in_time = || self.pace.wait(ahead, self.policy.loads_max) <= self.patience();
        left > 0 && (ahead < self.policy.loads_max || in_time())
    }
}

/// A permit that is counted; given back and counted off when its holder ends, by a panic too.
struct Counted<P> {
    gauge: Gauge,
    _permit: P,
}

impl<P> Counted<P> {
    fn new(gauge: &Gauge, permit: P) -> Self {
        gauge.inc();
        Self { gauge: gauge.clone(), _permit: permit }
    }
}

impl<P> Drop for Counted<P> {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}
