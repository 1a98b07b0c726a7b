//! What the log tells of a queue, and what it leaves out.

use crate::{
    home::Home,
    service::{IDLE, jobs},
    support::aside::{Aside, Place, command},
};

/// The service at `place` with its queue at `home`, which it does not work.
async fn start(place: &Place, home: &Home) -> Aside {
    let mut service = command(place, IDLE);
    service.env("ASIDE_QUEUE", home.url());
    Aside::run(place, service).await
}

#[tokio::test]
async fn the_driver_is_silent_about_tables_that_are_there_and_connections_that_are_not() {
    let (place, mut home) = (Place::seeded().await, Home::postgres().await);
    jobs(&start(&place, &home).await).await;
    let aside = start(&place, &home).await;
    jobs(&aside).await;
    home.server.as_mut().unwrap().kill();
    aside.get("/jobs").await.problem(503);
    let log = aside.log();
    assert!(!log.contains("already exists") && !log.contains("idle connection"), "{log}");
}
