//! The queue in an SQLite file of its own.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use apalis_sqlite::{Config, SqliteStorage};
use sqlx::{
    ConnectOptions, Connection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use super::{
    message::Message,
    queue::{ATTEMPTS_MAX, Counts, Dead, NAME, QueueError, ids, unavailable},
    storage::Heartbeat,
};
use crate::users::FileIdentity;

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

pub(super) struct SqliteQueue {
    options: SqliteConnectOptions,
    path: Arc<Path>,
    pool: SqlitePool,
    /// Which file it is, once it was opened.
    file: OnceCell<FileIdentity>,
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
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(WAIT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            // When the disk is full, SQLite ends the transaction by itself. sqlx does not notice, and refuses
            // to begin another on that connection for ever: it is closed, and the next use makes a new one.
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_lazy_with(options.clone());
        let path = options.get_filename().into();
        Self { options, path, pool, file: OnceCell::new() }
    }

    pub(super) async fn open(&self) -> Result<(), QueueError> {
        self.identity().await.map(|_| ())
    }

    async fn identity(&self) -> Result<FileIdentity, QueueError> {
        let open = async || {
            migrate(&self.options).await.map_err(unavailable)?;
            FileIdentity::of(&self.path).await.map_err(unavailable)
        };
        self.file.get_or_try_init(open).await.copied()
    }

    /// A file that was removed can still be written to, and forgets it all when it is closed.
    async fn check_file(&self) -> Result<(), QueueError> {
        let opened = self.identity().await?;
        match FileIdentity::of(&self.path).await {
            Ok(now) if now == opened => Ok(()),
            _ => Err(unavailable("its file is gone")),
        }
    }

    pub(super) async fn push(&self, users: &[i64], waiting_max: u64) -> Result<(), QueueError> {
        self.open().await?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
        self.check_file().await?;
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM Jobs WHERE job_type = ?1 AND status = 'Pending'",
        )
        .bind(NAME)
        .fetch_one(&mut *transaction)
        .await
        .map_err(unavailable)?;
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
            .map_err(unavailable)?;
        transaction.commit().await.map_err(unavailable)
    }

    pub(super) async fn counts(&self) -> Result<Counts, QueueError> {
        self.check_file().await?;
        let rows: Vec<(String, i64)> =
            sqlx::query_as(COUNTS).bind(NAME).fetch_all(&self.pool).await.map_err(unavailable)?;
        Ok(Counts::of(rows))
    }

    pub(super) async fn last_dead(&self, shown_max: u32) -> Result<Vec<Dead>, QueueError> {
        let rows: Vec<(Vec<u8>, i64, String)> = sqlx::query_as(LAST_DEAD)
            .bind(NAME)
            .bind(shown_max)
            .fetch_all(&self.pool)
            .await
            .map_err(unavailable)?;
        Ok(rows.into_iter().map(Dead::of).collect())
    }

    pub(super) async fn postpone(
        &self,
        job: &str,
        worker: &str,
        pause: Duration,
    ) -> Result<(), QueueError> {
        // Rounded up: the table counts in seconds.
        let until_s = now_s() + pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
        sqlx::query("UPDATE Jobs SET run_at = ?1 WHERE id = ?2 AND lock_by = ?3")
            .bind(i64::try_from(until_s).unwrap_or(i64::MAX))
            .bind(job)
            .bind(worker)
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(unavailable)
    }

    pub(super) async fn prune(&self, done_max: u64, dead_max: u64) -> Result<(), QueueError> {
        self.open().await?;
        for (status, kept_max) in [("Done", done_max), ("Killed", dead_max)] {
            loop {
                let removed = sqlx::query(PRUNE)
                    .bind(NAME)
                    .bind(status)
                    .bind(i64::try_from(kept_max).unwrap_or(i64::MAX))
                    .bind(PRUNED_MAX)
                    .execute(&self.pool)
                    .await
                    .map_err(unavailable)?;
                if removed.rows_affected() < PRUNED_MAX.unsigned_abs() {
                    break;
                }
            }
        }
        let workers = sqlx::query(PRUNE_WORKERS).bind(WORKERS_KEPT_S).execute(&self.pool).await;
        workers.map(|_| ()).map_err(unavailable)
    }

    pub(super) async fn put_unreadable_aside(&self) -> Result<(), QueueError> {
        let put = sqlx::query(PUT_ASIDE).bind(NAME).execute(&self.pool).await;
        put.map(|_| ()).map_err(unavailable)
    }

    pub(super) fn storage(&self, heartbeat: Heartbeat) -> SqliteStorage<Message> {
        let config = Config::default()
            .queue(NAME)
            .batch_size(1)
            .heartbeat_interval(heartbeat.interval)
            .missed_heartbeats(heartbeat.missed_max);
        SqliteStorage::new(&self.pool).with_config(config)
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

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::Address;

    #[tokio::test]
    async fn every_connection_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("queue.db").display());
        let Ok(Address::Sqlite(options)) = url.parse() else { panic!("{url} is an address") };
        let queue = SqliteQueue::new(&options);
        queue.push(&[1], 10).await.unwrap();
        for _ in 0..CONNECTIONS_MAX {
            let mut connection = queue.pool.acquire().await.unwrap().detach();
            // 2 is FULL. A worker that was set up by apalis would have 0.
            let level: i64 =
                sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut connection).await.unwrap();
            let journal: String =
                sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await.unwrap();
            assert_eq!((level, journal.as_str()), (2, "wal"));
        }
    }
}
