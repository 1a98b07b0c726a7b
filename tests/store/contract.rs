//! What every store promises, told once and held against both: memcached and this process's memory.

use std::time::Duration;

use aside::cache::{Ask, Filled, Key, Lease, Look, Memory, Origin, Store, Token, Value};
use futures_util::future::join_all;
use support::{
    client::{Client, LEASED, UNLEASED, key, value},
    eventually,
    memcached::Memcached,
};

/// A look that refreshes what has less than two minutes left: every [`value`].
const REFRESHING: Ask = Ask { lease_s: Some(30), refresh_s: Some(120) };

macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        mod memory {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(Memory::new(1 << 20, Duration::MAX, Origin::Memory)).await;
            })+
        }

        mod memcached {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                let server = Memcached::start().await;
                let client = Client::start(server.address(), Duration::from_secs(5));
                client.is_connected().await;
                super::$promise(client.store.clone()).await;
            })+
        }
    };
}

contract! {
    the_first_look_wins_and_the_next_sees_the_same_version_taken,
    of_many_looks_at_once_one_wins,
    what_was_filled_comes_back_with_its_flags_and_its_life,
    what_was_filled_empty_is_no_placeholder,
    a_lease_fills_once,
    a_fill_after_a_forget_is_superseded,
    a_fill_after_a_forget_and_a_new_lease_is_superseded,
    a_released_lease_is_won_by_a_later_look,
    a_release_removes_no_other_version,
    a_lease_lapses_by_itself,
    a_value_lapses_by_itself,
    an_entry_that_grows_stale_is_refreshed_by_one,
    an_entry_put_back_is_refreshed_by_the_next,
    a_refresh_after_a_forget_is_superseded,
    a_look_without_a_lease_leaves_no_trace,
    a_look_without_a_lease_sees_that_another_loads,
    forgetting_is_idempotent,
}

async fn placeholder(store: &impl Store, key: &Key, ask: Ask) -> (Lease, Token) {
    match store.lookup(key, ask).await {
        Ok(Look::Placeholder { lease, token }) => (lease, token),
        other => panic!("no placeholder: {other:?}"),
    }
}

async fn found(store: &impl Store, key: &Key, ask: Ask) -> (Value, Lease, Token) {
    match store.lookup(key, ask).await {
        Ok(Look::Found { found, lease, token }) => (found, lease, token),
        other => panic!("nothing was found: {other:?}"),
    }
}

/// The lease of a key that is absent.
async fn won(store: &impl Store, key: &Key) -> Lease {
    let (lease, token) = placeholder(store, key, LEASED).await;
    assert_eq!(token, Token::Won);
    lease
}

/// Looks until the lease is there to be had, as after a release, for which nobody waits.
async fn won_soon(store: &impl Store, key: &Key) -> Lease {
    eventually("the lease is released", async || {
        let (lease, token) = placeholder(store, key, LEASED).await;
        (token == Token::Won).then_some(lease)
    })
    .await
}

async fn filled(store: &impl Store, key: &Key, body: &'static str) {
    let lease = won(store, key).await;
    assert_eq!(store.fill(key, &lease, value(body)).await, Ok(Filled::Stored));
}

async fn the_first_look_wins_and_the_next_sees_the_same_version_taken(store: impl Store) {
    let key = key("user:1");
    let lease = won(&store, &key).await;
    let (seen, token) = placeholder(&store, &key, LEASED).await;
    assert_eq!((seen.cas, token), (lease.cas, Token::Taken));
}

async fn of_many_looks_at_once_one_wins(store: impl Store) {
    let key = key("user:1");
    let looks = join_all((0..100).map(|_| placeholder(&store, &key, LEASED))).await;
    assert_eq!(looks.iter().filter(|(_, token)| *token == Token::Won).count(), 1);
    assert!(looks.iter().all(|(lease, _)| lease.cas == looks[0].0.cas), "{looks:?}");
}

async fn what_was_filled_comes_back_with_its_flags_and_its_life(store: impl Store) {
    let key = key("user:1");
    filled(&store, &key, "{}").await;
    let (found, _, token) = found(&store, &key, LEASED).await;
    assert_eq!((&found.body[..], found.flags, token), (&b"{}"[..], 7, Token::Unclaimed));
    // Some of it may have passed.
    assert!((50..=60).contains(&found.left_s), "{found:?}");
}

/// Nobody loads it, so nobody may wait for it.
async fn what_was_filled_empty_is_no_placeholder(store: impl Store) {
    let key = key("user:1");
    filled(&store, &key, "").await;
    let (found, _, token) = found(&store, &key, LEASED).await;
    assert_eq!((&found.body[..], token), (&b""[..], Token::Unclaimed));
}

async fn a_lease_fills_once(store: impl Store) {
    let key = key("user:1");
    let lease = won(&store, &key).await;
    assert_eq!(store.fill(&key, &lease, value("first")).await, Ok(Filled::Stored));
    assert_eq!(store.fill(&key, &lease, value("second")).await, Ok(Filled::Superseded));
    assert_eq!(found(&store, &key, LEASED).await.0.body, "first");
}

async fn a_fill_after_a_forget_is_superseded(store: impl Store) {
    let key = key("user:1");
    let lease = won(&store, &key).await;
    store.forget(&key).await.unwrap();
    assert_eq!(store.fill(&key, &lease, value("old")).await, Ok(Filled::Superseded));
    won(&store, &key).await;
}

async fn a_fill_after_a_forget_and_a_new_lease_is_superseded(store: impl Store) {
    let key = key("user:1");
    let before = won(&store, &key).await;
    store.forget(&key).await.unwrap();
    let after = won(&store, &key).await;
    assert_eq!(store.fill(&key, &before, value("old")).await, Ok(Filled::Superseded));
    assert_eq!(store.fill(&key, &after, value("new")).await, Ok(Filled::Stored));
    assert_eq!(store.fill(&key, &before, value("old")).await, Ok(Filled::Superseded));
    assert_eq!(found(&store, &key, LEASED).await.0.body, "new");
}

async fn a_released_lease_is_won_by_a_later_look(store: impl Store) {
    let key = key("user:1");
    let lease = won(&store, &key).await;
    store.release(&key, &lease);
    let next = won_soon(&store, &key).await;
    assert_ne!(next.cas, lease.cas);
    assert_eq!(store.fill(&key, &lease, value("old")).await, Ok(Filled::Superseded));
}

async fn a_release_removes_no_other_version(store: impl Store) {
    let key = key("user:1");
    let lease = won(&store, &key).await;
    assert_eq!(store.fill(&key, &lease, value("{}")).await, Ok(Filled::Stored));
    store.release(&key, &lease);
    // Releases are carried out in their order: once a later one is, so is this one.
    let later = self::key("user:2");
    store.release(&later, &won(&store, &later).await);
    won_soon(&store, &later).await;
    assert_eq!(found(&store, &key, LEASED).await.0.body, "{}");
}

async fn a_lease_lapses_by_itself(store: impl Store) {
    let key = key("user:1");
    let brief = Ask { lease_s: Some(1), refresh_s: None };
    let (lease, token) = placeholder(&store, &key, brief).await;
    assert_eq!(token, Token::Won);
    eventually("the lease lapses", async || {
        (placeholder(&store, &key, LEASED).await.1 == Token::Won).then_some(())
    })
    .await;
    assert_eq!(store.fill(&key, &lease, value("late")).await, Ok(Filled::Superseded));
}

async fn a_value_lapses_by_itself(store: impl Store) {
    let key = key("user:1");
    let lease = won(&store, &key).await;
    let mut brief = value("{}");
    brief.left_s = 1;
    assert_eq!(store.fill(&key, &lease, brief).await, Ok(Filled::Stored));
    let look = eventually("the value lapses", async || {
        let look = store.lookup(&key, LEASED).await.unwrap();
        (!matches!(look, Look::Found { .. })).then_some(look)
    })
    .await;
    assert!(matches!(look, Look::Placeholder { token: Token::Won, .. }), "{look:?}");
}

async fn an_entry_that_grows_stale_is_refreshed_by_one(store: impl Store) {
    let key = key("user:1");
    filled(&store, &key, "old").await;
    let (_, lease, token) = found(&store, &key, REFRESHING).await;
    assert_eq!(token, Token::Won);
    let (old, seen, token) = found(&store, &key, REFRESHING).await;
    assert_eq!((&old.body[..], seen.cas, token), (&b"old"[..], lease.cas, Token::Taken));
    let mut new = value("new");
    new.left_s = 600;
    assert_eq!(store.fill(&key, &lease, new).await, Ok(Filled::Stored));
    let (new, _, token) = found(&store, &key, REFRESHING).await;
    assert_eq!((&new.body[..], token), (&b"new"[..], Token::Unclaimed));
}

async fn an_entry_put_back_is_refreshed_by_the_next(store: impl Store) {
    let key = key("user:1");
    filled(&store, &key, "old").await;
    let (old, lease, token) = found(&store, &key, REFRESHING).await;
    assert_eq!(token, Token::Won);
    assert_eq!(store.fill(&key, &lease, value(old.body)).await, Ok(Filled::Stored));
    let (old, next, token) = found(&store, &key, REFRESHING).await;
    assert_eq!((&old.body[..], token), (&b"old"[..], Token::Won));
    assert_ne!(next.cas, lease.cas);
}

async fn a_refresh_after_a_forget_is_superseded(store: impl Store) {
    let key = key("user:1");
    filled(&store, &key, "old").await;
    let (_, lease, token) = found(&store, &key, REFRESHING).await;
    assert_eq!(token, Token::Won);
    store.forget(&key).await.unwrap();
    assert_eq!(store.fill(&key, &lease, value("old")).await, Ok(Filled::Superseded));
    won(&store, &key).await;
}

async fn a_look_without_a_lease_leaves_no_trace(store: impl Store) {
    let key = key("user:1");
    for _ in 0..2 {
        let look = store.lookup(&key, UNLEASED).await;
        assert!(matches!(look, Ok(Look::Absent)), "{look:?}");
    }
    won(&store, &key).await;
}

async fn a_look_without_a_lease_sees_that_another_loads(store: impl Store) {
    let key = key("user:1");
    let lease = won(&store, &key).await;
    let (seen, token) = placeholder(&store, &key, UNLEASED).await;
    assert_eq!((seen.cas, token), (lease.cas, Token::Taken));
}

async fn forgetting_is_idempotent(store: impl Store) {
    let key = key("user:1");
    assert_eq!(store.forget(&key).await, Ok(()));
    filled(&store, &key, "{}").await;
    for _ in 0..2 {
        assert_eq!(store.forget(&key).await, Ok(()));
    }
    won(&store, &key).await;
}
