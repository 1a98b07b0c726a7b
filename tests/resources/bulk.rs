//! A hundred thousand rows changed at once.

use std::time::Duration;

use support::{eventually, memcached::Memcached};
use tokio::time::sleep;

use crate::shop::Shop;

/// Between two requests, and between two looks at what is left.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Rows that are changed by one statement.
const ROWS: usize = 100_000;

/// Of these, one in so many is cached.
const CACHED_EACH: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_update_neither_stops_the_service_nor_loses_a_key() {
    let memcached = Memcached::start().await;
    let servers = memcached.address().to_string();
    let schema = "CREATE TABLE counters (id integer PRIMARY KEY, value integer);";
    for shop in Shop::of_each(schema).await {
        memcached.ask("flush_all\r\n", "OK\r\n").await.unwrap();
        let numbers = if shop.is_postgres() {
            format!("SELECT generate_series(1, {ROWS}) AS i")
        } else {
            format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) SELECT i FROM n"
            )
        };
        shop.execute(&format!("INSERT INTO counters SELECT i, 0 FROM ({numbers}) AS n")).await;
        shop.declare(
            r#"
[resource.counter]
path = "/counters/{id}"
parameters = { id = "integer" }
database = "shop"
query = "SELECT value FROM counters WHERE id = :id"
ttl = "1h"
changed_by = [{ table = "counters", columns = { id = "id" } }]
"#,
        );
        shop.install().await;
        let aside = shop.serve(&["--memcached", &servers]).await;
        let cached: Vec<_> =
            (1..=ROWS).step_by(CACHED_EACH).map(|id| format!("/counters/{id}")).collect();
        for path in &cached {
            assert_eq!(aside.get(path).await.json()["value"], 0);
        }
        let changing = async {
            shop.execute("UPDATE counters SET value = 1").await;
            let mut left = i64::MAX;
            while left > 0 {
                // Each look is a connection to the database, made anew.
                sleep(LOOK_PAUSE).await;
                left = eventually("some more is taken care of", async || {
                    let now = shop.number("SELECT count(*) FROM aside_outdated").await;
                    (now < left).then_some(now)
                })
                .await;
            }
        };
        let serving = async {
            loop {
                assert_eq!(aside.get("/users/1").await.status, 200);
                assert_eq!(aside.get("/readyz").await.status, 200);
                // Clients that never rest would take the processor from what they wait for.
                sleep(LOOK_PAUSE).await;
            }
        };
        tokio::select! {
            () = changing => {}
            () = serving => {}
        }
        for path in &cached {
            assert_eq!(aside.get(path).await.json()["value"], 1, "{path}");
        }
    }
}
