//! The stack over a source driven by hand and paused time. Two stacks over one [`Memory`] are two
//! replicas over one memcached: the leases are the same.

mod coalescing;
mod directives;
mod fallback;
mod ledger;
mod negative;
mod overload;
mod random;
mod random_stack;
mod stale;
mod store;
mod writes;

use std::time::Duration;

use aside::{
    cache::{
        Account, Answer, Ask, Cache, Detail, Directives, Failure, Filled, Flags, Forward, Get,
        GetError, Key, Lease, LoadError, Look, Memory, Origin, Places, Policy, SCHEMA, Served,
        Store, StoreError, Token, Value, stack,
    },
    metrics::{CacheMetrics, FillResult, LoadResult, Metrics, Outcome},
};
use bytes::Bytes;
use support::source::{Asked, body, by_hand};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    task::JoinHandle,
    time::{Instant, advance, timeout},
};
use tower::ServiceExt;

type Result = std::result::Result<Answer, Failure>;

/// One replica: a stack, the loads it makes, and its ledger.
struct Replica {
    cache: Cache<i64>,
    loads: UnboundedReceiver<Asked>,
    metrics: CacheMetrics,
}

impl Replica {
    fn new<T: Store>(store: &T, policy: &Policy) -> Self {
        let (source, loads) = by_hand();
        let metrics = Metrics::default().cache("things");
        let cache = stack(source, store.clone(), policy, &metrics);
        Self { cache, loads, metrics }
    }

    fn get(&self, id: i64) -> JoinHandle<Result> {
        self.get_with(id, Directives::default())
    }

    fn get_with(&self, id: i64, directives: Directives) -> JoinHandle<Result> {
        tokio::spawn(self.cache.clone().oneshot(Get { id, directives }))
    }

    /// The next load; fails the test if none is made in a long time.
    async fn load(&mut self) -> Asked {
        let load = timeout(Duration::from_secs(60), self.loads.recv()).await;
        load.expect("no load was made").unwrap()
    }

    async fn no_load(&mut self) {
        settle().await;
        assert!(self.loads.try_recv().is_err(), "a load was made that should not have been");
    }

    /// Fills the entry of `id` by an ordinary miss.
    async fn warm(&mut self, id: i64, version: u32) {
        let get = self.get(id);
        self.load().await.version(version);
        assert_eq!(version_of(&get.await.unwrap()), version);
    }
}

fn store() -> Memory {
    Memory::new(1 << 20, Duration::MAX, Origin::Memory)
}

/// No jitter below ten seconds of TTL, so that the tests know when an entry grows stale.
fn policy() -> Policy {
    Policy {
        ttl: Duration::from_secs(9),
        stale_while_revalidate: Duration::from_secs(10),
        stale_if_error: Duration::from_secs(100),
        load_timeout: Duration::from_secs(5),
        loads_max: 2,
        waiting_max: 2,
        ..Policy::default()
    }
}

fn key(id: i64) -> Key {
    Key::numbered("thing", id)
}

/// Lets every task run until all of them wait for something.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn version_of(result: &Result) -> u32 {
    let body = result.as_ref().unwrap().body.clone().expect("there is such a thing");
    let text = std::str::from_utf8(&body).unwrap();
    text.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

fn account(result: &Result) -> &Account {
    match result {
        Ok(answer) => &answer.account,
        Err(failure) => &failure.account,
    }
}

fn outcome(result: &Result) -> Outcome {
    account(result).served.outcome()
}

fn failed() -> LoadError {
    LoadError::Failed("on purpose".into())
}
