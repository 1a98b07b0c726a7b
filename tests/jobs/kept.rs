//! Queues that go away and come back.

use std::{future::pending, net::SocketAddr};

use aside::jobs::{Limits, Queue, QueueError};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Duration, Instant},
};

use crate::{
    consumer::{Consumer, Manner, counted},
    home::{Home, QUICK},
    support::eventually,
};

/// Longest time until a queue that is away is said to be so.
const SAID_WITHIN: Duration = Duration::from_secs(8);

async fn goes_away_and_comes_back(mut home: Home) {
    let queue = home.queue();
    queue.push(&[1]).await.unwrap();
    let consumer = Consumer::start(&queue, Manner::Answer);
    counted(&queue, "the first is done", |counts| counts.done == 1).await;
    drop(consumer);
    // Acknowledged, and the last thing that the server does.
    queue.push(&[2, 3]).await.unwrap();
    home.server.as_mut().unwrap().kill();
    let consumer = Consumer::start(&queue, Manner::Answer);
    for _ in 0..2 {
        let asked_at = Instant::now();
        let refused = queue.push(&[4]).await;
        assert!(matches!(refused, Err(QueueError::Unavailable(_))), "{refused:?}");
        assert!(queue.report().await.is_err());
        assert!(asked_at.elapsed() < 2 * SAID_WITHIN, "{:?}", asked_at.elapsed());
    }
    home.server.as_mut().unwrap().restart().await;
    eventually("pushes are taken again", async || queue.push(&[5]).await.ok()).await;
    eventually("all are done", async || (consumer.warmed() == [2, 3, 5]).then_some(())).await;
}

#[tokio::test]
async fn postgres_goes_away_and_comes_back_with_what_it_had() {
    goes_away_and_comes_back(Home::postgres().await).await;
}

#[tokio::test]
async fn redis_goes_away_and_comes_back_with_what_it_had() {
    goes_away_and_comes_back(Home::redis().await).await;
}

/// A way to `server` that goes dead for its connections with each change of `dead`: what is sent is
/// swallowed, and nobody hears of it. Connections that are made later are alive.
async fn way_to(server: String, dead: &watch::Sender<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dead = dead.subscribe();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (server, mut dead) = (server.clone(), dead.clone());
            dead.mark_unchanged();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    _ = dead.changed() => pending().await,
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_worker_whose_connection_goes_dead_makes_a_new_one() {
    let home = Home::postgres().await;
    let url = home.url();
    let server = url.split(['@', '/']).nth(3).unwrap().to_owned();
    let dead = watch::Sender::new(());
    let address = way_to(server.clone(), &dead).await;
    let way = url.replace(&server, &address.to_string()).parse().unwrap();
    let queue = Queue::new(&way, QUICK, Limits::default());
    queue.push(&[1]).await.unwrap();
    let consumer = Consumer::start(&queue, Manner::Answer);
    counted(&queue, "the first is done", |counts| counts.done == 1).await;
    dead.send_replace(());
    home.queue().push(&[2]).await.unwrap();
    eventually("the second is done", async || (consumer.warmed() == [1, 2]).then_some(())).await;
}
