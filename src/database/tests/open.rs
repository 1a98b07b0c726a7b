//! Opening: what is made of a new file, and what is kept of an old one.

use std::time::Duration;

use sqlx::SqlitePool;

use super::Place;
use crate::database::{postgres, sqlite::MIGRATIONS};

/// Id, name, email, and the times of creation and of the last change.
type Row = (i64, String, String, String, String);

async fn all_users(readers: &SqlitePool) -> Vec<Row> {
    sqlx::query_as("SELECT * FROM users ORDER BY id").fetch_all(readers).await.unwrap()
}

async fn pragma(readers: &SqlitePool, statement: &'static str) -> String {
    let text = format!("SELECT CAST({statement} AS TEXT) FROM pragma_{statement}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_one(readers).await.unwrap()
}

#[tokio::test]
async fn a_new_database_holds_the_same_ten_thousand_users_everywhere() {
    let (here, there) = (Place::new(), Place::new());
    let users = all_users(here.open(Duration::ZERO, 1).await.readers()).await;
    assert_eq!(users, all_users(there.open(Duration::ZERO, 1).await.readers()).await);
    assert!(users.iter().map(|user| user.0).eq(1..=10_000));
    for (id, name, email, created_at, updated_at) in users {
        let mailbox = name.to_lowercase().replace(' ', ".");
        assert_eq!(email, format!("{mailbox}.{id}@example.com"));
        assert!(("2020-01-01".."2024-12-31").contains(&&created_at[..10]), "{created_at}");
        assert!(created_at <= updated_at && updated_at.as_str() < "2025-01-01", "{updated_at}");
        for time in [created_at, updated_at] {
            assert!(time.len() == 24 && time.ends_with(".000Z") && &time[10..11] == "T", "{time}");
        }
    }
}

#[tokio::test]
async fn opening_again_keeps_what_was_changed_and_no_id_is_given_twice() {
    let place = Place::new();
    place.open(Duration::ZERO, 1).await.close().await;
    place.execute("DELETE FROM users WHERE id IN (42, 10000)").await;
    place
        .execute(
            "INSERT INTO users (name, email, created_at, updated_at)
            VALUES ('New', 'new@example.com', '', '')",
        )
        .await;
    let users = all_users(place.open(Duration::ZERO, 1).await.readers()).await;
    assert_eq!((users.len(), users[41].0, users[9998].0), (9_999, 43, 10_001));
}

#[tokio::test]
async fn every_connection_waits_briefly_and_syncs_fully_in_wal_mode() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    let readers = database.readers();
    assert_eq!(pragma(readers, "journal_mode").await, "wal");
    assert_eq!(pragma(readers, "synchronous").await, "2");
    assert_eq!(pragma(readers, "foreign_keys").await, "1");
    let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(readers).await.unwrap();
    assert_eq!(timeout, 250);
}

#[tokio::test]
async fn a_file_of_an_earlier_version_is_brought_up_to_date_and_keeps_its_rows() {
    let place = Place::new();
    place.execute(include_str!("../../../migrations/0001_create_users.sql")).await;
    place.execute(include_str!("../../../migrations/0002_seed_users.sql")).await;
    place.execute(include_str!("../../../migrations/0003_create_invalidations.sql")).await;
    place.execute(include_str!("of_an_earlier_version.sql")).await;
    let database = place.open(Duration::ZERO, 1).await;
    assert_eq!(all_users(database.readers()).await[41].1, "Eve");
    let last: (i64, String) = sqlx::query_as(
        "SELECT max(version), max(hex(checksum)) FILTER (WHERE version = 4) FROM aside_migrations",
    )
    .fetch_one(database.readers())
    .await
    .unwrap();
    let checksum = "D6C82D987FE85A3DDA6244283356459BCF10BB386E5CD69B47B25A2873148740\
                    B2EFFBC2025D85AD888AE0C7F085AD78";
    let newest = MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap();
    assert_eq!(last, (newest, checksum.to_owned()));
}

#[test]
fn no_migration_of_a_folder_is_left_out() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let of_postgres = format!("{root}/postgres");
    for (folder, migrations) in [(root, &MIGRATIONS[..]), (&of_postgres, &postgres::MIGRATIONS[..])]
    {
        let files = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "postgres")
            .collect();
        files.sort();
        let listed = migrations.iter().map(|(version, description, _)| {
            format!("{version:04}_{}.sql", description.replace(' ', "_"))
        });
        assert!(listed.eq(files), "{folder}");
    }
}

#[tokio::test]
async fn the_migrations_of_the_queue_may_live_in_the_same_file() {
    let place = Place::new();
    place.open(Duration::ZERO, 1).await.close().await;
    place
        .execute(
            "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, checksum BLOB, success BOOLEAN);
            INSERT INTO _sqlx_migrations VALUES (20220530084123, x'00', TRUE);
            CREATE TABLE Jobs (id TEXT)",
        )
        .await;
    place.open(Duration::ZERO, 1).await;
}
