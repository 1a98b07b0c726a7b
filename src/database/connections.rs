//! The SQLite file and its connections.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    Connection, Sqlite, SqlitePool, Transaction,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::time::{Instant, timeout_at};

use super::{
    error::{OPEN_WAIT, OpenError, OpenFailure},
    file::FileIdentity,
    migration::migrate,
    slowness::Slowness,
    unwritten::WRITE_WAIT,
    url::options_of,
};
use crate::cache::LoadError;

/// Longest wait of a load for a connection, unless its own deadline comes first. Past it, the load fails as
/// unavailable. With no more loads at once than connections, a load waits only while one is being
/// made, so that only a machine that stands still meets this.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// Instructions of SQLite's virtual machine between two looks at the clock: fewer than a slice of slowness takes.
const INSTRUCTIONS_PER_LOOK: i32 = 10;

/// The database: one SQLite file in WAL mode. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Database {
    /// One connection for each query that may run at once.
    pub(super) readers: SqlitePool,
    /// One connection for all writes: SQLite has one writer at a time anyway.
    pub(super) writer: SqlitePool,
    /// Connections for those who follow the log of changes: they wait neither for a query nor for a writer.
    pub(super) log: SqlitePool,
    /// One connection at a time for [`ready`](Database::ready) alone, so that a busy service stays ready.
    pub(super) probe: SqlitePool,
    pub(super) path: Arc<Path>,
    pub(super) file: FileIdentity,
    pub(super) slowness: Slowness,
}

/// Connections that read the log of changes: for the process's own memory, for the sweeps, and for a server that
/// comes back. More of those wait for each other.
const LOG_READERS: usize = 3;

/// A transaction that is a writer from its first statement.
pub(crate) type Writing = Transaction<'static, Sqlite>;

impl Database {
    /// Opens the file that `url` (`sqlite://PATH`) names, and creates, migrates and seeds it if need be.
    ///
    /// Any number of processes may do so at once. Each query takes `slow_query` longer than it would, and
    /// at most `max_queries` of them, at least one, run at a time.
    ///
    /// This comes before any other use of the file: one with tables but without ours is refused.
    ///
    /// # Errors
    /// [`OpenError`] names the path and what is wrong with it.
    pub async fn open(
        url: &str,
        slow_query: Duration,
        max_queries: usize,
    ) -> Result<Self, OpenError> {
        let slowness = Slowness::new(slow_query);
        let options = slowness.register(options_of(url)?);
        let path: Arc<Path> = options.get_filename().into();
        let failed = |reason| OpenError::new(&path, reason);

        let migrating = migrate(&options, OPEN_WAIT).await.map_err(failed)?;
        let file = FileIdentity::of(&path)
            .await
            .map_err(|error| failed(OpenFailure::Other(error.to_string())))?;
        let readers = connect(max_queries, &options).await.map_err(|error| failed(error.into()))?;
        // Writes that come together wait for the connection for as long as one may wait for the lock.
        let writer =
            writer_pool(1, WRITE_WAIT).connect_lazy_with(options.clone().busy_timeout(WRITE_WAIT));
        let log = reader_pool(LOG_READERS).connect_lazy_with(options.clone());
        let probe = probe_pool().connect_lazy_with(options);
        migrating.close().await.map_err(|error| failed(error.into()))?;
        let database = Self { readers, writer, log, probe, path, file, slowness };
        database.keep_log_short();
        Ok(database)
    }

    /// A connection for one query of a load, which is interrupted at `deadline`.
    ///
    /// The query returns only when SQLite has let go of it. If its future is dropped, it still ends at `deadline`,
    /// and its connection is free after that.
    pub(crate) async fn reader(
        &self,
        deadline: Instant,
    ) -> Result<PoolConnection<Sqlite>, LoadError> {
        let acquired = timeout_at(deadline, self.readers.acquire()).await;
        let mut connection = acquired.map_err(|_| LoadError::Timeout)??;
        // The pool takes the handler off again when the connection comes back.
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(INSTRUCTIONS_PER_LOOK, move || Instant::now() < deadline);
        drop(handle);
        Ok(connection)
    }

    /// True if `query` finds a row for `id`, or can't be asked.
    pub(crate) async fn has(&self, query: &'static str, id: i64) -> bool {
        let found = sqlx::query(query).bind(id).fetch_optional(&self.log).await;
        found.map_or(true, |row| row.is_some())
    }

    /// The number of slices of time that a query is to take, each by one comparison under the collation `slow`.
    pub(crate) fn slices(&self) -> i64 {
        self.slowness.slices
    }

    /// Waits for running queries and closes the file. Loads fail as unavailable from the call on.
    pub async fn close(&self) {
        self.probe.close().await;
        self.log.close().await;
        self.writer.close().await;
        self.readers.close().await;
    }
}

/// So many connections to a file, for each of which one waits for at most `wait`. They are made when they are first
/// needed and then kept: a file does not tire of them, and there is no network in between that could have lost one.
fn pool(connections: u32, wait: Duration) -> SqlitePoolOptions {
    let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(wait);
    pool.idle_timeout(None).max_lifetime(None).test_before_acquire(false)
}

/// Connections that read.
fn reader_pool(connections: usize) -> SqlitePoolOptions {
    let connections = u32::try_from(connections.max(1)).unwrap_or(u32::MAX);
    // A deadline belongs to one query. Here, it also goes when the query's future was dropped.
    pool(connections, ACQUIRE_TIMEOUT).min_connections(1).after_release(|connection, _| {
        Box::pin(async move {
            connection.lock_handle().await?.remove_progress_handler();
            Ok(true)
        })
    })
}

/// Makes the first connection for loads. On a busy machine that may take longer than a load would wait.
async fn connect(max_queries: usize, options: &SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let deadline = Instant::now() + OPEN_WAIT;
    loop {
        match reader_pool(max_queries).connect_with(options.clone()).await {
            Err(sqlx::Error::PoolTimedOut) if Instant::now() < deadline => {}
            connected => return connected,
        }
    }
}

/// Connections that write.
pub(crate) fn writer_pool(connections: u32, wait: Duration) -> SqlitePoolOptions {
    // When the disk is full, SQLite ends the transaction by itself. sqlx does not notice, and refuses to
    // begin another on that connection for ever: it is closed, and the next use makes a new one.
    pool(connections, wait).after_release(|connection, _| {
        Box::pin(async move {
            // Answered after the rollback that a dropped transaction has sent.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
}

/// Each connection is closed after its use: a new one has no pages in memory, and must read the file.
fn probe_pool() -> SqlitePoolOptions {
    pool(1, ACQUIRE_TIMEOUT).after_release(|_, _| Box::pin(async { Ok(false) }))
}
