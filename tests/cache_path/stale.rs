//! Entries past their fresh life: refreshed by one, and a stand-in for a source that fails.

use super::*;

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

/// A replica whose source has just failed, after its deadline, for an entry past its grace.
async fn failing() -> Replica {
    let mut replica = Replica::new(&store(), &policy());
    replica.warm(1, 1).await;
    advance(Duration::from_secs(30)).await;
    let first = replica.get(1);
    let hanging = replica.load().await;
    advance(policy().load_timeout).await;
    hanging.answer(Err(LoadError::Timeout));
    let stood_in = first.await.unwrap();
    assert!(matches!(account(&stood_in).served, Served::StaleIfError { .. }), "{stood_in:?}");
    replica
}

/// Asserts that the stale entry is served without a wait for the source.
#[track_caller]
fn at_once(replica: &Replica) -> impl Future<Output = ()> {
    let (get, caller) = (replica.get(1), std::panic::Location::caller());
    async move {
        settle().await;
        assert!(get.is_finished(), "{caller}: it waits for the source");
        let served = account(&get.await.unwrap()).served;
        assert!(matches!(served, Served::Hit { ttl_s: ..0, .. }), "{caller}: {served:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_first_failure_of_a_source_that_hangs_is_waited_for() {
    let mut replica = failing().await;
    let (begun_at, mut hanging, mut tries) = (Instant::now(), None, 0);
    while begun_at.elapsed() < Duration::from_secs(50) {
        at_once(&replica).await;
        if let Ok(load) = replica.loads.try_recv() {
            hanging = Some((Instant::now(), load));
            tries += 1;
        }
        advance(Duration::from_millis(100)).await;
        let over = |(since, _): &mut (Instant, _)| since.elapsed() >= policy().load_timeout;
        if let Some((_, load)) = hanging.take_if(over) {
            load.answer(Err(LoadError::Timeout));
            settle().await;
        }
    }
    assert!(tries > 3, "{tries} tries");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_tried_late_is_not_waited_for_either() {
    let mut replica = failing().await;
    // Known to fail for a load and ten seconds after a pause that has ended by now.
    advance(Duration::from_secs(14)).await;
    at_once(&replica).await;
    let late = replica.load().await;
    advance(policy().load_timeout - Duration::from_millis(1)).await;
    at_once(&replica).await;
    late.version(2);
    settle().await;
    assert_eq!(version_of(&replica.get(1).await.unwrap()), 2);
}
