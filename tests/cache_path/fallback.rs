//! The stack over a store that can be switched off, with this process's memory standing in for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aside::{
    cache::{
        Answer, Ask, Cache, Detail, Directives, Failure, Fallback, Filled, Get, Key, Lease,
        LoadError, Look, Memory, Origin, Places, Policy, Served, Store, StoreError, Value, stack,
    },
    metrics::Metrics,
};
use support::source::{Asked, by_hand};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    task::JoinHandle,
    time::{advance, timeout},
};
use tower::ServiceExt;

use super::settle;

/// The time that an entry may live in the memory that stands in.
const LIFE_MAX: Duration = Duration::from_secs(5);

/// A store of several replicas that one of them can lose.
#[derive(Clone, Debug)]
struct Shared {
    memory: Memory,
    away: Arc<AtomicBool>,
}

impl Shared {
    fn reached(&self) -> Result<&Memory, StoreError> {
        if self.away.load(Ordering::Relaxed) {
            Err(StoreError::Unavailable)
        } else {
            Ok(&self.memory)
        }
    }
}

impl Store for Shared {
    async fn lookup(&self, key: &Key, ask: Ask) -> Result<Look, StoreError> {
        self.reached()?.lookup(key, ask).await
    }

    async fn fill(&self, key: &Key, lease: &Lease, value: Value) -> Result<Filled, StoreError> {
        self.reached()?.fill(key, lease, value).await
    }

    fn release(&self, key: &Key, lease: &Lease) {
        if let Ok(memory) = self.reached() {
            memory.release(key, lease);
        }
    }

    async fn forget(&self, key: &Key) -> Result<(), Places> {
        self.reached().map_err(|_| Places::only(0))?.forget(key).await
    }
}

struct Replica {
    cache: Cache<i64>,
    store: Fallback<Shared>,
    loads: UnboundedReceiver<Asked>,
    away: Arc<AtomicBool>,
}

impl Replica {
    fn new(memory: &Memory, policy: &Policy) -> Self {
        let (source, loads) = by_hand();
        let away = Arc::new(AtomicBool::new(false));
        let shared = Shared { memory: memory.clone(), away: away.clone() };
        let store = Fallback::new(Some(shared), Memory::new(1 << 20, LIFE_MAX, Origin::Fallback));
        let cache = stack(source, store.clone(), policy, &Metrics::default().cache("things"));
        Self { cache, store, loads, away }
    }

    fn lose(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    fn get(&self) -> JoinHandle<Result<Answer, Failure>> {
        let get = Get { id: 1, directives: Directives::default() };
        tokio::spawn(self.cache.clone().oneshot(get))
    }

    async fn load(&mut self) -> Asked {
        let load = timeout(Duration::from_secs(60), self.loads.recv()).await;
        load.expect("no load was made").unwrap()
    }
}

fn shared() -> Memory {
    Memory::new(1 << 20, Duration::MAX, Origin::Server(0))
}

fn body(answer: &Answer) -> &str {
    std::str::from_utf8(answer.body.as_ref().unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_answered_out_of_memory_says_so() {
    let (memory, policy) = (shared(), Policy::default());
    let mut replica = Replica::new(&memory, &policy);
    replica.lose(true);
    let first = replica.get();
    replica.load().await.version(1);
    assert_eq!(first.await.unwrap().unwrap().account.detail, Some(Detail::Fallback));
    // Another replica writes version 2, of which this one can't hear, and begins to load it.
    let mut other = Replica::new(&memory, &policy);
    let holder = other.get();
    let load = other.load().await;
    replica.lose(false);
    let waiter = replica.get();
    settle().await;
    replica.lose(true);
    let answer = waiter.await.unwrap().unwrap();
    assert_eq!(body(&answer), r#"{"version":1}"#);
    assert_eq!(answer.account.detail, Some(Detail::Fallback), "it is an old one");
    load.version(2);
    assert_eq!(body(&holder.await.unwrap().unwrap()), r#"{"version":2}"#);
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_the_place_of_memcached_says_so_whatever_becomes_of_its_fill() {
    let mut replica = Replica::new(&shared(), &Policy::default());
    replica.lose(true);
    let first = replica.get();
    let load = replica.load().await;
    // Another replica writes version 2, of which this one can't hear; then somebody joins the old load.
    let joined = replica.get();
    settle().await;
    replica.store.forget(&Key::numbered("thing", 1)).await.unwrap_err();
    load.version(1);
    for answer in [first.await.unwrap().unwrap(), joined.await.unwrap().unwrap()] {
        let Served::Forwarded { stored, .. } = answer.account.served else { panic!("{answer:?}") };
        assert_eq!((stored, answer.account.detail), (Some(false), Some(Detail::Fallback)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_gives_an_entry_in_memory_no_new_life() {
    let policy = Policy { ttl: Duration::from_secs(2), ..Policy::default() };
    let mut replica = Replica::new(&shared(), &policy);
    replica.lose(true);
    let first = replica.get();
    replica.load().await.version(1);
    first.await.unwrap().unwrap();
    advance(Duration::from_secs(3)).await;
    let stale = replica.get().await.unwrap().unwrap();
    assert!(matches!(stale.account.served, Served::Hit { ttl_s: ..0, .. }), "{stale:?}");
    replica.load().await.answer(Err(LoadError::Failed("on purpose".into())));
    settle().await;
    assert_eq!(body(&replica.get().await.unwrap().unwrap()), r#"{"version":1}"#, "it is put back");
    advance(Duration::from_secs(2)).await;
    let late = replica.get();
    replica.load().await.version(2);
    assert_eq!(body(&late.await.unwrap().unwrap()), r#"{"version":2}"#);
}
