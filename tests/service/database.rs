//! A database that goes away or takes too long while the service runs.

use std::fs;

use support::{aside::Aside, eventually, memcached::Memcached};

#[tokio::test]
async fn without_its_file_it_is_not_ready_and_says_why() {
    let aside = Aside::start(&[]).await;
    aside.get("/users/1").await.user(1);
    let (file, other) = (aside.place.database(), aside.place.file("other.db"));
    fs::rename(&file, &other).unwrap();
    let gone = eventually("not ready", async || {
        let answer = aside.get("/readyz").await;
        (answer.status == 503).then(|| answer.problem(503))
    });
    assert_eq!(gone.await, "The database file is gone.");
    assert_eq!(aside.get("/healthz").await.status, 200);
    assert_eq!(aside.get("/users/1").await.user(1).x_cache(), "HIT");
    fs::rename(&other, &file).unwrap();
    eventually("ready", async || (aside.get("/readyz").await.status == 200).then_some(())).await;
    let log = aside.log();
    assert_eq!(log.matches("not ready why=database file is gone").count(), 1, "{log}");
    assert_eq!(log.matches("ready again").count(), 1, "{log}");
}

#[tokio::test]
async fn a_corrupt_file_is_an_error_without_its_insides_and_entries_are_still_served() {
    let aside = Aside::start(&[]).await;
    aside.get("/users/1").await.user(1);
    let bytes = fs::metadata(aside.place.database()).unwrap().len();
    let length = usize::try_from(bytes).unwrap();
    fs::write(aside.place.database(), vec![0xff; length]).unwrap();
    let not_ready = async || (aside.get("/readyz").await.status == 503).then_some(());
    eventually("not ready", not_ready).await;
    assert_eq!(aside.get("/users/1").await.user(1).x_cache(), "HIT");
    // Pages that a connection has in memory may still be read; what is not there is an error.
    for id in [2, 5000, 9999] {
        let answer = aside.get(&format!("/users/{id}")).await;
        if answer.status != 200 {
            let told = answer.problem(500);
            assert!(!told.contains("malformed") && !told.contains("sqlite"), "{told}");
        }
    }
}

#[tokio::test]
async fn a_query_past_its_deadline_is_504_and_gives_its_place_back() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let arguments = [
        ["--memcached", &address],
        ["--slow-query", "60s"],
        ["--query-timeout", "200ms"],
        ["--max-queries", "1"],
    ];
    let aside = Aside::start(arguments.as_flattened()).await;
    let answer = aside.get("/users/7").await;
    answer.problem(504);
    assert_eq!(answer.x_cache(), "MISS");
    // With one place and a query of a minute, a second 504 shows that the first query was interrupted.
    eventually("the place is free", async || {
        (aside.get("/users/8").await.status == 504).then_some(())
    })
    .await;
    assert_eq!(aside.get("/readyz").await.status, 200);
}
