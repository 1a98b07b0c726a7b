//! The promises of this module, kept by real files and real processes.

mod changes;
mod checkpoint;
mod open;
mod ready;
mod refuse;
mod servers;

use std::{path::PathBuf, time::Duration};

use sqlx::{Connection, SqliteConnection, SqlitePool};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{Database, Outdated, statement::Pool};
use crate::cache::Key;

/// A place for a database of one test. It goes with the value.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("users.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    pub(crate) async fn open(&self, slow_query: Duration, max_queries: usize) -> Database {
        let url = self.url();
        // In a task, as opening must be something that can be spawned.
        let opening = async move { Database::open(&url, slow_query, max_queries).await };
        tokio::spawn(opening).await.unwrap().unwrap()
    }

    /// Another program's connection, with SQLite's defaults; it creates the file if it is missing.
    pub(crate) async fn connect(&self) -> SqliteConnection {
        SqliteConnection::connect(&format!("{}?mode=rwc", self.url())).await.unwrap()
    }

    /// Runs `statements` as another program would, and closes the file.
    async fn execute(&self, statements: &'static str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Overwrites everything after the first page, which alone says that it is a database.
    pub(crate) fn corrupt(&self) {
        let mut content = std::fs::read(self.path()).unwrap();
        content[4096..].fill(0xA5);
        std::fs::write(self.path(), content).unwrap();
    }
}

/// A change of the entry of one user.
async fn change(database: &Database, id: i64) -> Outdated {
    database.outdate(Key::numbered("user", id)).await.unwrap()
}

/// Far enough that reaching it is a failure of the test.
pub(crate) fn far() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// The connections, to a file.
fn sqlite(pool: &Pool) -> &SqlitePool {
    let Pool::Sqlite(pool) = pool else { panic!("it is no file") };
    pool
}

impl Database {
    /// Its connections for loads.
    pub(crate) fn readers(&self) -> &SqlitePool {
        sqlite(&self.loads)
    }
}
