//! F41: slow heads, slow bodies and slow readers are reaped, and others notice nothing.

use std::time::Duration;

use aside_edge::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{PATIENCE, eventually, raw::RawClient};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::wire::{Edge, GOOD, assert_problem};

/// Slow clients of each kind, where the process may open so many files.
const SLOW_CLIENTS: u64 = 500;

/// Both ends of three connections, and as much as a third of that for the other tests.
const FILES_PER_CLIENT: u64 = 8;

/// A deadline that no test waits for.
const LONG: Duration = Duration::from_secs(600);

fn limits() -> Limits {
    let deadline = Duration::from_secs(1);
    Limits {
        head_deadline: deadline,
        idle_deadline: deadline,
        body_deadline: deadline,
        write_deadline: deadline,
        ..Limits::default()
    }
}

/// Sends one byte at a time, much more often than the deadlines, until the server has had enough. Returns what it said.
async fn drip(mut client: RawClient, beginning: &str) -> String {
    client.send(beginning).await;
    let (mut reader, mut writer) = client.socket.into_split();
    let dripping = tokio::spawn(async move {
        let mut pace = interval(Duration::from_millis(100));
        while writer.write_all(b"1").await.is_ok() {
            pace.tick().await;
        }
    });
    let mut answer = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut answer);
    assert!(tokio::time::timeout(PATIENCE, read).await.is_ok(), "never reaped after {beginning:?}");
    dripping.abort();
    String::from_utf8(answer).unwrap()
}

/// The number of clients of each kind that there may be. The limit on open files is raised for them as far as it can be.
fn slow_clients() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = SLOW_CLIENTS * FILES_PER_CLIENT;
    let possible = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let files = current.unwrap_or(wanted);
    if files < possible {
        setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }).unwrap();
    }
    let clients = SLOW_CLIENTS.min(files.max(possible) / FILES_PER_CLIENT);
    if clients < SLOW_CLIENTS {
        println!(
            "with {} open files only {clients} slow clients of each kind",
            files.max(possible)
        );
    }
    clients
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_bodies_and_readers_are_reaped_while_others_are_served() {
    let _core = support::core().await;
    let clients = slow_clients();
    // A busy machine may take a while to send even a quick head. As in the service, idle connections have longer.
    let head_deadline = Duration::from_secs(4);
    let edge = Edge::start(Limits { head_deadline, idle_deadline: LONG, ..limits() }).await;
    let slow_body = "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n";
    let (mut heads, mut bodies, mut readers) = (JoinSet::new(), JoinSet::new(), Vec::new());
    for _ in 0..clients {
        bodies.spawn(drip(edge.connect().await, slow_body));
        let mut reader = edge.connect().await;
        reader.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
        readers.push(reader);
    }

    for _ in 0..clients {
        heads.spawn(drip(edge.connect().await, "GET /numbers/1 HTTP/1.1\r\nHost: a\r\nX: "));
    }

    let mut most = 0;
    while !(heads.is_empty() && bodies.is_empty()) {
        edge.is_well().await;
        most = most.max(edge.counters.open.get());
        while let Some(answer) = heads.try_join_next() {
            assert_eq!(answer.unwrap(), "");
        }
        while let Some(answer) = bodies.try_join_next() {
            assert_problem(&answer.unwrap(), "408", slow_body);
        }
    }
    assert!(most >= clients, "others were served beside {most} slow ones at most");
    eventually("the slow readers are reaped", async || {
        (edge.counters.open.get() == 0).then_some(())
    })
    .await;
    edge.is_well().await;
}

/// The rest of an answer waits in the kernel, so that there is nothing for the edge to write; and nothing for it to read.
#[tokio::test]
async fn a_reader_that_takes_nothing_is_ended_though_the_kernel_keeps_its_answer() {
    let edge = Edge::start(Limits { idle_deadline: LONG, head_deadline: LONG, ..limits() }).await;
    // One that has taken its answer is idle, and has as long as an idle connection has.
    let mut idle = edge.connect().await;
    idle.send(GOOD).await;
    idle.read_until("number 1;").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut reader = RawClient { socket: socket.connect(edge.address).await.unwrap() };
    reader.send("GET /medium HTTP/1.1\r\nHost: a\r\n\r\n").await;
    reader.socket.readable().await.unwrap();
    eventually("the reader is ended", async || (edge.counters.open.get() == 1).then_some(())).await;
    idle.send(GOOD).await;
    idle.read_until("number 1;").await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_the_idle_deadline() {
    let edge = Edge::start(Limits { head_deadline: LONG, ..limits() }).await;
    let mut client = edge.connect().await;
    client.send(GOOD).await;
    assert!(client.read_to_end().await.ends_with("number 1;"));
}

#[tokio::test]
async fn a_connection_that_never_begins_a_head_is_closed_at_the_head_deadline() {
    let edge = Edge::start(Limits { idle_deadline: LONG, ..limits() }).await;
    assert_eq!(edge.connect().await.read_to_end().await, "");
}

#[tokio::test]
async fn a_head_that_has_begun_is_closed_at_its_deadline_and_not_at_that_of_an_idle_connection() {
    let edge = Edge::start(Limits { idle_deadline: LONG, ..limits() }).await;
    let mut idle = edge.connect().await;
    idle.send(GOOD).await;
    idle.read_until("number 1;").await;
    for beginning in ["G", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut client = edge.connect().await;
        client.send(GOOD).await;
        client.read_until("number 1;").await;
        assert_eq!(drip(client, beginning).await, "");
    }
    // More than a head deadline has passed, and this one is still open.
    idle.send(GOOD).await;
    idle.read_until("number 1;").await;
}

#[tokio::test]
async fn a_connection_whose_handler_takes_long_is_not_timed() {
    let edge = Edge::start(limits()).await;
    let mut waiting = edge.connect().await;
    waiting.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // A connection that is opened later and sends nothing is closed at its deadline, so every deadline is past by then.
    assert_eq!(edge.connect().await.read_to_end().await, "");
    edge.permits.add_permits(1);
    waiting.read_until("waited").await;
}

#[tokio::test]
async fn a_connection_that_is_idle_after_a_long_handler_is_closed() {
    let edge = Edge::start(limits()).await;
    let mut client = edge.connect().await;
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    timeout(PATIENCE, edge.arrived.acquire()).await.unwrap().unwrap().forget();
    edge.permits.add_permits(1);
    assert!(client.read_to_end().await.ends_with("waited"));
}
