//! Loads and writes at the same time.

use super::*;

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
    assert_eq!(replica.metrics.fills.of(FillResult::Superseded), 1);
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
