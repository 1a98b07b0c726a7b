//! The promises of this module, kept by real files and real processes.

mod changes;
mod checkpoint;
mod fail;
mod load;
mod open;
mod processes;
mod ready;
mod refuse;
mod servers;

use std::{path::PathBuf, time::Duration};

use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{Database, Users};

/// A place for a database of one test. It goes with the value.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("users.db")
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    async fn open(&self, slow_query: Duration, max_queries: usize) -> Database {
        let url = self.url();
        // In a task, as opening must be something that can be spawned.
        let opening = async move { Database::open(&url, slow_query, max_queries).await };
        tokio::spawn(opening).await.unwrap().unwrap()
    }

    /// Another program's connection, with SQLite's defaults; it creates the file if it is missing.
    async fn connect(&self) -> SqliteConnection {
        SqliteConnection::connect(&format!("{}?mode=rwc", self.url())).await.unwrap()
    }

    /// Runs `statements` as another program would, and closes the file.
    async fn execute(&self, statements: &'static str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Overwrites everything after the first page, which alone says that it is a database.
    fn corrupt(&self) {
        let mut content = std::fs::read(self.path()).unwrap();
        content[4096..].fill(0xA5);
        std::fs::write(self.path(), content).unwrap();
    }
}

/// Fast queries, one at a time.
async fn fast(place: &Place) -> Users {
    Users::new(place.open(Duration::ZERO, 1).await)
}

/// Far enough that reaching it is a failure of the test.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(30)
}
