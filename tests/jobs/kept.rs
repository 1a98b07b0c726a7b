//! Queues that go away and come back.

use aside::jobs::QueueError;
use tokio::time::{Duration, Instant};

use crate::{
    consumer::{Consumer, Manner, counted},
    home::Home,
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
