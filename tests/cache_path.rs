//! The stack over a source driven by hand and paused time. Two stacks over one [`Memory`] are two
//! replicas over one memcached: the leases are the same.

#[path = "support/source.rs"]
mod source;

use std::time::Duration;

use aside::{
    cache::{
        Account, Answer, Ask, Cache, Detail, Directives, Failure, Filled, Flags, Forward, Get,
        GetError, Key, Lease, LoadError, Look, Memory, Origin, Policy, SCHEMA, Served, Store,
        StoreError, Token, Value, stack,
    },
    metrics::{CacheMetrics, FillResult, LoadResult, Metrics, Outcome},
};
use bytes::Bytes;
use source::{Asked, body, by_hand};
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

#[tokio::test(start_paused = true)]
async fn the_first_get_is_a_miss_and_the_second_a_hit() {
    let mut replica = Replica::new(&store(), &policy());
    let first = replica.get(1);
    replica.load().await.version(1);
    let first = first.await.unwrap();
    let served = Served::Forwarded { why: Forward::Miss, collapsed: false, stored: Some(true) };
    assert_eq!(account(&first).served, served);
    assert!(account(&first).load.is_some());
    advance(Duration::from_secs(2)).await;
    let second = replica.get(1).await.unwrap();
    assert_eq!(account(&second).served, Served::Hit { ttl_s: 7, negative: false });
    assert_eq!((version_of(&second), second.as_ref().unwrap().age_s), (1, 2));
    assert!(account(&second).load.is_none());
    replica.no_load().await;
}

#[tokio::test(start_paused = true)]
async fn callers_of_one_cold_key_share_one_load() {
    let mut replica = Replica::new(&store(), &policy());
    let gets: Vec<_> = (0..100).map(|_| replica.get(1)).collect();
    let load = replica.load().await;
    settle().await;
    load.version(1);
    for get in gets {
        assert_eq!(version_of(&get.await.unwrap()), 1);
    }
    replica.no_load().await;
    assert_eq!(replica.metrics.gets(Outcome::Miss), 1);
    assert_eq!(replica.metrics.gets(Outcome::Collapsed), 99);
}

#[tokio::test(start_paused = true)]
async fn replicas_share_one_load_and_learn_of_it_within_milliseconds() {
    let store = store();
    let (mut one, mut other) = (Replica::new(&store, &policy()), Replica::new(&store, &policy()));
    let first = one.get(1);
    let load = one.load().await;
    let waiting = other.get(1);
    settle().await;
    advance(Duration::from_secs(3)).await;
    settle().await;
    load.version(1);
    let filled_at = Instant::now();
    assert_eq!(outcome(&first.await.unwrap()), Outcome::Miss);
    let waited = waiting.await.unwrap();
    assert!(filled_at.elapsed() <= Duration::from_millis(15), "{:?}", filled_at.elapsed());
    assert_eq!((version_of(&waited), outcome(&waited)), (1, Outcome::Collapsed));
    other.no_load().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_ends_nothing_for_the_others() {
    let mut replica = Replica::new(&store(), &policy());
    let leaver = replica.get(1);
    let load = replica.load().await;
    let stayer = replica.get(1);
    settle().await;
    leaver.abort();
    settle().await;
    load.version(1);
    assert_eq!(version_of(&stayer.await.unwrap()), 1);
    assert_eq!(outcome(&replica.get(1).await.unwrap()), Outcome::Hit);
}

#[tokio::test(start_paused = true)]
async fn the_load_of_a_caller_that_left_is_stored() {
    let mut replica = Replica::new(&store(), &policy());
    let leaver = replica.get(1);
    let load = replica.load().await;
    leaver.abort();
    settle().await;
    load.version(1);
    settle().await;
    assert_eq!(outcome(&replica.get(1).await.unwrap()), Outcome::Hit);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_panics_gives_each_waiter_one_error_and_the_next_request_loads_again() {
    let mut replica = Replica::new(&store(), &policy());
    let gets: Vec<_> = (0..3).map(|_| replica.get(1)).collect();
    let load = replica.load().await;
    settle().await;
    drop(load);
    for get in gets {
        let failure = get.await.unwrap().unwrap_err();
        assert!(matches!(failure.error, GetError::Load(LoadError::Panicked)), "{failure:?}");
    }
    replica.warm(1, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_load_is_shared_by_its_waiters_and_not_cached() {
    let mut replica = Replica::new(&store(), &policy());
    let gets: Vec<_> = (0..3).map(|_| replica.get(1)).collect();
    let load = replica.load().await;
    settle().await;
    load.answer(Err(failed()));
    for get in gets {
        assert!(get.await.unwrap().is_err());
    }
    replica.no_load().await;
    replica.warm(1, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_fails_lets_the_other_replica_take_over_at_once() {
    let store = store();
    let (mut one, mut other) = (Replica::new(&store, &policy()), Replica::new(&store, &policy()));
    let first = one.get(1);
    let load = one.load().await;
    let waiting = other.get(1);
    settle().await;
    load.answer(Err(failed()));
    assert!(first.await.unwrap().is_err());
    let failed_at = Instant::now();
    other.load().await.version(2);
    assert!(failed_at.elapsed() < Duration::from_millis(100), "{:?}", failed_at.elapsed());
    assert_eq!(version_of(&waiting.await.unwrap()), 2);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_died_is_waited_for_no_longer_than_a_load_may_take() {
    let store = store();
    let ask = Ask { lease_s: Some(3600), refresh_s: None };
    let dead = store.lookup(&key(1), ask).await.unwrap();
    assert!(matches!(dead, Look::Placeholder { token: Token::Won, .. }));
    let mut replica = Replica::new(&store, &policy());
    let begun_at = Instant::now();
    let get = replica.get(1);
    replica.load().await.version(1);
    assert_eq!(begun_at.elapsed(), policy().load_timeout);
    assert_eq!(version_of(&get.await.unwrap()), 1);
    // Taken over with the placeholder's own number, so that the value could be stored.
    assert_eq!(outcome(&replica.get(1).await.unwrap()), Outcome::Hit);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_began_before_a_write_is_not_stored() {
    let store = store();
    let mut replica = Replica::new(&store, &policy());
    let before = replica.get(1);
    let load = replica.load().await;
    store.forget(&key(1)).await.unwrap();
    load.version(1);
    let before = before.await.unwrap();
    assert_eq!(
        version_of(&before),
        1,
        "it asked before the write: the old value is a right answer"
    );
    assert_eq!(account(&before).detail, Some(Detail::Superseded));
    assert_eq!(replica.metrics.fills(FillResult::Superseded), 1);
    replica.warm(1, 2).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_who_asks_after_a_write_joins_a_load_from_before_it() {
    let store = store();
    let mut replica = Replica::new(&store, &policy());
    let before = replica.get(1);
    let old = replica.load().await;
    // The write goes through another replica: this one hears of it by the store alone.
    store.forget(&key(1)).await.unwrap();
    let after = replica.get(1);
    let new = replica.load().await;
    new.version(2);
    assert_eq!(version_of(&after.await.unwrap()), 2);
    old.version(1);
    assert_eq!(version_of(&before.await.unwrap()), 1);
    assert_eq!(version_of(&replica.get(1).await.unwrap()), 2, "the old value was put back");
}

#[tokio::test(start_paused = true)]
async fn a_load_that_overruns_its_deadline_keeps_its_place_until_it_ends_and_stores_nothing() {
    let one_at_a_time = Policy { loads_max: 1, waiting_max: 0, ..policy() };
    let mut replica = Replica::new(&store(), &one_at_a_time);
    let get = replica.get(1);
    let hanging = replica.load().await;
    let failure = get.await.unwrap().unwrap_err();
    assert!(matches!(failure.error, GetError::Load(LoadError::Timeout)), "{failure:?}");
    let refused = replica.get(2).await.unwrap().unwrap_err();
    assert!(matches!(refused.error, GetError::Load(LoadError::Overloaded)), "{refused:?}");
    hanging.version(1);
    settle().await;
    replica.warm(2, 2).await;
    replica.warm(1, 3).await;
}

#[tokio::test(start_paused = true)]
async fn so_many_run_so_many_wait_and_the_rest_are_refused_at_once() {
    let mut replica = Replica::new(&store(), &policy());
    replica.warm(7, 1).await;
    let admitted: Vec<_> = (0..4).map(|id| replica.get(100 + id)).collect();
    settle().await;
    let begun_at = Instant::now();
    for id in 0..50 {
        let refused = replica.get(200 + id).await.unwrap().unwrap_err();
        assert!(matches!(refused.error, GetError::Load(LoadError::Overloaded)), "{refused:?}");
    }
    assert_eq!(outcome(&replica.get(7).await.unwrap()), Outcome::Hit, "a hit waits for no load");
    assert_eq!(begun_at.elapsed(), Duration::ZERO);
    for _ in 0..4 {
        replica.load().await.version(1);
        settle().await;
    }
    for get in admitted {
        assert!(get.await.unwrap().is_ok());
    }
    assert_eq!(replica.metrics.loads(LoadResult::Overloaded), 50);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_turn_too_long_is_refused_in_time() {
    let one_at_a_time = Policy { loads_max: 1, waiting_max: 1, ..policy() };
    let mut replica = Replica::new(&store(), &one_at_a_time);
    let _running = replica.get(1);
    let _load = replica.load().await;
    let begun_at = Instant::now();
    let refused = replica.get(2).await.unwrap().unwrap_err();
    assert!(matches!(refused.error, GetError::Load(LoadError::Overloaded)), "{refused:?}");
    assert_eq!(begun_at.elapsed(), policy().load_timeout / 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_would_wait_for_a_turn_in_vain_is_refused_at_once() {
    let one_at_a_time = Policy { loads_max: 1, waiting_max: 100, ..policy() };
    let mut replica = Replica::new(&store(), &one_at_a_time);
    let get = replica.get(1);
    let load = replica.load().await;
    advance(Duration::from_secs(1)).await;
    load.version(1);
    get.await.unwrap().unwrap();
    // A load takes a second and a turn is waited for for two and a half: so one runs, and two may wait.
    let begun_at = Instant::now();
    let gets: Vec<_> = (100..110).map(|id| replica.get(id)).collect();
    settle().await;
    let (refused, admitted): (Vec<_>, Vec<_>) = gets.into_iter().partition(JoinHandle::is_finished);
    assert_eq!((refused.len(), admitted.len()), (7, 3));
    for get in refused {
        let refused = get.await.unwrap().unwrap_err();
        assert!(matches!(refused.error, GetError::Load(LoadError::Overloaded)), "{refused:?}");
    }
    assert_eq!(begun_at.elapsed(), Duration::ZERO);
    for get in admitted {
        let load = replica.load().await;
        advance(Duration::from_millis(999)).await;
        load.version(2);
        assert_eq!(version_of(&get.await.unwrap()), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn however_slow_the_source_is_one_may_wait_for_each_load_that_runs() {
    let one_at_a_time = Policy { loads_max: 1, waiting_max: 100, ..policy() };
    let mut replica = Replica::new(&store(), &one_at_a_time);
    let get = replica.get(1);
    let load = replica.load().await;
    // Longer than anybody waits for a turn.
    advance(Duration::from_secs(4)).await;
    load.version(1);
    get.await.unwrap().unwrap();
    let running = replica.get(2);
    let load = replica.load().await;
    advance(Duration::from_secs(3)).await;
    let waiting = replica.get(3);
    settle().await;
    let refused = replica.get(4).await.unwrap().unwrap_err();
    assert!(matches!(refused.error, GetError::Load(LoadError::Overloaded)), "{refused:?}");
    advance(Duration::from_secs(1)).await;
    load.version(2);
    running.await.unwrap().unwrap();
    replica.load().await.version(3);
    assert_eq!(version_of(&waiting.await.unwrap()), 3);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_room_for_a_load_no_lease_is_taken_and_a_stale_entry_is_served() {
    let (store, no_waiting) = (store(), Policy { loads_max: 1, waiting_max: 0, ..policy() });
    let mut replica = Replica::new(&store, &no_waiting);
    replica.warm(1, 1).await;
    advance(Duration::from_secs(10)).await;
    let running = replica.get(2);
    let load = replica.load().await;
    for _ in 0..2 {
        let refused = replica.get(3).await.unwrap().unwrap_err();
        assert!(matches!(refused.error, GetError::Load(LoadError::Overloaded)), "{refused:?}");
    }
    let unleased = Ask { lease_s: None, refresh_s: None };
    let look = store.lookup(&key(3), unleased).await;
    assert!(matches!(look, Ok(Look::Absent)), "somebody would wait for it: {look:?}");
    assert_eq!(outcome(&replica.get(1).await.unwrap()), Outcome::Stale);
    load.version(2);
    running.await.unwrap().unwrap();
    // The token of the stale entry was not taken by one who could do nothing with it.
    assert_eq!(outcome(&replica.get(1).await.unwrap()), Outcome::Stale);
    replica.load().await.version(3);
    settle().await;
    assert_eq!(version_of(&replica.get(1).await.unwrap()), 3);
}

#[tokio::test(start_paused = true)]
async fn no_such_thing_is_remembered_for_a_short_time() {
    let mut replica = Replica::new(&store(), &policy());
    let get = replica.get(1);
    replica.load().await.answer(Ok(None));
    assert_eq!(get.await.unwrap().unwrap().body, None);
    let again = replica.get(1).await.unwrap();
    assert_eq!(account(&again).served, Served::Hit { ttl_s: 5, negative: true });
    advance(policy().negative_ttl).await;
    replica.warm(1, 1).await;
}

#[tokio::test(start_paused = true)]
async fn replicas_share_one_load_of_no_such_thing() {
    let store = store();
    let (mut one, mut other) = (Replica::new(&store, &policy()), Replica::new(&store, &policy()));
    let first = one.get(1);
    let load = one.load().await;
    let waiting = other.get(1);
    settle().await;
    load.answer(Ok(None));
    assert_eq!(first.await.unwrap().unwrap().body, None);
    let filled_at = Instant::now();
    // This hit is told to refresh, as so little is left, and does not: nobody would wait for it.
    assert_eq!(outcome(&one.get(1).await.unwrap()), Outcome::NegativeHit);
    let waited = timeout(policy().load_timeout, waiting).await.expect("it waits for nobody");
    assert!(filled_at.elapsed() <= Duration::from_millis(15), "{:?}", filled_at.elapsed());
    assert_eq!(outcome(&waited.unwrap()), Outcome::Collapsed);
    other.no_load().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_to_be_remembered_leaves_no_lease_behind() {
    let forgetful = Policy { negative_ttl: Duration::ZERO, ..policy() };
    let mut replica = Replica::new(&store(), &forgetful);
    for _ in 0..2 {
        let get = replica.get(1);
        replica.load().await.answer(Ok(None));
        assert_eq!(outcome(&get.await.unwrap()), Outcome::Miss);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_entry_is_served_at_once_while_one_caller_of_all_replicas_refreshes_it() {
    let store = store();
    let (mut one, mut other) = (Replica::new(&store, &policy()), Replica::new(&store, &policy()));
    one.warm(1, 1).await;
    advance(Duration::from_secs(12)).await;
    for replica in [&one, &other, &one] {
        let stale = replica.get(1).await.unwrap();
        assert_eq!(account(&stale).served, Served::Hit { ttl_s: -3, negative: false });
        assert_eq!((version_of(&stale), stale.unwrap().age_s), (1, 12));
    }
    other.no_load().await;
    one.load().await.version(2);
    one.no_load().await;
    assert_eq!(version_of(&other.get(1).await.unwrap()), 2);
    assert_eq!(outcome(&other.get(1).await.unwrap()), Outcome::Hit);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_is_tried_again_after_a_pause_and_the_entry_keeps_its_age() {
    let mut replica = Replica::new(&store(), &policy());
    replica.warm(1, 1).await;
    advance(Duration::from_secs(10)).await;
    assert_eq!(outcome(&replica.get(1).await.unwrap()), Outcome::Stale);
    replica.load().await.answer(Err(failed()));
    settle().await;
    let stale = replica.get(1).await.unwrap();
    assert_eq!((outcome(&stale), stale.unwrap().age_s), (Outcome::Stale, 10));
    replica.no_load().await;
    advance(Duration::from_secs(1)).await;
    assert_eq!(replica.get(1).await.unwrap().unwrap().age_s, 11);
    replica.load().await.version(2);
    settle().await;
    assert_eq!(version_of(&replica.get(1).await.unwrap()), 2);
}

#[tokio::test(start_paused = true)]
async fn an_entry_stands_in_for_a_source_that_fails_and_then_for_one_known_to_fail() {
    let mut replica = Replica::new(&store(), &policy());
    replica.warm(1, 1).await;
    advance(Duration::from_secs(50)).await;
    let get = replica.get(1);
    replica.load().await.answer(Err(failed()));
    let stood_in = get.await.unwrap();
    assert_eq!(account(&stood_in).served, Served::StaleIfError { ttl_s: -41 });
    assert_eq!((outcome(&stood_in), version_of(&stood_in)), (Outcome::Stale, 1));
    let at_once = replica.get(1).await.unwrap();
    assert_eq!(account(&at_once).served, Served::Hit { ttl_s: -41, negative: false });
    replica.no_load().await;
    advance(Duration::from_secs(60)).await;
    let gone = replica.get(1);
    replica.load().await.answer(Err(failed()));
    assert!(gone.await.unwrap().is_err(), "it was kept for longer than stale-if-error");
}

#[tokio::test(start_paused = true)]
async fn callers_past_the_grace_wait_for_the_one_that_refreshes() {
    let store = store();
    let (mut one, mut other) = (Replica::new(&store, &policy()), Replica::new(&store, &policy()));
    one.warm(1, 1).await;
    advance(Duration::from_secs(30)).await;
    let first = one.get(1);
    let load = one.load().await;
    let (same, far) = (one.get(1), other.get(1));
    settle().await;
    load.version(2);
    let first = first.await.unwrap();
    let served = Served::Forwarded { why: Forward::Stale, collapsed: false, stored: Some(true) };
    assert_eq!(account(&first).served, served);
    for waiter in [same, far] {
        let waiter = waiter.await.unwrap();
        assert_eq!((version_of(&waiter), outcome(&waiter)), (2, Outcome::Collapsed));
    }
    other.no_load().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_a_refresh_over_and_fails_leaves_the_stale_entry_as_it_was() {
    let store = store();
    let mut replica = Replica::new(&store, &policy());
    replica.warm(1, 1).await;
    advance(Duration::from_secs(30)).await;
    let dead = store.lookup(&key(1), Ask { lease_s: None, refresh_s: Some(100) }).await.unwrap();
    assert!(matches!(dead, Look::Found { token: Token::Won, .. }));
    let get = replica.get(1);
    replica.load().await.answer(Err(failed()));
    let stood_in = get.await.unwrap();
    assert_eq!(account(&stood_in).served, Served::StaleIfError { ttl_s: -26 });
    let at_once = replica.get(1);
    replica.no_load().await;
    let at_once = at_once.await.unwrap();
    assert_eq!((outcome(&at_once), version_of(&at_once)), (Outcome::Stale, 1));
}

#[tokio::test(start_paused = true)]
async fn no_store_asks_no_store_and_no_cache_replaces_what_is_stored() {
    let mut replica = Replica::new(&store(), &policy());
    replica.warm(1, 1).await;
    let no_store = replica.get_with(1, Directives { no_store: true, ..Directives::default() });
    replica.load().await.version(2);
    let no_store = no_store.await.unwrap();
    assert_eq!((version_of(&no_store), outcome(&no_store)), (2, Outcome::Bypass));
    assert_eq!(version_of(&replica.get(1).await.unwrap()), 1);
    let no_cache = replica.get_with(1, Directives { no_cache: true, ..Directives::default() });
    replica.load().await.version(3);
    let no_cache = no_cache.await.unwrap();
    assert_eq!((version_of(&no_cache), outcome(&no_cache)), (3, Outcome::Bypass));
    assert_eq!(version_of(&replica.get(1).await.unwrap()), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_no_cache_neither_answers_from_the_store_nor_harms_it() {
    let mut replica = Replica::new(&store(), &policy());
    replica.warm(1, 1).await;
    let no_cache = replica.get_with(1, Directives { no_cache: true, ..Directives::default() });
    replica.load().await.answer(Err(failed()));
    assert!(no_cache.await.unwrap().is_err());
    assert_eq!(outcome(&replica.get(1).await.unwrap()), Outcome::Hit);
}

#[tokio::test(start_paused = true)]
async fn only_if_cached_takes_no_lease() {
    let mut replica = Replica::new(&store(), &policy());
    let asked = Directives { only_if_cached: true, ..Directives::default() };
    let absent = replica.get_with(1, asked).await.unwrap().unwrap_err();
    assert!(matches!(absent.error, GetError::NotCached), "{absent:?}");
    assert_eq!(absent.account.served, Served::Unanswered);
    let begun_at = Instant::now();
    replica.warm(1, 1).await;
    assert_eq!(begun_at.elapsed(), Duration::ZERO, "a lease was in the way");
    assert_eq!(outcome(&replica.get_with(1, asked).await.unwrap()), Outcome::Hit);
}

#[tokio::test(start_paused = true)]
async fn what_another_client_stored_is_replaced_and_never_an_error() {
    let store = store();
    let mut replica = Replica::new(&store, &policy());
    let foreign = Flags { schema: SCHEMA + 1, negative: false, lifetime_s: 60 }.pack();
    for (id, (flags, bytes)) in (1..).zip([(0, "{}"), (foreign, "{}"), (1 << 24, "hello")]) {
        let ask = Ask { lease_s: Some(10), refresh_s: None };
        let Look::Placeholder { lease, .. } = store.lookup(&key(id), ask).await.unwrap() else {
            panic!("the key is new");
        };
        let value = Value { body: Bytes::from(bytes), flags, left_s: 60 };
        store.fill(&key(id), &lease, value).await.unwrap();
        replica.warm(id, 1).await;
        assert_eq!(outcome(&replica.get(id).await.unwrap()), Outcome::Hit);
    }
}

/// A store whose fills are lost on the way.
#[derive(Clone)]
struct LosesFills(Memory);

impl Store for LosesFills {
    async fn lookup(&self, key: &Key, ask: Ask) -> std::result::Result<Look, StoreError> {
        self.0.lookup(key, ask).await
    }

    async fn fill(&self, _: &Key, _: &Lease, _: Value) -> std::result::Result<Filled, StoreError> {
        Err(StoreError::NoAnswer)
    }

    fn release(&self, key: &Key, lease: &Lease) {
        self.0.release(key, lease);
    }

    async fn forget(&self, key: &Key) -> std::result::Result<(), StoreError> {
        self.0.forget(key).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_is_lost_leaves_nothing_to_wait_for() {
    let mut replica = Replica::new(&LosesFills(store()), &policy());
    let begun_at = Instant::now();
    for version in [1, 2] {
        let get = replica.get(1);
        replica.load().await.version(version);
        let get = get.await.unwrap();
        assert_eq!((version_of(&get), account(&get).detail), (version, Some(Detail::NotStored)));
        settle().await;
    }
    assert_eq!(begun_at.elapsed(), Duration::ZERO, "a lease was waited for");
}

#[tokio::test(start_paused = true)]
async fn the_ledger_holds_every_get_exactly_once() {
    let mut replica = Replica::new(&store(), &policy());
    replica.warm(1, 1).await;
    for _ in 0..3 {
        replica.get(1).await.unwrap().unwrap();
    }
    let no_store = replica.get_with(1, Directives { no_store: true, ..Directives::default() });
    replica.load().await.version(2);
    no_store.await.unwrap().unwrap();
    let all = Outcome::ALL.iter().map(|outcome| replica.metrics.gets(*outcome));
    assert_eq!(all.sum::<u64>(), 5);
    assert_eq!(body(1), Bytes::from(r#"{"version":1}"#));
}
