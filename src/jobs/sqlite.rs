//! The queue in an SQLite file of its own.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use apalis_sqlite::{Config, SqliteStorage};
use sqlx::{
    ConnectOptions, Connection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use super::{
    message::Message,
    queue::{ATTEMPTS_MAX, Counts, Dead, NAME, QueueError, ids, unavailable},
    storage::Heartbeat,
};
use crate::users::{FileIdentity, writer_pool};

/// Connections to the file: one writes at a time, the others read or wait.
const CONNECTIONS_MAX: u32 = 4;

/// How long a statement waits for a lock, and whoever needs a connection for one. Past it, it fails.
const WAIT: Duration = Duration::from_secs(2);

/// How long opening a new file is tried while others do the same.
const OPEN_WAIT: Duration = Duration::from_secs(4);

/// Pause before a locked file is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Rows removed at once, so that nobody waits long for the lock.
const PRUNED_MAX: i64 = 1000;

/// A worker that was last seen so long ago and has no job in the table is forgotten.
const WORKERS_KEPT_S: i64 = 60 * 60;

/// One statement for all. apalis has one for each job, which for 10,000 holds the lock so long that workers
/// give up waiting for it.
const PUSH: &str = "INSERT INTO Jobs
        (id, job, job_type, status, attempts, max_attempts, run_at, priority, metadata)
    SELECT value ->> 0, CAST(value ->> 1 AS BLOB), ?2, 'Pending', 0, ?3, ?4, 0, '{}'
    FROM json_each(?1)";

const COUNTS: &str = "SELECT CASE
        WHEN status IN ('Queued', 'Running') THEN 'running'
        WHEN status = 'Pending' THEN 'waiting'
        WHEN status = 'Done' THEN 'done'
        WHEN status = 'Failed' AND attempts < max_attempts THEN 'retrying'
        ELSE 'dead' END AS state, count(*)
    FROM Jobs WHERE job_type = ?1 GROUP BY state";

const LAST_DEAD: &str = "SELECT job, attempts, coalesce(last_result, '') FROM Jobs
    WHERE job_type = ?1 AND (status = 'Killed' OR status = 'Failed' AND attempts >= max_attempts)
    ORDER BY done_at DESC, id DESC LIMIT ?2";

const PRUNE: &str = "DELETE FROM Jobs WHERE id IN (
        SELECT id FROM Jobs WHERE job_type = ?1 AND status = ?2
        ORDER BY done_at DESC, id DESC LIMIT ?4 OFFSET ?3)";

const PRUNE_WORKERS: &str = "DELETE FROM Workers
    WHERE last_seen < strftime('%s', 'now') - ?1
        AND NOT EXISTS (SELECT 1 FROM Jobs WHERE lock_by = Workers.id)";

/// What apalis can't make a task of: an id that is no ULID, or a number that is none.
const PUT_ASIDE: &str = r#"UPDATE Jobs SET status = 'Killed', done_at = strftime('%s', 'now'),
        last_result = '{"Err":"the row can not be read"}'
    WHERE job_type = ?1 AND status IN ('Pending', 'Queued', 'Running', 'Failed') AND (
        length(id) <> 26 OR id > '7ZZZZZZZZZZZZZZZZZZZZZZZZZ'
        OR id GLOB '*[^0-9A-HJKMNP-TV-Z]*' OR typeof(job) NOT IN ('blob', 'text')
        OR typeof(attempts) <> 'integer' OR typeof(max_attempts) <> 'integer'
        OR typeof(run_at) <> 'integer' OR typeof(priority) <> 'integer')"#;

const GONE: &str = "its file is gone";

pub(super) struct SqliteQueue {
    options: SqliteConnectOptions,
    path: Arc<Path>,
    opened: Mutex<Option<Opened>>,
}

/// The file that was opened, and the connections to it.
#[derive(Clone)]
struct Opened {
    file: FileIdentity,
    pool: SqlitePool,
}

impl SqliteQueue {
    pub(super) fn new(options: &SqliteConnectOptions) -> Self {
        let options = options
            .clone()
            // What is acknowledged must outlive a power cut. apalis's own setup turns this off.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT)
            .disable_statement_logging();
        let path = options.get_filename().into();
        Self { options, path, opened: Mutex::new(None) }
    }

    pub(super) async fn open(&self) -> Result<(), QueueError> {
        self.opened().await.map(|_| ())
    }

    /// The file that has the name now, created if there is none. If it is not the one that was opened
    /// before, that one is given up and this fails, once: whoever works it learns of it by its connections.
    async fn opened(&self) -> Result<Opened, QueueError> {
        let mut opened = self.opened.lock().await;
        if let Some(before) = &*opened {
            if self.is_still(before.file).await {
                return Ok(before.clone());
            }
            if !before.pool.is_closed() {
                let queue = self.path.display();
                tracing::warn!(%queue, "the file of the queue was removed or replaced: its jobs are lost");
            }
            // All of them, before another file is opened: SQLite's own files beside it have the same names.
            before.pool.close().await;
            *opened = None;
            return Err(gone());
        }
        migrate(&self.options).await.map_err(failed)?;
        let file = FileIdentity::of(&self.path).await.map_err(unavailable)?;
        // None of the connections creates the file.
        let pool = writer_pool(CONNECTIONS_MAX, WAIT).connect_lazy_with(self.options.clone());
        Ok(opened.insert(Opened { file, pool }).clone())
    }

    async fn is_still(&self, file: FileIdentity) -> bool {
        FileIdentity::of(&self.path).await.is_ok_and(|now| now == file)
    }

    pub(super) async fn push(&self, users: &[i64], waiting_max: u64) -> Result<(), QueueError> {
        let Opened { file, pool } = self.opened().await?;
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM Jobs WHERE job_type = ?1 AND status = 'Pending'",
        )
        .bind(NAME)
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
        if waiting.unsigned_abs() + users.len() as u64 > waiting_max {
            return Err(QueueError::Full);
        }
        // Their second and their ids are drawn under the lock: the order of the jobs is that of the pushes.
        let jobs: Vec<_> = ids(users.len()).iter().map(ToString::to_string).zip(users).collect();
        sqlx::query(PUSH)
            .bind(serde_json::to_string(&jobs).map_err(unavailable)?)
            .bind(NAME)
            .bind(i64::try_from(ATTEMPTS_MAX).unwrap_or(i64::MAX))
            .bind(i64::try_from(now_s()).unwrap_or(i64::MAX))
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        // A file that was removed can still be written to, and forgets it all when it is closed.
        if self.is_still(file).await { Ok(()) } else { Err(gone()) }
    }

    pub(super) async fn counts(&self) -> Result<Counts, QueueError> {
        let pool = self.opened().await?.pool;
        let rows: Vec<(String, i64)> =
            sqlx::query_as(COUNTS).bind(NAME).fetch_all(&pool).await.map_err(failed)?;
        Ok(Counts::of(rows))
    }

    pub(super) async fn last_dead(&self, shown_max: u32) -> Result<Vec<Dead>, QueueError> {
        let pool = self.opened().await?.pool;
        let rows: Vec<(Vec<u8>, i64, String)> = sqlx::query_as(LAST_DEAD)
            .bind(NAME)
            .bind(shown_max)
            .fetch_all(&pool)
            .await
            .map_err(failed)?;
        Ok(rows.into_iter().map(Dead::of).collect())
    }

    pub(super) async fn postpone(
        &self,
        job: &str,
        worker: &str,
        pause: Duration,
    ) -> Result<(), QueueError> {
        let pool = self.opened().await?.pool;
        // Rounded up: the table counts in seconds.
        let until_s = now_s() + pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
        sqlx::query("UPDATE Jobs SET run_at = ?1 WHERE id = ?2 AND lock_by = ?3")
            .bind(i64::try_from(until_s).unwrap_or(i64::MAX))
            .bind(job)
            .bind(worker)
            .execute(&pool)
            .await
            .map(|_| ())
            .map_err(failed)
    }

    pub(super) async fn prune(&self, done_max: u64, dead_max: u64) -> Result<(), QueueError> {
        let pool = self.opened().await?.pool;
        for (status, kept_max) in [("Done", done_max), ("Killed", dead_max)] {
            loop {
                let removed = sqlx::query(PRUNE)
                    .bind(NAME)
                    .bind(status)
                    .bind(i64::try_from(kept_max).unwrap_or(i64::MAX))
                    .bind(PRUNED_MAX)
                    .execute(&pool)
                    .await
                    .map_err(failed)?;
                if removed.rows_affected() < PRUNED_MAX.unsigned_abs() {
                    break;
                }
            }
        }
        let workers = sqlx::query(PRUNE_WORKERS).bind(WORKERS_KEPT_S).execute(&pool).await;
        workers.map(|_| ()).map_err(failed)
    }

    pub(super) async fn put_unreadable_aside(&self) -> Result<(), QueueError> {
        let pool = self.opened().await?.pool;
        let put = sqlx::query(PUT_ASIDE).bind(NAME).execute(&pool).await;
        put.map(|_| ()).map_err(failed)
    }

    pub(super) async fn storage(
        &self,
        heartbeat: Heartbeat,
    ) -> Result<SqliteStorage<Message>, QueueError> {
        let pool = self.opened().await?.pool;
        let config = Config::default()
            .queue(NAME)
            .batch_size(1)
            .heartbeat_interval(heartbeat.interval)
            .missed_heartbeats(heartbeat.missed_max);
        Ok(SqliteStorage::new(&pool).with_config(config))
    }
}

/// Creates the file and its tables if need be, whoever else is doing the same.
async fn migrate(options: &SqliteConnectOptions) -> Result<(), sqlx::Error> {
    let give_up = Instant::now() + OPEN_WAIT;
    loop {
        match try_migrate(options).await {
            // SQLite's busy timeout does not cover the change to WAL, which several processes may want of
            // a new file at once.
            Err(error) if is_busy(&error) && Instant::now() < give_up => sleep(RETRY_PAUSE).await,
            outcome => return outcome,
        }
    }
}

async fn try_migrate(options: &SqliteConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = options.clone().create_if_missing(true).connect().await?;
    // sqlx has no migration lock for SQLite: the look and the change are one transaction.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Not `run`: it is generic over `Acquire`, and a future that awaits it cannot be spawned.
    SqliteStorage::migrations().run_direct(None, &mut *transaction, false).await?;
    transaction.commit().await?;
    sqlx::query("PRAGMA journal_mode = WAL").execute(&mut connection).await?;
    connection.close().await
}

fn gone() -> QueueError {
    unavailable(GONE)
}

fn failed(error: sqlx::Error) -> QueueError {
    unavailable(reason(&error))
}

/// What is wrong. Connections are closed under whoever has them when their file is gone.
pub(super) fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::PoolClosed => GONE.to_owned(),
        error => error.to_string(),
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tokio::time::timeout;

    use super::*;
    use crate::jobs::Address;

    fn queue_in(folder: &TempDir) -> SqliteQueue {
        let url = format!("sqlite://{}", folder.path().join("queue.db").display());
        let Ok(Address::Sqlite(options)) = url.parse() else { panic!("{url} is an address") };
        SqliteQueue::new(&options)
    }

    #[tokio::test]
    async fn a_push_into_a_file_that_is_removed_meanwhile_is_not_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue_in(&folder);
        let pool = queue.opened().await.unwrap().pool;
        let lock = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let mut push = Box::pin(queue.push(&[1], 10));
        // It has found the file in its place and waits for the lock. (If it has not come so far, what
        // follows holds as well.)
        timeout(WAIT / 10, &mut push).await.unwrap_err();
        std::fs::remove_file(&*queue.path).unwrap();
        lock.rollback().await.unwrap();
        assert_eq!(push.await, Err(gone()));
    }

    #[tokio::test]
    async fn every_connection_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue_in(&folder);
        queue.push(&[1], 10).await.unwrap();
        for _ in 0..CONNECTIONS_MAX {
            let pool = queue.opened().await.unwrap().pool;
            let mut connection = pool.acquire().await.unwrap().detach();
            // 2 is FULL. A worker that was set up by apalis would have 0.
            let level: i64 =
                sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut connection).await.unwrap();
            let journal: String =
                sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await.unwrap();
            assert_eq!((level, journal.as_str()), (2, "wal"));
        }
    }
}
