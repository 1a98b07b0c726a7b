//! Fill: loads under the lease and stores what came back, or waits for the replica that does.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use tower::{Layer, Service, service_fn};

use super::{
    Detail, Entry, Filled, Found, Keep, Key, Lease, LoadEnd, LoadError, Look, Policy, Store, Token,
    Value,
    backoff::Backoff,
    entry,
    load::{Claim, Fills, Load, Loaded, Loads, Role},
    policy::seconds,
};
use crate::metrics::{CacheMetrics, FillResult};

/// Pause before the first look for another replica's value; each further one is half as long again.
const PAUSE_FIRST: Duration = Duration::from_millis(1);

/// The longest pause between two looks: what a value that was just filled may go unnoticed.
const PAUSE_MAX: Duration = Duration::from_millis(8);

/// Stores loads under their leases. See the module's first line.
pub(super) struct FillLayer<T>(Arc<Filler<T>>);

struct Filler<T> {
    store: T,
    policy: Policy,
    backoff: Backoff,
    metrics: CacheMetrics,
}

impl<T: Store> FillLayer<T> {
    /// Fills `store` as `policy` says; failures are noted in `backoff`.
    pub(super) fn new(
        store: &T,
        policy: &Policy,
        backoff: &Backoff,
        metrics: &CacheMetrics,
    ) -> Self {
        let (store, policy) = (store.clone(), policy.clone());
        let (backoff, metrics) = (backoff.clone(), metrics.clone());
        Self(Arc::new(Filler { store, policy, backoff, metrics }))
    }
}

impl<I: Send + 'static, T: Store> Layer<Loads<I>> for FillLayer<T> {
    type Service = Fills<I>;

    fn layer(&self, bulkhead: Loads<I>) -> Fills<I> {
        let filler = self.0.clone();
        Fills::new(service_fn(move |load| filler.clone().load(bulkhead.clone(), load)))
    }
}

impl<T: Store> Filler<T> {
    /// Loads by `bulkhead`, unless the replica that holds the lease has filled meanwhile.
    async fn load<I>(
        self: Arc<Self>,
        mut bulkhead: Loads<I>,
        Load { id, key, claim }: Load<I>,
    ) -> Result<Loaded, LoadError> {
        let claim = match claim {
            Some(Claim { lease, role: Role::Wait }) => match self.wait(&key, lease).await {
                Break(loaded) => return Ok(loaded),
                Continue(claim) => claim,
            },
            claim => claim,
        };
        self.settle(&key, claim, bulkhead.call(id).await).await
    }

    /// Looks again and again until the holder of `lease` has filled, failed, or taken too long. Breaks off with its
    /// value, or has the caller continue: it loads, under this claim if it was given one.
    async fn wait(&self, key: &Key, lease: Lease) -> ControlFlow<Loaded, Option<Claim>> {
        // What is taken over in the end: of a stale entry the duty to put it back, too, if the load fails.
        let mut last = Claim { lease, role: Role::Hold };
        // The holder's own deadline has passed by then: it is dead, or its fill was lost.
        let take_over_at = Instant::now() + self.policy.load_timeout;
        let mut pause = PAUSE_FIRST;
        loop {
            let next = Instant::now() + pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            sleep_until(next.min(take_over_at)).await;
            pause = (pause * 3 / 2).min(PAUSE_MAX);
            if Instant::now() >= take_over_at {
                return Continue(Some(last));
            }
            let (claim, token) = match self.store.lookup(key, self.policy.ask(true)).await {
                Ok(Look::Found { found, lease, token }) => {
                    let entry = Entry::read(&found, &self.policy);
                    // Even with the token: "no such thing" is fresh, however soon it is gone.
                    if let Some(Entry { body, age_s, fresh_s: 0.. }) = entry {
                        let detail = Detail::of(&lease);
                        let (collapsed, is_shared, stored) = (true, true, None);
                        return Break(Loaded { body, age_s, collapsed, is_shared, stored, detail });
                    }
                    (Claim { lease, role: Role::Refresh(found) }, token)
                }
                Ok(Look::Placeholder { lease, token }) => {
                    (Claim { lease, role: Role::Hold }, token)
                }
                Ok(Look::Absent) | Err(_) => return Continue(None),
            };
            match token {
                Token::Won => return Continue(Some(claim)),
                // Still the placeholder or the stale entry whose load is waited for, or one put back.
                Token::Taken => last = claim,
                Token::Unclaimed => return Continue(Some(Claim { role: Role::Replace, ..claim })),
            }
        }
    }

    /// Stores the result of a load under `claim`, or gives back what its failure leaves behind.
    async fn settle(
        &self,
        key: &Key,
        claim: Option<Claim>,
        result: LoadEnd,
    ) -> Result<Loaded, LoadError> {
        match result {
            Ok(found) => {
                self.backoff.succeeded(key);
                let (stored, detail) = match &claim {
                    Some(claim) => self.fill(key, &claim.lease, &found).await,
                    None => (false, None),
                };
                let (collapsed, stored) = (false, Some(stored));
                let is_shared = found.keep != Keep::Unshared;
                let detail = if is_shared { detail } else { Some(Detail::Private) };
                Ok(Loaded { body: found.body, age_s: 0, collapsed, is_shared, stored, detail })
            }
            Err(error) => {
                // One line a load, however many wait for it. Those that were not begun are only counted.
                if !matches!(error, LoadError::Overloaded) {
                    tracing::warn!(%key, %error, "a load failed");
                }
                self.abandon(key, claim, error.is_outage()).await;
                Err(error)
            }
        }
    }

    async fn fill(&self, key: &Key, lease: &Lease, found: &Found) -> (bool, Option<Detail>) {
        let Some(value) = entry::value(found, &self.policy) else {
            // Nothing of the kind is kept, but nobody shall wait for it either.
            self.store.release(key, lease);
            return (false, None);
        };
        let (result, detail) = match self.store.fill(key, lease, value).await {
            Ok(Filled::Stored) => (FillResult::Stored, None),
            Ok(Filled::Superseded) => (FillResult::Superseded, Some(Detail::Superseded)),
            Ok(Filled::Void) => (FillResult::Void, Some(Detail::NotStored)),
            Ok(Filled::TooLarge) => (FillResult::TooLarge, Some(Detail::TooLarge)),
            Err(_) => (FillResult::Failed, Some(Detail::NotStored)),
        };
        // A placeholder that is left would only be waited for, and what was stored before is outdated. Where the
        // connection is new, memcached may not be.
        if !matches!(result, FillResult::Stored | FillResult::Superseded) {
            self.store.release(key, lease);
        }
        self.metrics.fills.count(result);
        (result == FillResult::Stored, detail)
    }

    /// Gives back what a load that failed has held. If the store does not take it back, the lease
    /// lapses by itself, and those who wait for it take over at their deadline.
    async fn abandon(&self, key: &Key, claim: Option<Claim>, is_outage: bool) {
        match claim {
            Some(Claim { lease, role: Role::Hold }) => self.store.release(key, &lease),
            // memcached never takes a refresh token back, so the entry is stored anew, with the life
            // that it had left.
            Some(Claim { lease, role: Role::Refresh(stale) }) => {
                // Only where there is an entry to be served meanwhile: what is absent is always tried.
                if is_outage {
                    self.backoff.failed(key);
                } else {
                    self.backoff.succeeded(key);
                }
                let gone_s = seconds(lease.asked_at.elapsed());
                let left_s = stale.left_s.saturating_sub(gone_s).max(1);
                let _ = self.store.fill(key, &lease, Value { left_s, ..stale }).await;
            }
            _ => {}
        }
    }
}
