//! The queue as a table in a database that speaks SQL: `aside_jobs`.
//!
//! `state` is `queued`, `running`, `done` or `dead`. `due` is in milliseconds, by the database's own clock: of a
//! queued job when it may be claimed, of a running one when its lease lapses, of the others when they ended.
//! The statements are put together from constants alone; all else is bound.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, Pool, Type,
};

use super::{
    error::QueueError,
    storage::{Job, Next, Report, Result, Storage, milliseconds},
};

/// Connections to the database: enough for a worker, and for some requests beside it.
pub(super) const CONNECTIONS_MAX: u32 = 4;

/// Rows removed at once, so that nobody waits long for a lock. Those beyond are removed the next time.
const PRUNED_MAX: i64 = 10_000;

/// A database that the table can be in, and what it says in other words than others.
pub(super) trait Engine: Send + Sync {
    type Db: Database;

    /// Begins a transaction that has its turn among those that push.
    const BEGIN: &str;
    /// The time in milliseconds, the same throughout a statement.
    const NOW: &str;
    /// The messages in the JSON text `$1`, as rows of `message` and `place`.
    const LISTED: &str;
    /// Makes a select leave out the rows that others have locked.
    const UNLOCKED: &str;

    /// Connections to the database, with the table in it.
    fn pool(&self) -> impl Future<Output = Result<Pool<Self::Db>, QueueError>> + Send;
}

#[async_trait]
impl<E: Engine> Storage for E
where
    for<'c> &'c mut <E::Db as Database>::Connection: Executor<'c, Database = E::Db>,
    <E::Db as Database>::Arguments: IntoArguments<E::Db>,
    usize: ColumnIndex<<E::Db as Database>::Row>,
    for<'r> i64: Encode<'r, E::Db> + Decode<'r, E::Db> + Type<E::Db>,
    for<'r> String: Encode<'r, E::Db> + Decode<'r, E::Db> + Type<E::Db>,
    for<'r> Vec<u8>: Decode<'r, E::Db> + Type<E::Db>,
{
    async fn push(&self, messages: Vec<String>, waiting_max: u64) -> Result<()> {
        let mut transaction = self.pool().await?.begin_with(E::BEGIN).await?;
        let waiting = "SELECT count(*) FROM aside_jobs WHERE state = 'queued'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut *transaction).await?;
        if waiting.unsigned_abs() + messages.len() as u64 > waiting_max {
            return Err(QueueError::Full);
        }
        let (now, listed) = (E::NOW, E::LISTED);
        let push = AssertSqlSafe(format!(
            "INSERT INTO aside_jobs (message, due) SELECT message, {now} FROM {listed} ORDER BY place"
        ));
        let messages = serde_json::json!(messages).to_string();
        sqlx::query(push).bind(messages).execute(&mut *transaction).await?;
        transaction.commit().await?;
        // A file that was removed can still be written to, and forgets it all when it is closed.
        self.pool().await.map(|_| ())
    }

    async fn claim(&self, lease: Duration) -> Result<Option<Job>> {
        let (now, unlocked) = (E::NOW, E::UNLOCKED);
        let first = |state| {
            format!(
                "(SELECT id FROM aside_jobs WHERE state = '{state}' AND due <= {now}
                    ORDER BY due, id LIMIT 1 {unlocked})"
            )
        };
        let (lapsed, waiting) = (first("running"), first("queued"));
        let claim = AssertSqlSafe(format!(
            "UPDATE aside_jobs SET state = 'running', attempts = attempts + 1, due = {now} + $1
                WHERE id = coalesce({lapsed}, {waiting})
                RETURNING CAST(id AS TEXT), message, attempts"
        ));
        let claim = sqlx::query_as(claim).bind(milliseconds(lease));
        // All rows, although there is one at most: SQLite has committed when it says that there is no other.
        let mut claimed = claim.fetch_all(&self.pool().await?).await?;
        Ok(claimed.pop().map(|(id, message, attempt)| Job { id, message, attempt }))
    }

    async fn note(&self, job: &Job, next: Next<'_>) -> Result<bool> {
        let (state, after_ms, error) = next.stored();
        let note = AssertSqlSafe(format!(
            "UPDATE aside_jobs SET state = $3, due = {now} + $4, error = $5
                WHERE id = CAST($1 AS BIGINT) AND attempts = $2 AND state = 'running' RETURNING id",
            now = E::NOW
        ));
        let note = sqlx::query_as(note).bind(job.id.clone()).bind(job.attempt);
        let note = note.bind(state.to_owned()).bind(after_ms).bind(error);
        let noted: Vec<(i64,)> = note.fetch_all(&self.pool().await?).await?;
        Ok(!noted.is_empty())
    }

    async fn report(&self, shown_max: u32) -> Result<Report> {
        let counts = AssertSqlSafe(format!(
            "SELECT count(*) FILTER (WHERE state = 'queued' AND attempts = 0
                        OR state = 'running' AND due <= {now}),
                    count(*) FILTER (WHERE state = 'running' AND due > {now}),
                    count(*) FILTER (WHERE state = 'done'),
                    count(*) FILTER (WHERE state = 'queued' AND attempts > 0),
                    count(*) FILTER (WHERE state = 'dead') FROM aside_jobs",
            now = E::NOW
        ));
        let last_dead = "SELECT message, attempts, error FROM aside_jobs WHERE state = 'dead'
                ORDER BY due DESC, id DESC LIMIT $1";
        let last_dead = sqlx::query_as(last_dead).bind(i64::from(shown_max));
        let pool = self.pool().await?;
        let counts = sqlx::query_as(counts).fetch_one(&pool).await?;
        Ok(Report::of(counts, last_dead.fetch_all(&pool).await?))
    }

    async fn prune(&self, done_max: u64, dead_max: u64) -> Result<()> {
        let prune = "DELETE FROM aside_jobs WHERE id IN (SELECT id FROM aside_jobs
                WHERE state = $1 ORDER BY due DESC, id DESC LIMIT $3 OFFSET $2)";
        for (state, kept_max) in [("done", done_max), ("dead", dead_max)] {
            let kept_max = i64::try_from(kept_max).unwrap_or(i64::MAX);
            let prune = sqlx::query(prune).bind(state.to_owned()).bind(kept_max);
            prune.bind(PRUNED_MAX).execute(&self.pool().await?).await?;
        }
        Ok(())
    }
}
