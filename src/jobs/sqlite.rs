//! The queue in an SQLite file of its own.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions, Connection, Sqlite, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use tokio::sync::Mutex;

use super::{
    error::{GONE, QueueError, WAIT, unavailable},
    table::{CONNECTIONS_MAX, Engine},
};
use crate::database::{FileIdentity, is_locked, options_of, while_locked, writer_pool};

/// The longest that opening a new file is tried while others do the same.
const OPEN_WAIT: Duration = Duration::from_secs(4);

const TABLES: &str =
    "SELECT count(*) FILTER (WHERE name = 'aside_jobs'), count(*) FILTER (WHERE name = 'Jobs')
    FROM sqlite_schema WHERE type = 'table'";

const CREATE: &str = include_str!("sqlite.sql");

/// The jobs that an earlier version of this program has left in a table of its own.
const CARRY_OVER: &str = include_str!("carry_over.sql");

/// The queue in a file, which is created if it is not there.
pub(super) struct SqliteFile {
    options: SqliteConnectOptions,
    path: Arc<Path>,
    /// The file that was opened, and the connections to it.
    opened: Mutex<Option<(FileIdentity, SqlitePool)>>,
}

impl SqliteFile {
    /// The queue in the file at `url`; `None` if that is none. It waits for the disk, as each file of ours does, so that
    /// what is acknowledged outlives a power cut.
    pub(super) fn new(url: &str) -> Option<Self> {
        let options = options_of(url).ok()?;
        let options = options.journal_mode(SqliteJournalMode::Wal).busy_timeout(WAIT);
        let path = options.get_filename().into();
        Some(Self { options, path, opened: Mutex::new(None) })
    }

    /// Creates the file and its table if need be, also while others do the same.
    async fn create(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.options.clone().create_if_missing(true).connect().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let tables: (bool, bool) = sqlx::query_as(TABLES).fetch_one(&mut *transaction).await?;
        if let (false, has_old_jobs) = tables {
            sqlx::raw_sql(CREATE).execute(&mut *transaction).await?;
            if has_old_jobs {
                let carried = sqlx::query(CARRY_OVER).execute(&mut *transaction).await?;
                let (queue, jobs) = (self.path.display(), carried.rows_affected());
                tracing::info!(%queue, jobs, "took over the jobs of an earlier version");
            }
        }
        transaction.commit().await?;
        connection.close().await
    }
}

impl Engine for SqliteFile {
    type Db = Sqlite;

    const BEGIN: &str = "BEGIN IMMEDIATE";
    const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    const LISTED: &str = "(SELECT CAST(value AS BLOB) AS message, key AS place FROM json_each($1))";
    const UNLOCKED: &str = "";

    /// Connections to the file that has the name now, created if there is none. If it is not the one that was opened
    /// before, that one is given up and this fails, once.
    async fn pool(&self) -> Result<SqlitePool, QueueError> {
        let mut opened = self.opened.lock().await;
        let file = FileIdentity::of(&self.path).await;
        if let Some((before, pool)) = &*opened {
            if file.is_ok_and(|file| file == *before) {
                return Ok(pool.clone());
            }
            if !pool.is_closed() {
                let queue = self.path.display();
                tracing::warn!(%queue, "the file of the queue was removed or replaced: its jobs are lost");
            }
            // All of them, before another file is opened: SQLite's own files beside it have the same names.
            pool.close().await;
            *opened = None;
            return Err(unavailable(GONE));
        }
        while_locked(OPEN_WAIT, || self.create(), is_locked).await?;
        let file = FileIdentity::of(&self.path).await.map_err(unavailable)?;
        // None of the connections creates the file.
        let pool = writer_pool(CONNECTIONS_MAX, WAIT).connect_lazy_with(self.options.clone());
        Ok(opened.insert((file, pool)).1.clone())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tokio::time::timeout;

    use super::*;
    use crate::jobs::storage::Storage;

    fn file_in(folder: &TempDir) -> SqliteFile {
        let url = format!("sqlite://{}", folder.path().join("queue.db").display());
        SqliteFile::new(&url).unwrap()
    }

    #[tokio::test]
    async fn a_push_into_a_file_that_is_removed_meanwhile_is_not_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(&folder);
        let pool = file.pool().await.unwrap();
        let lock = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let mut push = file.push(vec!["users/1".to_owned()], 10);
        // It has found the file in its place and waits for the lock. (If it has not come so far, what
        // follows holds as well.)
        timeout(WAIT / 10, &mut push).await.unwrap_err();
        std::fs::remove_file(&*file.path).unwrap();
        lock.rollback().await.unwrap();
        assert_eq!(push.await, Err(unavailable(GONE)));
    }

    #[tokio::test]
    async fn every_connection_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(&folder);
        file.push(vec!["users/1".to_owned()], 10).await.unwrap();
        for _ in 0..CONNECTIONS_MAX {
            let pool = file.pool().await.unwrap();
            let mut connection = pool.acquire().await.unwrap().detach();
            // 2 is FULL.
            let level: i64 =
                sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut connection).await.unwrap();
            let journal: String =
                sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await.unwrap();
            assert_eq!((level, journal.as_str()), (2, "wal"));
        }
    }
}
