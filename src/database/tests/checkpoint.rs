//! The write-ahead log stays short.

use std::{fs::metadata, time::Duration};

use sqlx::Connection;
use tokio::time::{Instant, sleep};

use super::{Place, far};
use crate::database::{sqlite::LOG_BYTES_MAX, statement::Sql};

/// Reads while it sleeps.
const SLOW_READ: &str = "SELECT count(*) FROM (SELECT id FROM users LIMIT 5)
    WHERE CAST(id AS TEXT) <> '' COLLATE slow";

#[tokio::test]
async fn a_long_log_is_cut_though_queries_overlap_without_a_gap() {
    let place = Place::new();
    let database = place.open(Duration::from_millis(50), 4).await;
    let queries: Vec<_> = (1..=4)
        .map(|place| {
            let database = database.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(12) * place).await;
                loop {
                    let row = database.load(Sql::both(SLOW_READ), &[], far()).await;
                    assert_eq!(row.unwrap().unwrap().get::<i64>(0).unwrap(), 5);
                }
            })
        })
        .collect();
    let mut other = place.connect().await;
    let bytes = LOG_BYTES_MAX + 1;
    let ballast =
        format!("CREATE TABLE ballast (bytes); INSERT INTO ballast VALUES (zeroblob({bytes}))");
    sqlx::raw_sql(sqlx::AssertSqlSafe(ballast)).execute(&mut other).await.unwrap();
    let log = place.path().with_extension("db-wal");
    let length = || metadata(&log).unwrap().len();
    let give_up = far();
    while length() > LOG_BYTES_MAX {
        assert!(Instant::now() < give_up, "the log has {} bytes", length());
        sleep(Duration::from_millis(20)).await;
    }
    queries.iter().for_each(tokio::task::JoinHandle::abort);
    other.close().await.unwrap();
}
