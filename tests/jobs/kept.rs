//! Queues that go away and come back.

use aside::jobs::{Queue, QueueError, QueueLimits};
use sqlx::{Connection, PgConnection};
use support::{eventually, proxy::Proxy};
use tokio::time::{Duration, Instant};

use crate::{
    consumer::{Consumer, Manner, counted},
    home::{Home, SHORT},
};

/// Longest time until a queue that is away is said to be so.
const SAID_WITHIN: Duration = Duration::from_secs(8);

async fn goes_away_and_comes_back(mut home: Home) {
    let queue = home.queue();
    queue.push("users", &[1]).await.unwrap();
    let consumer = Consumer::start(&queue, Manner::Answer);
    counted(&queue, "the first is done", |counts| counts.done == 1).await;
    drop(consumer);
    // Acknowledged, and the last thing that the server does.
    queue.push("users", &[2, 3]).await.unwrap();
    home.server().kill();
    let consumer = Consumer::start(&queue, Manner::Answer);
    for _ in 0..2 {
        let asked_at = Instant::now();
        let refused = queue.push("users", &[4]).await;
        assert!(matches!(refused, Err(QueueError::Unavailable(_))), "{refused:?}");
        assert!(queue.report().await.is_err());
        assert!(asked_at.elapsed() < 2 * SAID_WITHIN, "{:?}", asked_at.elapsed());
    }
    home.server().restart().await;
    eventually("pushes are taken again", async || queue.push("users", &[5]).await.ok()).await;
    eventually("all are done", async || (consumer.warmed() == [2, 3, 5]).then_some(())).await;
}

#[tokio::test]
async fn postgres_goes_away_and_comes_back_with_what_it_had() {
    goes_away_and_comes_back(Home::lone_postgres().await).await;
}

#[tokio::test]
async fn redis_goes_away_and_comes_back_with_what_it_had() {
    goes_away_and_comes_back(Home::redis().await).await;
}

#[tokio::test]
async fn a_postgres_that_is_down_is_not_said_to_be_busy() {
    let mut home = Home::lone_postgres().await;
    let queue = home.queue();
    queue.push("users", &[1]).await.unwrap();
    home.server().kill();
    let lost = queue.push("users", &[2]).await.unwrap_err().to_string();
    assert_eq!(lost, "the queue is unavailable: no connection within 2 s");
    let never_had = home.queue().push("users", &[2]).await.unwrap_err().to_string();
    assert!(never_had.contains("Connection refused"), "{never_had}");
}

#[tokio::test]
async fn a_worker_that_waits_for_an_answer_that_never_comes_is_begun_anew() {
    let home = Home::postgres().await;
    let url = home.url();
    let server = url.split(['@', '/']).nth(3).unwrap().to_owned();
    let proxy = Proxy::start(&server);
    let way = url.replace(&server, &proxy.address().to_string());
    let queue = Queue::new(&way, QueueLimits::default()).unwrap();
    queue.push("users", &[1]).await.unwrap();
    let consumer = Consumer::start_with(&queue, Manner::Answer, SHORT);
    counted(&queue, "the first is done", |counts| counts.done == 1).await;
    // Its next look for jobs waits for a lock, and meanwhile the network goes dead.
    let mut other = PgConnection::connect(&url).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    let table = "LOCK TABLE aside_jobs IN ACCESS EXCLUSIVE MODE";
    sqlx::query(table).execute(&mut *lock).await.unwrap();
    eventually("it waits for the lock", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                       AND datname = current_database()";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut *lock).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    proxy.strand();
    lock.rollback().await.unwrap();
    home.queue().push("users", &[2]).await.unwrap();
    eventually("the second is done", async || (consumer.warmed() == [1, 2]).then_some(())).await;
}
