//! Files of queues that are removed or replaced while they are in use.

use std::fs;

use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use support::{
    aside::{Aside, Place, command},
    eventually,
};

use crate::{
    refused::away,
    service::{FAST, IDLE, counted, jobs, warm_up},
};

/// The files that SQLite keeps beside the queue's while that is in use.
const BESIDE: [&str; 2] = ["aside.db-jobs-wal", "aside.db-jobs-shm"];

fn remove(place: &Place) {
    fs::remove_file(place.file("aside.db-jobs")).unwrap();
    for name in BESIDE {
        fs::remove_file(place.file(name)).unwrap();
    }
}

/// Puts user 9 on the queue from another process, which makes the file if there is none.
async fn produce(place: &Place) {
    let output = command(place, &["jobs", "produce", "9"]).output().await.unwrap();
    assert!(output.stdout.starts_with(b"queued 1 on "), "{output:?}");
}

/// Jobs in this state in the file that is there, as another program sees them.
async fn stored(place: &Place, state: &str) -> i64 {
    let mut file = SqliteConnection::connect(&format!("{}-jobs", place.url())).await.unwrap();
    let count = sqlx::query_scalar("SELECT count(*) FROM aside_jobs WHERE state = ?1").bind(state);
    let count = count.fetch_one(&mut file).await.unwrap();
    file.close().await.unwrap();
    count
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_was_removed_and_another_one_is_made() {
    let aside = Aside::start(IDLE).await;
    assert_eq!(warm_up(&aside, &json!({ "ids": [1] })).await.status, 202);
    for round in 1..=2 {
        remove(&aside.place);
        away(&aside).await;
        assert_eq!(warm_up(&aside, &json!({ "ids": [2, 3] })).await.status, 202);
        assert_eq!(stored(&aside.place, "queued").await, 2);
        let log = aside.log();
        assert_eq!(
            log.matches("was removed or replaced: its jobs are lost").count(),
            round,
            "{log}"
        );
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_whose_name_another_one_took() {
    let aside = Aside::start(IDLE).await;
    assert_eq!(warm_up(&aside, &json!({ "ids": [1] })).await.status, 202);
    remove(&aside.place);
    produce(&aside.place).await;
    aside.get("/jobs").await.problem(503);
    assert_eq!(jobs(&aside).await["waiting"], 1);
    assert_eq!(warm_up(&aside, &json!({ "ids": [2] })).await.status, 202);
    assert_eq!(stored(&aside.place, "queued").await, 2);
}

#[tokio::test]
async fn a_worker_goes_over_to_the_file_that_took_the_name_of_its_own() {
    let aside = Aside::start(FAST).await;
    assert_eq!(warm_up(&aside, &json!({ "ids": [1] })).await.status, 202);
    counted(&aside, "done", 1).await;
    remove(&aside.place);
    produce(&aside.place).await;
    // No request tells it.
    eventually("the job is done", async || (stored(&aside.place, "done").await == 1).then_some(()))
        .await;
    assert_eq!(warm_up(&aside, &json!({ "ids": [2] })).await.status, 202);
    counted(&aside, "done", 2).await;
    let log = aside.log();
    for line in ["was removed or replaced", "its file is gone", "jobs is away", "jobs is back"] {
        assert_eq!(log.matches(line).count(), 1, "{line}: {log}");
    }
}

#[tokio::test]
async fn two_workers_get_over_the_loss_of_the_file_alone() {
    let aside = Aside::start(FAST).await;
    assert_eq!(warm_up(&aside, &json!({ "ids": [1] })).await.status, 202);
    counted(&aside, "done", 1).await;
    let other = Aside::start_at(&aside.place, FAST).await;
    assert_eq!(warm_up(&other, &json!({ "ids": [2] })).await.status, 202);
    counted(&other, "done", 2).await;
    // What SQLite keeps beside it stays, as it does after `rm aside.db-jobs`.
    fs::remove_file(aside.place.file("aside.db-jobs")).unwrap();
    for aside in [&aside, &other] {
        eventually("the queue is back", async || {
            aside.log().contains("the queue of jobs is back").then_some(())
        })
        .await;
    }
    for (done, aside) in (1..=4).zip([&aside, &other].into_iter().cycle()) {
        assert_eq!(warm_up(aside, &json!({ "ids": [done] })).await.status, 202);
        counted(aside, "done", done).await;
    }
}
