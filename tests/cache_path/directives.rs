//! What a request asks of the cache.

use super::*;

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
