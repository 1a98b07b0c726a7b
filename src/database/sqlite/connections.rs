//! The connections to an SQLite file.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    Connection, SqlSafeStr, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::time::{Instant, timeout_at};

use super::{
    checkpoint::keep_log_short, file::Home, migration::migrate, slowness::Slowness, url::options_of,
};
use crate::{
    cache::LoadError,
    database::{
        error::{OPEN_WAIT, OpenError, OpenFailure},
        statement::{Pool, Pools, Row, Value, Writing, rows},
        unwritten::WRITE_WAIT,
    },
};

/// Longest wait of a load for a connection, unless its own deadline comes first. Past it, the load fails as
/// unavailable. With no more loads at once than connections, a load waits only while one is being
/// made, so that only a machine that stands still meets this.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest wait of a load for a writer who does without a write-ahead log, and holds readers up while it commits.
const READ_WAIT: Duration = Duration::from_secs(1);

/// Instructions of SQLite's virtual machine between two looks at the clock: fewer than a slice of slowness takes.
const INSTRUCTIONS_PER_LOOK: i32 = 10;

/// Connections that read the log of changes: for the process's own memory, for the sweeps, and for a server that
/// comes back. More of those wait for each other.
const LOG_READERS: usize = 3;

/// Opens the file, and creates, migrates and seeds it if need be. With its connections comes the number of slices that
/// a slow query is to take.
pub(in crate::database) async fn open(
    url: &str,
    slow_query: Duration,
    max_queries: usize,
) -> Result<(Pools, Home, i64), OpenError> {
    let slowness = Slowness::new(slow_query);
    let options = slowness.register(options_of(url)?);
    let path: Arc<Path> = options.get_filename().into();
    let failed = |reason| OpenError::new(&path, reason);
    let migrating = migrate(&options, OPEN_WAIT).await.map_err(failed)?;
    let home = Home::of(path.clone())
        .await
        .map_err(|error| failed(OpenFailure::Other(error.to_string())))?;
    let loads = connect(max_queries, &options).await.map_err(|error| failed(error.into()))?;
    // Writes that come together wait for the connection for as long as one may wait for the lock.
    let writer =
        writer_pool(1, WRITE_WAIT).connect_lazy_with(options.clone().busy_timeout(WRITE_WAIT));
    let log = reader_pool(LOG_READERS, OPEN_WAIT).connect_lazy_with(options.clone());
    let probe = probe_pool().connect_lazy_with(options);
    migrating.close().await.map_err(|error| failed(error.into()))?;
    keep_log_short(&path, writer.clone());
    let [loads, writer, log, probe] = [loads, writer, log, probe].map(Pool::Sqlite);
    Ok((Pools { loads, writer, log, probe }, home, slowness.slices))
}

/// Opens somebody else's file, which must be there, to read from it, and to write what triggers ask for. Nothing in it is
/// changed otherwise, its journal least of all.
pub(in crate::database) async fn open_foreign(
    url: &str,
    loads_max: usize,
) -> Result<(Pool, Pool, Home), OpenError> {
    let options = options_of(url)?;
    let path: Arc<Path> = options.get_filename().into();
    let failed = |reason| OpenError::new(&path, reason);
    let home = Home::of(path.clone()).await;
    let home = home.map_err(|_| failed(OpenFailure::Other("there is no such file".to_owned())))?;
    let reading = options.clone().pragma("query_only", "ON").busy_timeout(READ_WAIT);
    let loads = connect(loads_max, &reading).await.map_err(|error| failed(error.into()))?;
    // One writes, and by one it is heard that others have.
    let writer = writer_pool(2, WRITE_WAIT).connect_lazy_with(options.busy_timeout(WRITE_WAIT));
    Ok((Pool::Sqlite(loads), Pool::Sqlite(writer), home))
}

/// The rows that a query of a load finds. It is interrupted at `deadline`, and this returns only when SQLite has let go of
/// it. If it is dropped, the query still ends at `deadline`, and its connection is free after that.
pub(in crate::database) async fn load(
    pool: &SqlitePool,
    text: impl SqlSafeStr,
    values: &[Value],
    deadline: Instant,
) -> Result<Vec<Row>, LoadError> {
    let acquired = timeout_at(deadline, pool.acquire()).await;
    let mut connection = acquired.map_err(|_| LoadError::Timeout)??;
    // The pool takes the handler off again when the connection comes back.
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(INSTRUCTIONS_PER_LOOK, move || Instant::now() < deadline);
    drop(handle);
    Ok(rows(&mut *connection, text, values, Row::Sqlite).await?)
}

/// Begins a transaction that is a writer from its first statement: one that began as a reader and then wrote would fail
/// at once if another had written in between, whatever the busy timeout.
pub(in crate::database) async fn begin(pool: &SqlitePool) -> sqlx::Result<Writing> {
    pool.begin_with("BEGIN IMMEDIATE").await.map(Writing::Sqlite)
}

/// So many connections to a file, for each of which one waits for at most `wait`. They are made when they are first
/// needed and then kept: a file does not tire of them, and there is no network in between that could have lost one.
fn pool(connections: u32, wait: Duration) -> SqlitePoolOptions {
    let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(wait);
    pool.idle_timeout(None).max_lifetime(None).test_before_acquire(false)
}

/// Connections that read.
fn reader_pool(connections: usize, wait: Duration) -> SqlitePoolOptions {
    let connections = u32::try_from(connections.max(1)).unwrap_or(u32::MAX);
    // A deadline belongs to one query. Here, it also goes when the query's future was dropped.
    pool(connections, wait).min_connections(1).after_release(|connection, _| {
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
        match reader_pool(max_queries, ACQUIRE_TIMEOUT).connect_with(options.clone()).await {
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
