//! More loads than there may be.

use super::*;

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
    assert_eq!(replica.metrics.loads.of(LoadResult::Overloaded), 50);
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
