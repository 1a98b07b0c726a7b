//! One load at a time: the callers in this process that saw the same version of a key share one load.
//!
//! A flight is known by its key *and* by the CAS number of the version that its caller saw. With the
//! key alone, a caller could join a load from before a write:
//!
//! 1. Replica A looks up `user:42`, gets lease c1, and begins to load the old row.
//! 2. Replica B changes the row, forgets the key, and acknowledges the write.
//! 3. A second caller comes to A. Joined by key, it would be answered with the old row. But its look
//!    sees a new placeholder, c2, so it does not join; it loads, or waits for, the new row.
//!
//! A caller that did see c1 looked before the write was acknowledged, and may have the old row.
//!
//! What a source gives to one caller only is not shared: those who have waited for it load for themselves.
//!
//! A caller who holds the lease always begins a flight of its own. If it joined one that only waits for the
//! lease's holder, that flight would wait for its own joiner. Begun apart, the load fills, and the flight that
//! waits sees the value at its next look.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::{
    sync::watch,
    task::{Id, try_id},
    time::Instant,
};
use tower::{Layer, Service, service_fn};

use super::{
    Key, LoadError, Origin,
    load::{Claim, Fills, Load, Loaded, Role},
};
use crate::cores;

/// Counts the flights of every stack that has a clone of it. Nobody need wait for a flight, such as the refresh
/// of a stale entry; but a process that ended in the midst of one would leave its lease taken.
#[derive(Clone, Debug, Default)]
pub struct InFlight(watch::Sender<usize>);

impl InFlight {
    /// Waits until no flight is under way.
    pub async fn landed(&self) {
        // The sender lives in `self`, so that the wait can't fail.
        let _ = self.0.subscribe().wait_for(|flights| *flights == 0).await;
    }
}

/// Makes callers share loads. See the module's first line.
#[derive(Default)]
pub(super) struct SingleFlightLayer(Arc<Flights>);

#[derive(Default)]
struct Flights {
    by_version: Mutex<HashMap<Version, Flight>>,
    in_flight: InFlight,
}

impl SingleFlightLayer {
    /// Counts its flights in `in_flight`. They are bounded by the requests that are being served.
    pub(super) fn new(in_flight: &InFlight) -> Self {
        Self(Arc::new(Flights { in_flight: in_flight.clone(), ..Flights::default() }))
    }
}

impl<I: Send + 'static> Layer<Fills<I>> for SingleFlightLayer {
    type Service = Fills<I>;

    fn layer(&self, fill: Fills<I>) -> Fills<I> {
        let flights = self.0.clone();
        Fills::new(service_fn(move |load| flights.join(&fill, load)))
    }
}

/// The version that a caller saw: the key, the CAS number, and where that counts.
type Version = (Key, u64, Origin);

struct Flight {
    task: Id,
    asked_at: Instant,
    answer: Shared<BoxFuture<'static, Result<Loaded, LoadError>>>,
}

impl Flights {
    /// Joins the flight of this version or begins one. It flies whether or not the future is polled.
    fn join<I: Send + 'static>(
        self: &Arc<Self>,
        fill: &Fills<I>,
        load: Load<I>,
    ) -> BoxFuture<'static, Result<Loaded, LoadError>> {
        let Some(claim) = load.claim.clone() else { return fill.clone().call(load) };
        let version = (load.key.clone(), claim.lease.cas, claim.lease.origin);
        let mut flights = self.lock();
        if let Some(flight) = flights.get(&version)
            && flight.takes(&claim)
        {
            let (answer, mut fill) = (flight.answer.clone(), fill.clone());
            let own = Load { claim: None, ..load };
            return async move {
                match answer.await {
                    Ok(Loaded { is_shared: false, .. }) => fill.call(own).await,
                    loaded => Ok(Loaded { collapsed: true, ..loaded? }),
                }
            }
            .boxed();
        }
        self.in_flight.0.send_modify(|flights| *flights += 1);
        let landing = Landing { flights: self.clone(), version: version.clone() };
        let loading = fill.clone().call(load);
        // A task of its own: no caller owns the load, so none that leaves can end it for the others.
        let loading = cores::spawn(async move {
            let _landing = landing;
            loading.await
        });
        let (task, asked_at) = (loading.id(), claim.lease.asked_at);
        let answer = loading.map(|end| end.unwrap_or(Err(LoadError::Panicked))).boxed().shared();
        flights.insert(version, Flight { task, asked_at, answer: answer.clone() });
        answer.boxed()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Version, Flight>> {
        // Nothing panics while it holds the lock, and a map of flights can't be left half-changed.
        self.by_version.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// True if the holder of `claim` may join: nobody who was chosen to load, and nobody who saw its version over
    /// a connection younger than this flight. That one may mean another version by the same number: after a
    /// restart, memcached counts anew.
    fn takes(&self, claim: &Claim) -> bool {
        matches!(claim.role, Role::Replace | Role::Wait)
            && claim.lease.connected_at <= self.asked_at
    }
}

/// Takes the flight off the map, and off the count, when its task ends, even by a panic.
struct Landing {
    flights: Arc<Flights>,
    version: Version,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // Another may have begun since, which stays.
        if flights.get(&self.version).is_some_and(|flight| try_id() == Some(flight.task)) {
            flights.remove(&self.version);
        }
        self.flights.in_flight.0.send_modify(|flights| *flights -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use bytes::Bytes;
    use tower::ServiceExt;

    use super::*;
    use crate::cache::{Lease, Value};

    /// The id of what nobody may share.
    const UNSHARED: i64 = 2;

    /// A fill that counts its loads; one that waits for another's begins late.
    fn fill(loads: Arc<AtomicUsize>) -> Fills<i64> {
        Fills::new(service_fn(move |load: Load<i64>| {
            let loads = loads.clone();
            async move {
                if load.claim.as_ref().is_some_and(|claim| claim.role == Role::Wait) {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                loads.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
                let (body, is_shared) = (Some(Bytes::from_static(b"{}")), load.id != UNSHARED);
                let (collapsed, stored) = (false, Some(true));
                Ok(Loaded { body, age_s: 0, collapsed, is_shared, stored, detail: None })
            }
        }))
    }

    fn load_of(origin: Origin, role: Role, connected_at: Instant) -> Load<i64> {
        let lease = Lease { cas: 7, origin, asked_at: Instant::now(), connected_at };
        Load { id: 1, key: Key::numbered("thing", 1), claim: Some(Claim { lease, role }) }
    }

    fn load(role: Role, connected_at: Instant) -> Load<i64> {
        load_of(Origin::Memory, role, connected_at)
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_holds_the_lease_joins_no_flight_that_waits_for_it() {
        let loads = Arc::new(AtomicUsize::new(0));
        let mut flights = SingleFlightLayer::default().layer(fill(loads.clone()));
        let connected_at = Instant::now();
        let found = Value { body: Bytes::new(), flags: 0, left_s: 1 };
        for holds in [Role::Hold, Role::Refresh(found)] {
            let before = loads.load(Ordering::Relaxed);
            let waits = flights.call(load(Role::Wait, connected_at));
            let holder = flights.call(load(holds, connected_at));
            let later = flights.call(load(Role::Wait, connected_at));
            assert!(!holder.await.unwrap().collapsed);
            assert!(later.await.unwrap().collapsed, "it joins the one that loads");
            assert_eq!(loads.load(Ordering::Relaxed) - before, 1);
            waits.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_what_may_not_be_shared_loads_it_anew() {
        let loads = Arc::new(AtomicUsize::new(0));
        let mut flights = SingleFlightLayer::default().layer(fill(loads.clone()));
        let connected_at = Instant::now();
        let call = |_| flights.call(Load { id: UNSHARED, ..load(Role::Replace, connected_at) });
        let answers = futures_util::future::join_all([1, 2, 3].map(call)).await;
        assert!(answers.iter().all(|it| !it.as_ref().unwrap().collapsed));
        assert_eq!(loads.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn versions_of_two_servers_are_two_whatever_their_numbers() {
        let loads = Arc::new(AtomicUsize::new(0));
        let mut flights = SingleFlightLayer::default().layer(fill(loads.clone()));
        let connected_at = Instant::now();
        let call = |origin| flights.call(load_of(origin, Role::Replace, connected_at));
        let answers = [Origin::Server(0), Origin::Server(1), Origin::Server(0)].map(call);
        let collapsed = futures_util::future::join_all(answers).await;
        let collapsed: Vec<_> = collapsed.into_iter().map(|it| it.unwrap().collapsed).collect();
        assert_eq!(collapsed, [false, false, true]);
        assert_eq!(loads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_takes_nobody_from_a_connection_younger_than_itself() {
        let loads = Arc::new(AtomicUsize::new(0));
        let mut flights = SingleFlightLayer::default().layer(fill(loads.clone()));
        let first = flights.call(load(Role::Hold, Instant::now()));
        tokio::time::advance(Duration::from_millis(10)).await;
        let second = flights.call(load(Role::Replace, Instant::now()));
        let third = flights.call(load(Role::Replace, Instant::now()));
        for answer in [first, second, third] {
            answer.await.unwrap();
        }
        assert_eq!(loads.load(Ordering::Relaxed), 2, "the same number meant another version");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_that_lands_leaves_a_later_one_on_the_map() {
        let loads = Arc::new(AtomicUsize::new(0));
        let mut flights = SingleFlightLayer::default().layer(fill(loads.clone()));
        let connected_at = Instant::now();
        let first = flights.call(load(Role::Hold, connected_at));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let second = flights.call(load(Role::Hold, connected_at));
        first.await.unwrap();
        let third = flights.call(load(Role::Replace, connected_at));
        assert!(third.await.unwrap().collapsed, "it joins the second");
        assert!(!second.await.unwrap().collapsed);
        assert_eq!(loads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_number_from_two_places_is_two_flights() {
        let loads = Arc::new(AtomicUsize::new(0));
        let mut flights = SingleFlightLayer::default().layer(fill(loads.clone()));
        let connected_at = Instant::now();
        let origins = [Origin::Server(0), Origin::Server(1), Origin::Fallback, Origin::Server(0)];
        let answers = origins.map(|origin| {
            let mut load = load(Role::Replace, connected_at);
            load.claim.as_mut().unwrap().lease.origin = origin;
            flights.call(load)
        });
        let mut joined = Vec::new();
        for answer in answers {
            joined.push(answer.await.unwrap().collapsed);
        }
        assert_eq!(joined, [false, false, false, true], "each place counts its own versions");
        assert_eq!(loads.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_that_has_landed_is_off_the_map_even_after_a_panic() {
        let panics = service_fn(|load: Load<i64>| async move {
            tokio::task::yield_now().await;
            assert_ne!(load.id, 1, "on purpose");
            Err(LoadError::Overloaded)
        });
        let layer = SingleFlightLayer::default();
        let flights = layer.layer(Fills::new(panics));
        let answer = flights.oneshot(load(Role::Hold, Instant::now())).await;
        assert!(matches!(answer, Err(LoadError::Panicked)));
        assert!(layer.0.lock().is_empty());
        layer.0.in_flight.landed().await;
    }
}
