//! Connections that nobody uses for a while: what is asked after that is answered at the first attempt.

use std::time::Duration;

use aside::{
    cache::{Filled, Look, Store, Token},
    memcached::Address,
};
use support::{
    client::{Client, body, key, value},
    eventually,
    fake::{Act, Asked, CONNECTIONS, Fake, Verb, value_of},
    memcached::{Memcached, converse},
};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// More than a round trip of these tests takes on a busy machine.
const UNHURRIED: Duration = Duration::from_secs(5);

/// Looks up, fills, forgets and releases, each over its own connection, and each once.
async fn everything_works_at_once(client: &Client) {
    let lease = client.won("user:1").await;
    let filled = client.store.fill(&key("user:1"), &lease, value("{}")).await;
    assert_eq!(filled, Ok(Filled::Stored));
    assert_eq!(body(&client.look_up("user:1").await).unwrap(), "{}");
    assert_eq!(client.forget("user:1").await, Ok(()));
    let lease = client.won("user:1").await;
    client.store.release(&key("user:1"), &lease);
    eventually("it is released", async || match client.look_up("user:1").await.unwrap() {
        Look::Placeholder { token: Token::Won, .. } => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(client.forget("user:1").await, Ok(()));
}

/// Answers, and closes the connection.
fn last_words(asked: &Asked) -> Vec<Act> {
    vec![Act::Send(asked.honest()), Act::Close]
}

#[tokio::test]
async fn connections_that_are_closed_in_idleness_are_made_anew_before_they_are_needed() {
    let fake = Fake::start().await;
    let client = Client::start(fake.address(), UNHURRIED);
    fake.is_connected(CONNECTIONS).await;
    client.is_in_service().await;
    for verb in [Verb::Lookup, Verb::Fill, Verb::Delete] {
        fake.once(move |asked| (asked.verb == verb).then(|| last_words(asked)));
    }
    let Ok(Look::Found { lease, .. }) = client.look_up("user:1").await else { unreachable!() };
    let filled = client.store.fill(&key("user:1"), &lease, value("{}")).await;
    assert_eq!(filled, Ok(Filled::Stored));
    client.store.release(&key("user:1"), &lease);
    // Nobody asks for anything meanwhile.
    fake.is_connected(CONNECTIONS * 2).await;

    let look = client.look_up("user:1").await;
    assert_eq!(body(&look).unwrap(), &value_of("user:1"));
    let Ok(Look::Found { lease, .. }) = look else { unreachable!() };
    let filled = client.store.fill(&key("user:1"), &lease, value("{}")).await;
    assert_eq!(filled, Ok(Filled::Stored));
    assert_eq!(client.forget("user:1").await, Ok(()));
    assert_eq!(client.metric("failures_total"), 0.0);
}

#[tokio::test]
async fn a_server_that_closes_idle_connections_loses_no_operation() {
    let server = Memcached::start_with(&["-o", "idle_timeout=2"]).await;
    let client = Client::start(server.address(), UNHURRIED);
    client.is_connected().await;
    let Address::Tcp { host, port } = server.address() else { unreachable!() };
    let mut bystander = TcpStream::connect((host.as_str(), port)).await.unwrap();
    converse(&mut bystander, "version\r\n", "\r\n").await.unwrap();
    // It has been idle no longer than the client.
    assert_eq!(bystander.read(&mut [0]).await.unwrap(), 0);
    everything_works_at_once(&client).await;
    assert_eq!(client.metric("failures_total"), 0.0);
}

#[tokio::test]
async fn after_a_restart_in_idleness_everything_works_but_a_lease_from_before() {
    let mut server = Memcached::start().await;
    let client = Client::start(server.address(), UNHURRIED);
    client.is_connected().await;
    let before = client.won("user:1").await;
    server.restart().await;
    // Each connection is probed once; nobody asks for anything.
    eventually("new connections", async || {
        (server.statistic("cmd_get").await? >= CONNECTIONS as u64).then_some(())
    })
    .await;
    client.is_in_service().await;
    let filled = client.store.fill(&key("user:1"), &before, value("old")).await;
    assert_eq!(filled, Ok(Filled::Void));
    everything_works_at_once(&client).await;
}
