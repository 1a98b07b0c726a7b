//! "No such thing" is an answer, too.

use super::*;

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
