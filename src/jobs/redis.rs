//! The queue on a Redis server, as safe as that server keeps its data. What is where, and what is done with it,
//! stands in `redis.lua`.

use std::time::Duration;

use async_trait::async_trait;
use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, ToRedisArgs, aio::MultiplexedConnection,
};
use tokio::sync::Mutex;

use super::{
    error::{QueueError, unavailable},
    storage::{Job, Next, Report, Result, Storage, milliseconds},
};

/// The longest that the server may take to answer. Past it, the operation fails, and the connection is given up.
const ANSWER_WAIT: Duration = Duration::from_secs(4);

const OPERATIONS: &str = include_str!("redis.lua");

/// The names of `jobs`, `later`, `done` and `dead`.
const KEYS: [&str; 4] = ["aside:jobs", "aside:jobs:later", "aside:jobs:done", "aside:jobs:dead"];

/// The queue on a server.
pub(super) struct RedisServer {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl RedisServer {
    /// The queue on the server at `url`; `None` if that is none.
    pub(super) fn new(url: &str) -> Option<Self> {
        Some(Self { client: Client::open(url).ok()?, connection: Mutex::new(None) })
    }

    async fn connection(&self) -> Result<MultiplexedConnection, QueueError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        // A connection that is not made within a second fails by itself.
        let waits = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_WAIT));
        let made = self.client.get_multiplexed_async_connection_with_config(&waits).await;
        Ok(kept.insert(made.map_err(unavailable)?).clone())
    }

    /// Does `operation`. The connection is not used again if that fails: it may be lost.
    async fn run<T: FromRedisValue>(
        &self,
        operation: &str,
        arguments: impl ToRedisArgs + Send,
    ) -> Result<T, QueueError> {
        let mut connection = self.connection().await?;
        let mut run = redis::cmd("EVAL");
        run.arg(OPERATIONS).arg(KEYS.len()).arg(&KEYS).arg(operation).arg(arguments);
        let answer = run.query_async(&mut connection).await;
        if answer.is_err() {
            *self.connection.lock().await = None;
        }
        answer.map_err(unavailable)
    }
}

#[async_trait]
impl Storage for RedisServer {
    async fn push(&self, messages: Vec<String>, waiting_max: u64) -> Result<()> {
        let push = self.run("push", (messages.join("\n"), messages.len(), waiting_max));
        if push.await? { Ok(()) } else { Err(QueueError::Full) }
    }

    async fn claim(&self, lease: Duration) -> Result<Option<Job>> {
        let claimed: Option<_> = self.run("claim", milliseconds(lease)).await?;
        Ok(claimed.map(|(id, message, attempt)| Job { id, message, attempt }))
    }

    async fn note(&self, job: &Job, next: Next<'_>) -> Result<bool> {
        let (state, after_ms, error) = next.stored();
        self.run("note", (&job.id, job.attempt, state, after_ms, error)).await
    }

    async fn report(&self, shown_max: u32) -> Result<Report> {
        let (counts, last_dead) = self.run("report", shown_max).await?;
        Ok(Report::of(counts, last_dead))
    }

    async fn prune(&self, done_max: u64, dead_max: u64) -> Result<()> {
        self.run("prune", (done_max, dead_max)).await
    }
}
