//! The queue in a PostgreSQL database, in the schema `apalis`.

use std::time::Duration;

use apalis_postgres::{Config, PostgresStorage};
use sqlx::{
    ConnectOptions, Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{sync::OnceCell, time::timeout};

use super::{
    message::Message,
    queue::{ATTEMPTS_MAX, Counts, Dead, NAME, QueueError, ids, unavailable},
    storage::Heartbeat,
};

/// Connections to the server.
const CONNECTIONS_MAX: u32 = 4;

/// How long whoever needs a connection waits for one. Past it, the operation fails. When the network has
/// swallowed all connections, it takes as many waits to find that out.
const WAIT: Duration = Duration::from_secs(2);

/// A worker that was last seen so long ago and has no job in the table is forgotten.
const WORKERS_KEPT_S: f64 = 60.0 * 60.0;

/// The server ends a transaction that its client has left open for so long. The client may have vanished from
/// the network, and the job that it has locked must not wait for that to be found out.
const LEFT_OPEN: &str = "SET idle_in_transaction_session_timeout = '10s'";

/// Any number that other programs on the same database do not lock: pushes take turns on it.
const PUSH_LOCK: i64 = 0x4173_6964_6551;

/// apalis takes jobs in the order of `run_at` alone and, by itself, gives all jobs of one second the same.
/// Here each has a microsecond of its own.
const PUSH: &str = "INSERT INTO apalis.jobs
        (id, job_type, job, status, attempts, max_attempts, run_at, priority, metadata)
    SELECT id, $3, job, 'Pending', 0, $4,
        clock.now + place * interval '1 microsecond', 0, ''::hstore
    FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS pushed (id, job, place),
        (SELECT clock_timestamp() AS now OFFSET 0) AS clock";

const COUNTS: &str = "SELECT CASE
        WHEN status IN ('Queued', 'Running') THEN 'running'
        WHEN status = 'Pending' THEN 'waiting'
        WHEN status = 'Done' THEN 'done'
        WHEN status = 'Failed' AND attempts < max_attempts THEN 'retrying'
        ELSE 'dead' END AS state, count(*)
    FROM apalis.jobs WHERE job_type = $1 GROUP BY state";

const LAST_DEAD: &str =
    "SELECT job, attempts::bigint, coalesce(last_result::text, '') FROM apalis.jobs
    WHERE job_type = $1 AND (status = 'Killed' OR status = 'Failed' AND attempts >= max_attempts)
    ORDER BY done_at DESC, id DESC LIMIT $2";

const PRUNE: &str = "DELETE FROM apalis.jobs WHERE id IN (
        SELECT id FROM apalis.jobs WHERE job_type = $1 AND status = $2
        ORDER BY done_at DESC, id DESC OFFSET $3)";

const PRUNE_WORKERS: &str = "DELETE FROM apalis.workers
    WHERE last_seen < now() - $1 * interval '1 second'
        AND NOT EXISTS (SELECT 1 FROM apalis.jobs WHERE lock_by = workers.id)";

/// What apalis can't make a task of: an id that is no ULID.
const PUT_ASIDE: &str = r#"UPDATE apalis.jobs SET status = 'Killed', done_at = now(),
        last_result = '{"Err":"the row can not be read"}'
    WHERE job_type = $1 AND status IN ('Pending', 'Queued', 'Running', 'Failed')
        AND id !~ '^[0-7][0-9A-HJKMNP-TV-Z]{25}$'"#;

pub(super) struct PostgresQueue {
    options: PgConnectOptions,
    pool: PgPool,
    opened: OnceCell<()>,
}

impl PostgresQueue {
    pub(super) fn new(options: &PgConnectOptions) -> Self {
        let options = options.clone().application_name("aside").disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(WAIT)
            .after_connect(|connection, _| {
                Box::pin(
                    async move { sqlx::query(LEFT_OPEN).execute(connection).await.map(|_| ()) },
                )
            })
            .connect_lazy_with(options.clone());
        Self { options, pool, opened: OnceCell::new() }
    }

    pub(super) async fn open(&self) -> Result<(), QueueError> {
        let open = async || {
            // A connection of its own: the pool would try a server that refuses again and again, and in the
            // end say that it has waited. And sqlx locks the server meanwhile: this lock goes with it.
            let connected = timeout(WAIT, self.options.connect()).await;
            let mut connection =
                connected.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(failed)?;
            let mut migrator = PostgresStorage::migrations();
            // The database may be shared with programs that keep migrations of their own in the same table.
            migrator.set_ignore_missing(true);
            migrator.run_direct(None, &mut connection, false).await.map_err(unavailable)?;
            connection.close().await.map_err(failed)
        };
        self.opened.get_or_try_init(open).await.copied()
    }

    pub(super) async fn push(&self, users: &[i64], waiting_max: u64) -> Result<(), QueueError> {
        self.open().await?;
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(PUSH_LOCK)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM apalis.jobs WHERE job_type = $1 AND status = 'Pending'",
        )
        .bind(NAME)
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
        if waiting.unsigned_abs() + users.len() as u64 > waiting_max {
            return Err(QueueError::Full);
        }
        let ids: Vec<String> = ids(users.len()).iter().map(ToString::to_string).collect();
        let jobs: Vec<Vec<u8>> = users.iter().map(|user| user.to_string().into_bytes()).collect();
        sqlx::query(PUSH)
            .bind(ids)
            .bind(jobs)
            .bind(NAME)
            .bind(i32::try_from(ATTEMPTS_MAX).unwrap_or(i32::MAX))
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    pub(super) async fn counts(&self) -> Result<Counts, QueueError> {
        self.open().await?;
        let rows: Vec<(String, i64)> =
            sqlx::query_as(COUNTS).bind(NAME).fetch_all(&self.pool).await.map_err(failed)?;
        Ok(Counts::of(rows))
    }

    pub(super) async fn last_dead(&self, shown_max: u32) -> Result<Vec<Dead>, QueueError> {
        let rows: Vec<(Vec<u8>, i64, String)> = sqlx::query_as(LAST_DEAD)
            .bind(NAME)
            .bind(i64::from(shown_max))
            .fetch_all(&self.pool)
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
        sqlx::query(
            "UPDATE apalis.jobs SET run_at = now() + $1 * interval '1 second'
             WHERE id = $2 AND lock_by = $3",
        )
        .bind(pause.as_secs_f64())
        .bind(job)
        .bind(worker)
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(failed)
    }

    pub(super) async fn prune(&self, done_max: u64, dead_max: u64) -> Result<(), QueueError> {
        self.open().await?;
        for (status, kept_max) in [("Done", done_max), ("Killed", dead_max)] {
            sqlx::query(PRUNE)
                .bind(NAME)
                .bind(status)
                .bind(i64::try_from(kept_max).unwrap_or(i64::MAX))
                .execute(&self.pool)
                .await
                .map_err(failed)?;
        }
        let workers = sqlx::query(PRUNE_WORKERS).bind(WORKERS_KEPT_S).execute(&self.pool).await;
        workers.map(|_| ()).map_err(failed)
    }

    pub(super) async fn put_unreadable_aside(&self) -> Result<(), QueueError> {
        let put = sqlx::query(PUT_ASIDE).bind(NAME).execute(&self.pool).await;
        put.map(|_| ()).map_err(failed)
    }

    pub(super) fn storage(&self, heartbeat: Heartbeat) -> PostgresStorage<Message> {
        let config = Config::default()
            .queue(NAME)
            .batch_size(1)
            .heartbeat_interval(heartbeat.interval)
            .missed_heartbeats(heartbeat.missed_max);
        PostgresStorage::new(&self.pool).with_config(config)
    }
}

fn failed(error: sqlx::Error) -> QueueError {
    unavailable(reason(&error))
}

/// What is wrong. sqlx tells of a pool that has timed out, which reads as if there were too much to do.
pub(super) fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::PoolTimedOut => format!("no connection within {} s", WAIT.as_secs()),
        error => error.to_string(),
    }
}
