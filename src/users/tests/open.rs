//! Opening: what is made of a new file, and which files are refused.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use sqlx::{Executor, SqlitePool};

use super::Place;
use crate::users::{
    Database, OpenError, OpenFailure, User, database::options_of, migration::migrate,
};

async fn refused(url: &str) -> OpenError {
    let error = Database::open(url, Duration::ZERO, 1).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&format!("{:?}", error.path)), "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
    error
}

async fn all_users(readers: &SqlitePool) -> Vec<User> {
    sqlx::query_as("SELECT * FROM users ORDER BY id").fetch_all(readers).await.unwrap()
}

async fn pragma(readers: &SqlitePool, statement: &'static str) -> String {
    let text = format!("SELECT CAST({statement} AS TEXT) FROM pragma_{statement}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_one(readers).await.unwrap()
}

#[tokio::test]
async fn a_new_database_holds_the_same_ten_thousand_users_everywhere() {
    let (here, there) = (Place::new(), Place::new());
    let users = all_users(&here.open(Duration::ZERO, 1).await.readers).await;
    assert_eq!(users, all_users(&there.open(Duration::ZERO, 1).await.readers).await);
    assert!(users.iter().map(|user| user.id).eq(1..=10_000));
    for User { id, name, email, created_at, updated_at } in users {
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
    let users = all_users(&place.open(Duration::ZERO, 1).await.readers).await;
    assert_eq!((users.len(), users[41].id, users[9998].id), (9_999, 43, 10_001));
}

#[tokio::test]
async fn every_connection_waits_briefly_and_syncs_fully_in_wal_mode() {
    let place = Place::new();
    let readers = place.open(Duration::ZERO, 1).await.readers;
    assert_eq!(pragma(&readers, "journal_mode").await, "wal");
    assert_eq!(pragma(&readers, "synchronous").await, "2");
    assert_eq!(pragma(&readers, "foreign_keys").await, "1");
    let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&readers).await.unwrap();
    assert_eq!(timeout, 250);
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

#[tokio::test]
async fn what_names_no_file_is_refused() {
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:", "sqlite://", "sqlite:file:x"] {
        assert_eq!(refused(url).await.reason, OpenFailure::NotAFile, "{url}");
    }
    for url in ["", "users.db", "postgres://localhost/users", "sqlite://users.db?mode=memory"] {
        assert_eq!(refused(url).await.reason, OpenFailure::NotAUrl, "{url}");
    }
}

#[tokio::test]
async fn a_path_where_no_database_can_be_is_refused() {
    let place = Place::new();
    let directory = format!("sqlite://{}", place.0.path().display());
    assert_eq!(refused(&directory).await.reason, OpenFailure::Directory);
    let missing = format!("{directory}/missing/users.db");
    let error = refused(&missing).await;
    assert_eq!(error.reason, OpenFailure::MissingDirectory);
    assert_eq!(error.path, place.0.path().join("missing/users.db"));
    // Nobody may create a file there, not even root.
    if cfg!(target_os = "linux") {
        let error = refused("sqlite:///proc/users.db").await;
        assert!(matches!(error.reason, OpenFailure::Permission(_)), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_refused() {
    let place = Place::new();
    place.open(Duration::ZERO, 1).await.close().await;
    set_mode(&place.path(), 0o444);
    set_mode(place.0.path(), 0o555);
    // Root may write regardless.
    let anything_goes = std::fs::write(place.0.path().join("other"), "").is_ok();
    let outcome = Database::open(&place.url(), Duration::ZERO, 1).await;
    set_mode(place.0.path(), 0o755);
    match outcome {
        Ok(_) => assert!(anything_goes),
        Err(error) => assert!(matches!(error.reason, OpenFailure::Permission(_)), "{error}"),
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_or_a_broken_one_is_refused_and_left_alone() {
    let place = Place::new();
    std::fs::write(place.path(), "A letter to a friend.\n".repeat(1000)).unwrap();
    assert_eq!(refused(&place.url()).await.reason, OpenFailure::NotADatabase);
    assert!(std::fs::read_to_string(place.path()).unwrap().ends_with("friend.\n"));

    std::fs::remove_file(place.path()).unwrap();
    place.open(Duration::ZERO, 1).await.close().await;
    place.corrupt();
    assert_eq!(refused(&place.url()).await.reason, OpenFailure::Corrupt);
}

#[tokio::test]
async fn the_database_of_another_program_is_refused_and_left_alone() {
    for schema in [
        "CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT)",
        "CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT)",
    ] {
        let place = Place::new();
        place.execute(schema).await;
        let before = std::fs::read(place.path()).unwrap();
        let reason = refused(&place.url()).await.reason;
        assert!(matches!(reason, OpenFailure::OtherSchema(_)), "{reason:?}");
        assert_eq!(std::fs::read(place.path()).unwrap(), before);
    }
}

#[tokio::test]
async fn a_table_of_ours_that_was_altered_is_refused() {
    let place = Place::new();
    place.open(Duration::ZERO, 1).await.close().await;
    place.execute("ALTER TABLE users RENAME COLUMN email TO mail").await;
    let error = refused(&place.url()).await;
    assert!(error.to_string().contains("no such column: email"), "{error}");
}

#[tokio::test]
async fn migrations_that_this_program_does_not_know_are_refused() {
    for change in [
        "UPDATE aside_migrations SET checksum = x'00' WHERE version = 1",
        "UPDATE aside_migrations SET version = 9999 WHERE version = 2",
    ] {
        let place = Place::new();
        place.open(Duration::ZERO, 1).await.close().await;
        place.execute(change).await;
        let reason = refused(&place.url()).await.reason;
        assert!(matches!(reason, OpenFailure::OtherVersion(_)), "{reason:?}");
    }
}

#[tokio::test]
async fn a_file_that_stays_locked_is_given_up_and_one_that_comes_free_is_not() {
    let place = Place::new();
    let mut other = place.connect().await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let options = options_of(&place.url()).unwrap();
    let outcome = migrate(&options, Duration::from_millis(1)).await;
    assert_eq!(outcome.err(), Some(OpenFailure::Locked));
    let url = place.url();
    let opening =
        tokio::spawn(async move { Database::open(&url, Duration::ZERO, 1).await.unwrap() });
    other.execute("ROLLBACK").await.unwrap();
    opening.await.unwrap();
}
