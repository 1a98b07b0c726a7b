//! What the log tells of a queue, and what it leaves out.

use support::{
    aside::{Aside, Place, command},
    eventually,
};

use crate::{
    home::Home,
    service::{FAST, IDLE, jobs},
};

/// The service at `place` with its queue at `home`.
async fn start(place: &Place, home: &Home, arguments: &[&str]) -> Aside {
    let mut service = command(place, arguments);
    service.env("ASIDE_QUEUE", home.url());
    Aside::run(place, service).await
}

#[tokio::test]
async fn the_driver_is_silent_about_tables_that_are_there_and_connections_that_are_not() {
    let (place, mut home) = (Place::seeded().await, Home::lone_postgres().await);
    jobs(&start(&place, &home, IDLE).await).await;
    let aside = start(&place, &home, IDLE).await;
    jobs(&aside).await;
    home.server().kill();
    aside.get("/jobs").await.problem(503);
    let log = aside.log();
    assert!(!log.contains("already exists") && !log.contains("idle connection"), "{log}");
}

/// Asserts that each of the last outages is told once, with its reason, and its end as well.
fn told(aside: &Aside, outages: usize, ends: usize) {
    let log = aside.log();
    assert_eq!(log.matches("the queue of jobs is away").count(), outages, "{log}");
    assert_eq!(log.matches("error=the queue is unavailable: ").count(), outages, "{log}");
    assert_eq!(log.matches("the queue of jobs is back").count(), ends, "{log}");
    // The driver may have a word to say about its own connections.
    let warnings = log.lines().filter(|line| line.contains("WARN") && line.contains("queue"));
    assert_eq!(warnings.count(), outages, "{log}");
}

#[tokio::test]
async fn without_a_worker_requests_tell_of_an_outage_once() {
    let (place, mut home) = (Place::seeded().await, Home::redis().await);
    let aside = start(&place, &home, IDLE).await;
    jobs(&aside).await;
    for round in 1..=2 {
        home.server().kill();
        for _ in 0..5 {
            aside.get("/jobs").await.problem(503);
        }
        told(&aside, round, round - 1);
        home.server().restart().await;
        eventually("it answers again", async || {
            (aside.get("/jobs").await.status == 200).then_some(())
        })
        .await;
        told(&aside, round, round);
    }
}

#[tokio::test]
async fn with_a_worker_an_outage_is_told_once_whoever_meets_it() {
    let (place, mut home) = (Place::seeded().await, Home::lone_postgres().await);
    let aside = start(&place, &home, FAST).await;
    jobs(&aside).await;
    home.server().kill();
    for _ in 0..2 {
        aside.get("/jobs").await.problem(503);
    }
    told(&aside, 1, 0);
    assert!(!aside.log().contains("pool timed out"), "{}", aside.log());
}
