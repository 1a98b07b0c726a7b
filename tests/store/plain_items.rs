//! What is kept and not cached, on real servers.

use std::time::Duration;

use aside::{
    cache::{Look, Store, StoreError},
    cores::Cores,
    memcached::{Memcached as Servers, PlainItem, State},
    metrics::Metrics,
};
use futures_util::future::join_all;
use support::{
    client::{Client, LEASED, key},
    eventually,
    memcached::Memcached,
};

const UNHURRIED: Duration = Duration::from_secs(5);

async fn connected(server: &Memcached) -> Client {
    let client = Client::start(server.address(), UNHURRIED);
    client.is_connected().await;
    client
}

#[tokio::test]
async fn what_is_kept_is_read_until_it_is_removed() {
    let server = Memcached::start().await;
    let Client { store, .. } = &connected(&server).await;
    let key = &key("session:1");
    assert_eq!(store.read(key, None).await, Ok(None));
    assert_eq!(store.remove(key).await, Ok(false));
    for value in ["one", "another", ""] {
        store.keep(key, value.into(), 60).await.unwrap();
        let PlainItem { value: read, left_s } = store.read(key, None).await.unwrap().unwrap();
        assert_eq!(read, value);
        assert!((50..=60).contains(&left_s.unwrap()), "{left_s:?}");
    }
    assert_eq!(store.remove(key).await, Ok(true));
    assert_eq!(store.read(key, None).await, Ok(None));
}

#[tokio::test]
async fn a_read_renews_the_life_of_what_it_finds_and_only_if_told_to() {
    let server = Memcached::start().await;
    let Client { store, .. } = &connected(&server).await;
    let key = &key("session:1");
    store.keep(key, "one".into(), 60).await.unwrap();
    let left_s = async |renew_s| store.read(key, renew_s).await.unwrap().unwrap().left_s.unwrap();
    assert!(left_s(None).await <= 60);
    assert!(left_s(Some(1000)).await <= 60, "what it had before");
    assert!(left_s(None).await > 900);
    server.ask("touch session:1 0\r\n", "TOUCHED\r\n").await.unwrap();
    assert_eq!(store.read(key, None).await.unwrap().unwrap().left_s, None, "for ever");
}

/// Another program can do so (`md … I`); the first get after it is told to write the item anew.
#[tokio::test]
async fn a_read_of_what_another_has_marked_as_stale_changes_nothing() {
    let server = Memcached::start().await;
    let Client { store, .. } = &connected(&server).await;
    let key = &key("session:1");
    store.keep(key, "one".into(), 60).await.unwrap();
    server.ask("md session:1 I T60\r\n", "HD\r\n").await.unwrap();
    assert_eq!(store.read(key, None).await.unwrap().unwrap().value, "one");
    store.released().await;
    assert_eq!(server.statistic("cmd_set").await, Some(1));
}

#[tokio::test]
async fn many_reads_at_once_share_round_trips_and_each_gets_its_own() {
    let server = Memcached::start().await;
    let client = &connected(&server).await;
    let names: Vec<_> = (0..1000).map(|number| format!("session:{number}")).collect();
    for name in names.iter().step_by(2) {
        client.store.keep(&key(name), name.clone().into(), 60).await.unwrap();
    }
    let before = client.metric("batch_size_count");
    let reads = names.iter().enumerate().map(async |(number, name)| {
        let renew_s = (number % 4 == 0).then_some(1000);
        (number, name, client.store.read(&key(name), renew_s).await.unwrap())
    });
    for (number, name, read) in join_all(reads).await {
        match read {
            Some(kept) => assert_eq!(kept.value, name, "{number}"),
            None => assert_eq!(number % 2, 1, "{name} is gone"),
        }
    }
    let batches = client.metric("batch_size_count") - before;
    assert!(batches < 500.0, "{batches} batches for a thousand reads");
    assert_eq!((client.metric("failures_total"), client.metric("crosstalk_total")), (0.0, 0.0));
}

#[tokio::test]
async fn a_value_over_the_limit_is_refused_and_what_was_there_stays() {
    let server = Memcached::start().await;
    let Client { store, .. } = &connected(&server).await;
    let key = &key("session:1");
    store.keep(key, "one".into(), 60).await.unwrap();
    let large = vec![b'x'; (1 << 20) + 1];
    assert_eq!(store.keep(key, large.into(), 60).await, Err(StoreError::Refused));
    assert_eq!(store.read(key, None).await.unwrap().unwrap().value, "one");
}

#[tokio::test]
async fn a_key_whose_home_is_away_is_unavailable_and_not_absent() {
    let (mut first, second) = (Memcached::start().await, Memcached::start().await);
    let addresses = [first.address(), second.address()];
    let servers = Servers::start(&Cores::here(), &addresses, UNHURRIED, &Metrics::default(), None);
    servers.known().await;
    let keys = || (0..).map(|number| key(&format!("session:{number}")));
    let lost = keys().find(|key| servers.home(key) == Some(&first.address())).unwrap();
    let safe = keys().find(|key| servers.home(key) == Some(&second.address())).unwrap();
    for key in [&lost, &safe] {
        servers.keep(key, "one".into(), 60).await.unwrap();
        assert!(servers.reaches(key));
    }
    first.kill();
    eventually("the server is out of service", async || {
        let _ = servers.lookup(&lost, LEASED).await;
        let away = |(_, state)| state == State::OutOfService;
        servers.states().any(away).then_some(())
    })
    .await;
    assert!(!servers.reaches(&lost));
    assert_eq!(servers.read(&lost, None).await, Err(StoreError::Unavailable));
    assert_eq!(servers.keep(&lost, "two".into(), 60).await, Err(StoreError::Unavailable));
    assert_eq!(servers.remove(&lost).await, Err(StoreError::Unavailable));
    // A cached key does live on its second choice.
    assert!(matches!(servers.lookup(&lost, LEASED).await, Ok(Look::Placeholder { .. })));
    assert_eq!(servers.read(&safe, None).await.unwrap().unwrap().value, "one");
}
