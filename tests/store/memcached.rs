//! What memcached as a store promises besides the contract, against real memcached processes: full,
//! stopped, killed, restarted, out of connections, or never there.

use std::{pin::pin, time::Duration};

use aside::{
    cache::{Ask, Filled, Lease, Look, Store, StoreError, Token},
    memcached::{Address, State},
};
use bytes::Bytes;
use futures_util::{future::join_all, poll};
use support::{
    client::{Client, LEASED, UNLEASED, body, key, value},
    eventually,
    memcached::{Memcached, free_port},
};
use tokio::{net::TcpListener, time::timeout};

/// More than a round trip of these tests takes on a busy machine.
const UNHURRIED: Duration = Duration::from_secs(5);

/// For those that wait for the deadline to pass.
const HURRIED: Duration = Duration::from_millis(200);

/// The time in which every operation of a client in a hurry must be over.
const HURRIED_MAX: Duration = Duration::from_secs(5);

/// For those that have an answer or a refusal within [`HURRIED_MAX`], and wait for no deadline to pass.
const BRISK: Duration = Duration::from_secs(2);

async fn connected(server: &Memcached, operation_timeout: Duration) -> Client {
    let client = Client::start(server.address(), operation_timeout);
    client.is_connected().await;
    client
}

/// Looks until the lease is there to be had, as after a release, for which nobody waits.
async fn won_soon(client: &Client, name: &str) -> Lease {
    eventually("the lease is released", async || match client.look_up(name).await {
        Ok(Look::Placeholder { lease, token: Token::Won }) => Some(lease),
        _ => None,
    })
    .await
}

/// Waits until both connections for changes have made the item of their probes, each with a number of its own.
async fn is_probed(server: &Memcached) {
    let both = async || (server.statistic("total_items").await? == 2).then_some(());
    eventually("two probes", both).await;
}

async fn fills_and_finds(client: &Client, name: &str) {
    assert_eq!(client.fill(name, Bytes::from(name.to_owned())).await, Ok(Filled::Stored));
    assert_eq!(body(&client.look_up(name).await).unwrap(), name);
}

#[tokio::test]
async fn a_unix_socket_serves_like_a_port() {
    let mut server = Memcached::start_on_socket().await;
    let client = connected(&server, UNHURRIED).await;
    fills_and_finds(&client, "user:1").await;
    server.restart().await;
    client.is_connected().await;
    fills_and_finds(&client, "user:1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_lookups_at_once_share_round_trips_and_each_gets_its_own() {
    let server = Memcached::start().await;
    let client = connected(&server, UNHURRIED).await;
    let names: Vec<_> = (0..100).map(|number| format!("user:{number}")).collect();
    for name in names.iter().step_by(2) {
        fills_and_finds(&client, name).await;
    }
    let asks = [LEASED, UNLEASED, Ask { lease_s: Some(30), refresh_s: Some(5) }];
    let lookups = (0..1000).map(|number| {
        let (store, name) = (client.store.clone(), names[number % names.len()].clone());
        tokio::spawn(async move {
            let look = store.lookup(&key(&name), asks[number % asks.len()]).await;
            (number, name, look)
        })
    });
    let before = ["sum", "count"].map(|part| client.metric(&format!("batch_size_{part}")));
    for looked in join_all(lookups).await {
        let (number, name, look) = looked.unwrap();
        match look.unwrap() {
            Look::Found { found, .. } => assert_eq!(found.body, name),
            Look::Placeholder { .. } | Look::Absent => assert_eq!(number % 2, 1, "{name} is gone"),
        }
    }
    let after = ["sum", "count"].map(|part| client.metric(&format!("batch_size_{part}")));
    let [operations, batches] = [after[0] - before[0], after[1] - before[1]];
    assert_eq!(operations, 1000.0);
    assert!(batches < 500.0, "{batches} batches for a thousand lookups");
    assert_eq!((client.metric("failures_total"), client.metric("crosstalk_total")), (0.0, 0.0));
}

#[tokio::test]
async fn a_value_over_the_limit_is_not_sent_and_the_release_removes_the_old_one() {
    let server = Memcached::start().await;
    let client = connected(&server, UNHURRIED).await;
    fills_and_finds(&client, "user:1").await;
    let Ok(Look::Found { lease, .. }) = client.look_up("user:1").await else { panic!("gone") };
    let large = value(vec![b'x'; (1 << 20) + 1]);
    assert_eq!(client.store.fill(&key("user:1"), &lease, large).await, Ok(Filled::TooLarge));
    assert_eq!(server.statistic("cmd_set").await, Some(1));
    assert_eq!(body(&client.look_up("user:1").await).unwrap(), "user:1");
    client.store.release(&key("user:1"), &lease);
    won_soon(&client, "user:1").await;
}

#[tokio::test]
async fn whoever_waits_for_all_releases_finds_none_that_has_not_been_made() {
    let server = Memcached::start().await;
    let client = connected(&server, UNHURRIED).await;
    let names: Vec<_> = (0..1000).map(|id| format!("user:{id}")).collect();
    let leases = join_all(names.iter().map(|name| client.won(name))).await;
    for (name, lease) in names.iter().zip(&leases) {
        client.store.release(&key(name), lease);
    }
    client.store.released().await;
    assert_eq!(server.statistic("curr_items").await, Some(0));
}

#[tokio::test]
async fn nobody_waits_for_the_releases_of_a_server_that_answers_nothing() {
    let server = Memcached::start().await;
    let client = connected(&server, HURRIED).await;
    let lease = client.won("user:1").await;
    server.stop();
    client.store.release(&key("user:1"), &lease);
    timeout(UNHURRIED, client.store.released()).await.unwrap();
    assert_eq!(client.state(), State::OutOfService);
}

#[tokio::test]
async fn a_value_at_the_limit_is_stored() {
    let server = Memcached::start().await;
    let client = connected(&server, UNHURRIED).await;
    let large = Bytes::from(vec![b'x'; 1_000_000]);
    assert_eq!(client.fill("user:1", large.clone()).await, Ok(Filled::Stored));
    assert_eq!(body(&client.look_up("user:1").await), Some(&large));
}

#[tokio::test]
async fn a_value_over_the_limit_of_the_server_is_too_large_and_the_connection_is_kept() {
    let server = Memcached::start_with(&["-I", "64k", "-o", "slab_chunk_max=16384"]).await;
    let client = connected(&server, UNHURRIED).await;
    let large = Bytes::from(vec![b'x'; 100_000]);
    assert_eq!(client.fill("user:1", large).await, Ok(Filled::TooLarge));
    client.won("user:1").await;
    fills_and_finds(&client, "user:2").await;
    assert_eq!(client.metric("failures_total"), 0.0);
}

#[tokio::test]
async fn a_full_server_evicts_and_answers_only_what_was_stored() {
    let server = Memcached::start_with(&["-m", "4"]).await;
    let client = connected(&server, UNHURRIED).await;
    let names: Vec<_> = (0..400).map(|number| format!("user:{number}")).collect();
    let body_of = |name: &str| Bytes::from(name.repeat(5_000));
    for name in &names {
        assert_eq!(client.fill(name, body_of(name)).await, Ok(Filled::Stored));
    }
    let mut found = 0;
    for name in &names {
        if let Some(body) = body(&client.store.lookup(&key(name), UNLEASED).await) {
            assert!(*body == body_of(name), "{name} has the value of another");
            found += 1;
        }
    }
    assert!(server.statistic("evictions").await.unwrap() > 0);
    assert!((1..names.len()).contains(&found), "{found}");
    assert_eq!(client.metric("failures_total"), 0.0);
}

/// It leaves out of its reply what it has no room to make a placeholder for.
#[tokio::test]
async fn a_full_server_that_evicts_nothing_gives_no_lease_and_stays_in_service() {
    let server = Memcached::start_with(&["-M", "-m", "2"]).await;
    let client = connected(&server, UNHURRIED).await;
    fills_and_finds(&client, "user:1").await;
    server.is_filled().await;
    let look = client.look_up("user:2").await;
    assert!(matches!(look, Ok(Look::Absent)), "{look:?}");
    assert_eq!(body(&client.look_up("user:1").await).unwrap(), "user:1");
    assert_eq!((client.metric("failures_total"), client.metric("crosstalk_total")), (0.0, 0.0));
}

#[tokio::test]
async fn a_fill_after_everything_was_flushed_is_superseded() {
    let server = Memcached::start().await;
    let client = connected(&server, UNHURRIED).await;
    let lease = client.won("user:1").await;
    server.ask("flush_all\r\n", "OK\r\n").await.unwrap();
    let filled = client.store.fill(&key("user:1"), &lease, value("old")).await;
    assert_eq!(filled, Ok(Filled::Superseded));
}

/// F02. The new server gives out the same numbers again: with the lease of the old one an old value
/// would be stored, as it is in the end, by another client that knows no better.
#[tokio::test]
async fn a_lease_from_before_a_restart_is_void() {
    let mut server = Memcached::start().await;
    let client = connected(&server, UNHURRIED).await;
    is_probed(&server).await;
    let before = client.won("user:1").await;
    server.restart().await;
    client.is_connected().await;
    is_probed(&server).await;
    let after = client.won("user:1").await;
    assert_eq!(before.cas, after.cas, "memcached began to count anew");

    let filled = client.store.fill(&key("user:1"), &before, value("old")).await;
    assert_eq!(filled, Ok(Filled::Void));
    let unguarded = format!("ms user:1 3 C{} T60\r\nold\r\n", before.cas);
    assert_eq!(server.ask(&unguarded, "\r\n").await.unwrap(), "HD\r\n");
    assert_eq!(body(&client.look_up("user:1").await).unwrap(), "old");

    // What the lease was given for nobody can tell any more, so that the key goes whatever it holds.
    client.store.release(&key("user:1"), &before);
    won_soon(&client, "user:1").await;
}

/// Looks as `ask` says, and leaves after that is sent and before it is answered.
async fn looks_and_leaves(server: &Memcached, client: &Client, ask: Ask) {
    server.stop();
    let before = client.metric("batch_size_count");
    let store = client.store.clone();
    let leaver = tokio::spawn(async move { store.lookup(&key("user:1"), ask).await });
    eventually("it is sent", async || (client.metric("batch_size_count") > before).then_some(()))
        .await;
    leaver.abort();
    assert!(leaver.await.unwrap_err().is_cancelled());
    server.go_on();
}

#[tokio::test]
async fn a_lease_whose_winner_has_left_is_given_to_the_next() {
    let server = Memcached::start().await;
    let client = connected(&server, UNHURRIED).await;
    looks_and_leaves(&server, &client, LEASED).await;
    won_soon(&client, "user:1").await;
}

#[tokio::test]
async fn a_refresh_whose_winner_has_left_is_given_to_the_next() {
    let server = Memcached::start().await;
    let client = connected(&server, UNHURRIED).await;
    fills_and_finds(&client, "user:1").await;
    // It has a minute to live, which is stale for this one.
    let refreshing = Ask { lease_s: Some(30), refresh_s: Some(120) };
    looks_and_leaves(&server, &client, refreshing).await;
    is_put_back(&client, refreshing).await;
}

/// Looks until the token of the entry is there to be had, and sees that it is the entry.
async fn is_put_back(client: &Client, refreshing: Ask) {
    let found = eventually("it is put back", async || {
        match client.store.lookup(&key("user:1"), refreshing).await {
            Ok(Look::Found { found, token: Token::Won, .. }) => Some(found),
            Ok(Look::Found { .. }) => None,
            other => panic!("it is gone: {other:?}"),
        }
    })
    .await;
    assert_eq!((&found.body[..], found.flags), (&b"user:1"[..], 7));
    assert!((50..=60).contains(&found.left_s), "{}", found.left_s);
}

/// Looks as `ask` says, and leaves after the answer has come and before it is heard.
async fn looks_and_does_not_listen(client: &Client, ask: Ask) {
    let name = key("user:1");
    let mut look = pin!(client.store.lookup(&name, ask));
    assert!(poll!(&mut look).is_pending());
    // By the same connection, so that this is the later answer.
    client.store.lookup(&key("user:2"), UNLEASED).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_its_winner_has_not_heard_of_is_given_to_the_next() {
    let server = Memcached::start().await;
    let client = connected(&server, UNHURRIED).await;
    looks_and_does_not_listen(&client, LEASED).await;
    won_soon(&client, "user:1").await;
}

#[tokio::test]
async fn a_refresh_that_its_winner_has_not_heard_of_is_given_to_the_next() {
    let server = Memcached::start().await;
    let client = connected(&server, UNHURRIED).await;
    fills_and_finds(&client, "user:1").await;
    // It has a minute to live, which is stale for this one.
    let refreshing = Ask { lease_s: Some(30), refresh_s: Some(120) };
    looks_and_does_not_listen(&client, refreshing).await;
    is_put_back(&client, refreshing).await;
}

/// F03.
#[tokio::test]
async fn a_stopped_server_holds_nobody_up_and_its_late_replies_are_nobodys() {
    let server = Memcached::start().await;
    let client = connected(&server, HURRIED).await;
    let names: Vec<_> = (0..20).map(|number| format!("user:{number}")).collect();
    for name in &names {
        let set = format!("ms {name} {} T60\r\n{name}\r\n", name.len());
        assert_eq!(server.ask(&set, "\r\n").await.unwrap(), "HD\r\n");
    }
    // A busy machine may have been late before.
    let failures = client.metric("failures_total");
    server.stop();
    client
        .is_out_of_service_after(async || {
            for look in join_all(names.iter().map(|name| timed(client.look_up(name)))).await {
                assert!(look.is_err(), "{look:?}");
            }
        })
        .await;
    // The other two connections may have been waiting for their deadlines then.
    let failures = client.metric("failures_total") - failures;
    assert!((3.0..=5.0).contains(&failures), "{failures}");
    assert!(matches!(timed(client.look_up("user:1")).await, Err(StoreError::Unavailable)));
    server.go_on();
    eventually("everybody's own value", async || {
        let looks = join_all(names.iter().map(|name| client.look_up(name))).await;
        for (name, look) in names.iter().zip(&looks).filter(|(_, look)| look.is_ok()) {
            assert_eq!(body(look).unwrap(), name);
        }
        looks.iter().all(Result::is_ok).then_some(())
    })
    .await;
    assert_eq!(client.metric("crosstalk_total"), 0.0);
}

/// Fails the test if a client in a hurry takes too long.
async fn timed<T>(operation: impl Future<Output = T>) -> T {
    timeout(HURRIED_MAX, operation).await.expect("every operation ends at its deadline")
}

/// F01.
#[tokio::test]
async fn a_killed_server_is_away_and_after_its_restart_in_service() {
    let mut server = Memcached::start().await;
    let client = connected(&server, BRISK).await;
    fills_and_finds(&client, "user:1").await;
    server.kill();
    client
        .is_out_of_service_after(async || {
            let look = timed(client.look_up("user:1")).await;
            assert!(look.is_err(), "{look:?}");
        })
        .await;
    assert_eq!(client.metric("in_service"), 0.0);
    server.restart().await;
    client.is_in_service().await;
    assert_eq!(client.metric("in_service"), 1.0);
    client.is_connected().await;
    fills_and_finds(&client, "user:1").await;
}

/// F18.
#[tokio::test]
async fn a_server_without_a_connection_left_is_away_until_it_has_one() {
    let server = Memcached::start_with(&["-c", "24"]).await;
    let others = server.all_connections().await;
    let client = Client::start(server.address(), BRISK);
    client.store.known().await;
    assert_eq!(client.state(), State::OutOfService);
    assert!(matches!(timed(client.look_up("user:1")).await, Err(StoreError::Unavailable)));
    drop(others);
    client.is_in_service().await;
    client.is_connected().await;
    fills_and_finds(&client, "user:1").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_at_once() {
    let address = Address::Tcp { host: "127.0.0.1".to_owned(), port: free_port() };
    let client = Client::start(address, UNHURRIED);
    let look = timed(client.look_up("user:1")).await;
    assert!(matches!(look, Err(StoreError::Unavailable)), "{look:?}");
    timed(client.store.known()).await;
    assert_eq!(client.state(), State::OutOfService);
    let forgotten = timed(client.forget("user:1")).await;
    assert_eq!(forgotten, Err(StoreError::Unavailable));
}

/// As a stopped memcached does, before anybody has ever reached it.
#[tokio::test]
async fn a_server_that_accepts_and_never_answers_is_unavailable() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = Client::start(Address::Tcp { host: "127.0.0.1".to_owned(), port }, HURRIED / 2);
    timed(client.store.known()).await;
    assert_eq!(client.state(), State::OutOfService);
    assert!(matches!(timed(client.look_up("user:1")).await, Err(StoreError::Unavailable)));
}
