//! Opening: what is refused, and that it is left as it was.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use sqlx::Executor;

use super::Place;
use crate::database::{Database, OpenError, OpenFailure, options_of, sqlite::migrate};

async fn refused(url: &str) -> OpenError {
    let error = Database::open(url, Duration::ZERO, 1).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&format!("{:?}", error.path)), "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
    error
}

#[tokio::test]
async fn what_names_no_file_is_refused() {
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:", "sqlite://", "sqlite:file:x"] {
        assert_eq!(refused(url).await.reason, OpenFailure::NotAFile, "{url}");
    }
    for url in ["", "users.db", "mysql://localhost/users", "sqlite://users.db?mode=memory"] {
        assert_eq!(refused(url).await.reason, OpenFailure::NotAUrl, "{url}");
    }
}

#[tokio::test]
async fn a_path_where_no_database_can_be_is_refused() {
    let place = Place::new();
    let directory = format!("sqlite://{}", place.folder.path().display());
    assert_eq!(refused(&directory).await.reason, OpenFailure::Directory);
    let missing = format!("{directory}/missing/users.db");
    let error = refused(&missing).await;
    assert_eq!(error.reason, OpenFailure::MissingDirectory);
    assert_eq!(error.path, place.folder.path().join("missing/users.db"));
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
    set_mode(place.folder.path(), 0o555);
    // Root may write regardless.
    let anything_goes = std::fs::write(place.folder.path().join("other"), "").is_ok();
    let outcome = Database::open(&place.url(), Duration::ZERO, 1).await;
    set_mode(place.folder.path(), 0o755);
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
async fn a_file_that_stays_locked_is_given_up() {
    let place = Place::new();
    let mut other = place.connect().await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let options = options_of(&place.url()).unwrap();
    let outcome = migrate(&options, Duration::from_millis(1)).await;
    assert_eq!(outcome.err(), Some(OpenFailure::Locked));
}
