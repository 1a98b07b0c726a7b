//! How many connections there may be.

use aside_edge::{Limits, PerAddress};

use rustix::process::{Resource, getrlimit};
use support::{
    aside::{Aside, Place, command},
    eventually,
    raw::RawClient,
};
use tokio::net::TcpSocket;

use crate::wire::{Edge, GOOD, assert_problem};

#[tokio::test]
async fn one_connection_too_many_is_told_to_retry_and_closed() {
    let edge = Edge::start(Limits {
        connections_max: 2,
        connections_per_address: PerAddress::All,
        ..Limits::default()
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut client = edge.connect().await;
        client.send(GOOD).await;
        client.read_until("number 1;").await;
        open.push(client);
    }
    assert_eq!(edge.counters.open.get(), 2);

    let answer = edge.connect().await.read_to_end().await;
    assert_problem(&answer, "503", "");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    eventually("the refused connection is not counted as open", async || {
        (edge.counters.open.get() == 2).then_some(())
    })
    .await;
    assert_eq!(edge.counters.refused.get(), 1);

    // The others notice nothing, and a free place is taken again.
    open[0].send(GOOD).await;
    open[0].read_until("number 1;").await;
    open.pop();
    eventually("the closed connection is not counted any more", async || {
        (edge.counters.open.get() == 1).then_some(())
    })
    .await;
    edge.is_well().await;
    assert_eq!(edge.counters.refused.get(), 1);
}

#[tokio::test]
async fn one_address_leaves_room_for_the_others() {
    for (connections_per_address, its_own) in [(PerAddress::Half, 2), (PerAddress::AtMost(1), 1)] {
        let limits = Limits { connections_max: 4, connections_per_address, ..Limits::default() };
        let edge = Edge::start(limits).await;
        let mut open = Vec::new();
        for _ in 0..its_own {
            let mut client = edge.connect().await;
            client.send(GOOD).await;
            client.read_until("number 1;").await;
            open.push(client);
        }
        let answer = edge.connect().await.read_to_end().await;
        assert_problem(&answer, "503", "");
        eventually("it is not counted as open", async || {
            (edge.counters.open.get() == its_own).then_some(())
        })
        .await;
        assert_eq!(edge.counters.refused.get(), 1);

        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
        let mut other = RawClient { socket: socket.connect(edge.address).await.unwrap() };
        other.send(GOOD).await;
        other.read_until("number 1;").await;

        open.pop();
        eventually("a place is free again", async || {
            (edge.counters.open.get() == its_own).then_some(())
        })
        .await;
        edge.is_well().await;
    }
}

#[tokio::test]
async fn the_service_raises_its_limit_on_open_files_and_says_what_it_is() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let place = Place::seeded().await;
    // The program inherits the soft limit of its shell.
    let program = command(&place, &[]);
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", "ulimit -S -n 256; exec \"$0\""]).arg(program.as_std().get_program());
    shell.env_clear().current_dir(place.file("")).kill_on_drop(true);
    let variables = program.as_std().get_envs();
    shell.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    let aside = Aside::run(&place, shell).await;
    let raised = maximum.map_or(String::new(), |maximum| format!(" open_files={maximum}"));
    let log = aside.log();
    assert_eq!(log.matches(&raised).count(), 1, "{raised} in {log}");
    assert!(!log.contains("allows fewer connections") || maximum.is_some_and(|max| max < 10_128));
}
