//! The queue on a Redis server, as safe as that server keeps its data. What is where, and what is done with it,
//! stands in `redis.lua`.

use std::time::Duration;

use futures_util::{FutureExt, TryFutureExt};
use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, ToRedisArgs, aio::MultiplexedConnection,
};
use tokio::sync::Mutex;

use super::{
    error::QueueError,
    storage::{Answer, Job, Next, Report, Storage, milliseconds},
};

/// The longest that a connection may take to be made. Past it, the operation fails.
const CONNECT_WAIT: Duration = Duration::from_secs(1);

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
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), connection: Mutex::new(None) }
    }

    async fn connection(&self) -> Result<MultiplexedConnection, QueueError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let waits = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WAIT))
            .set_response_timeout(Some(ANSWER_WAIT));
        let made = self.client.get_multiplexed_async_connection_with_config(&waits).await?;
        Ok(kept.insert(made).clone())
    }

    /// Does `operation`. The connection is not used again if that fails: it may be lost.
    async fn run<T: FromRedisValue>(
        &self,
        operation: &str,
        arguments: impl ToRedisArgs,
    ) -> Result<T, QueueError> {
        let mut connection = self.connection().await?;
        let mut run = redis::cmd("EVAL");
        run.arg(OPERATIONS).arg(KEYS.len()).arg(&KEYS).arg(operation).arg(arguments);
        let answer = run.query_async(&mut connection).await;
        if answer.is_err() {
            *self.connection.lock().await = None;
        }
        Ok(answer?)
    }
}

impl Storage for RedisServer {
    fn push(&self, messages: Vec<String>, waiting_max: u64) -> Answer<'_, ()> {
        let push = self.run("push", (messages.join("\n"), messages.len(), waiting_max));
        push.map(|stored| if stored? { Ok(()) } else { Err(QueueError::Full) }).boxed()
    }

    fn claim(&self, lease: Duration) -> Answer<'_, Option<Job>> {
        let job = |(id, message, attempt)| Job { id, message, attempt };
        let claim = self.run("claim", milliseconds(lease));
        claim.map_ok(move |claimed: Option<_>| claimed.map(job)).boxed()
    }

    fn note<'a>(&'a self, job: &'a Job, next: Next<'a>) -> Answer<'a, bool> {
        let (state, after_ms, error) = next.stored();
        self.run("note", (&job.id, job.attempt, state, after_ms, error)).boxed()
    }

    fn report(&self, shown_max: u32) -> Answer<'_, Report> {
        let told = |(counts, last_dead)| Report::of(counts, last_dead);
        self.run("report", shown_max).map_ok(told).boxed()
    }

    fn prune(&self, done_max: u64, dead_max: u64) -> Answer<'_, ()> {
        self.run("prune", (done_max, dead_max)).boxed()
    }
}
