//! What is absent is loaded once, whoever asks.

use super::*;

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
    assert_eq!(replica.metrics.gets.of(Outcome::Miss), 1);
    assert_eq!(replica.metrics.gets.of(Outcome::Collapsed), 99);
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
