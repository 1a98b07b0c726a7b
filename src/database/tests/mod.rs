//! The promises of this module, kept by real files and real processes.

mod changes;
mod checkpoint;
mod ear;
mod open;
mod ready;
mod refuse;
mod servers;

use std::{path::PathBuf, sync::Arc, time::Duration};

use sqlx::{Connection, PgConnection, SqliteConnection, SqlitePool};
use support::{
    aside::on_postgres,
    servers::{Server, new_database, shared_postgres},
};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{
    Database, Outdated,
    statement::{Pool, Sql},
};
use crate::cache::{Key, Places};

/// A place for a database of one test. It goes with the value.
pub(crate) struct Place {
    folder: TempDir,
    /// The server, and the URL of the database on it.
    postgres: Option<(Arc<Server>, String)>,
}

impl Place {
    /// A place for a file.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), postgres: None }
    }

    /// A place on the kind of database that the tests are run on.
    pub(crate) async fn either() -> Self {
        if on_postgres() { Self::on_server().await } else { Self::new() }
    }

    /// A place on a PostgreSQL.
    async fn on_server() -> Self {
        let server = shared_postgres().await;
        let url = server.url_of(&new_database(&server, "template0").await);
        Self { postgres: Some((server, url)), ..Self::new() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("users.db")
    }

    pub(crate) fn url(&self) -> String {
        match &self.postgres {
            Some((_, url)) => url.clone(),
            None => format!("sqlite://{}", self.path().display()),
        }
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

    /// Another program's connection to the server.
    async fn client(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }

    /// Runs `statements` as another program would, and closes the file.
    async fn execute(&self, statements: &'static str) {
        if self.postgres.is_some() {
            sqlx::raw_sql(statements).execute(&mut self.client().await).await.unwrap();
            return;
        }
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
    // Of another list than any: all places may have it.
    let keys = [(Key::numbered("user", id), Places::NONE)];
    database.outdate(-1, &keys).await.unwrap().remove(0)
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
    /// All keys in the log.
    pub(crate) async fn logged(&self) -> Vec<String> {
        let keys = Sql::both("SELECT key FROM changes ORDER BY position");
        let rows = self.log.rows(keys, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0).unwrap()).collect()
    }

    /// Its connections for loads.
    pub(crate) fn readers(&self) -> &SqlitePool {
        sqlite(&self.loads)
    }
}
