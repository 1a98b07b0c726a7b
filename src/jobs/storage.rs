//! apalis's three storages as one backend, whose worker takes one job at a time, rests, and wakes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use apalis_core::{
    backend::{
        Backend, BackendConfig, WireFormatBackend, finalize::Durable, persistence::TaskPersistLayer,
    },
    task::Task,
    worker::context::WorkerContext,
};
use apalis_postgres::PostgresStorage;
use apalis_redis::RedisStorage;
use apalis_sqlite::{JsonCodec, SqliteStorage};
use serde_json::Value;
use tokio::time::{Instant, Sleep, sleep};
use ulid::Ulid;

use super::{
    message::{Message, MessageCodec},
    postgres, sqlite,
};

/// How long a worker without jobs lets pass between two looks for some.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// How often a worker says that it lives, and how often it may fail to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat {
    pub(super) interval: Duration,
    pub(super) missed_max: usize,
}

impl Heartbeat {
    /// A worker is dead after two missed beats, and the others look with each of theirs: that is three.
    pub(super) fn of(lease: Duration) -> Self {
        Self { interval: Duration::from_secs((lease.as_secs() / 3).max(1)), missed_max: 2 }
    }
}

/// How long to rest after the job that has just ended.
pub(super) type Rest = Arc<dyn Fn() -> Duration + Send + Sync>;

/// One of apalis's storages.
pub(super) enum Source {
    Sqlite(SqliteStorage<Message>),
    Postgres(PostgresStorage<Message>),
    Redis(RedisStorage<Message>),
}

macro_rules! on_source {
    ($source:expr, $storage:ident => $poll:expr) => {
        match $source {
            Source::Sqlite($storage) => $poll.map_err(StorageError::from),
            Source::Postgres($storage) => $poll.map_err(StorageError::from),
            Source::Redis($storage) => $poll.map_err(StorageError::from),
        }
    };
}

/// An error of the queue. The worker that meets it ends, and is begun anew.
#[derive(Debug, thiserror::Error)]
pub(super) enum StorageError {
    #[error("{}", sqlite_reason(.0))]
    Sqlite(#[from] apalis_sqlite::Error),
    #[error("{}", postgres_reason(.0))]
    Postgres(#[from] apalis_postgres::Error),
    #[error(transparent)]
    Redis(#[from] apalis_redis::Error),
}

fn sqlite_reason(error: &apalis_sqlite::Error) -> String {
    match error {
        apalis_sqlite::Error::Database(error) => sqlite::reason(error),
        error => error.to_string(),
    }
}

fn postgres_reason(error: &apalis_postgres::Error) -> String {
    match error {
        apalis_postgres::Error::Database(error) => postgres::reason(error),
        error => error.to_string(),
    }
}

/// A storage for one worker.
pub(super) struct Storage {
    source: Source,
    rest: Rest,
    /// The last job was given out, and the rest after it has not begun.
    given: bool,
    resting: Option<Pin<Box<Sleep>>>,
    /// Until the next look for jobs.
    look: Pin<Box<Sleep>>,
}

impl Storage {
    pub(super) fn new(source: Source, rest: Rest) -> Self {
        let look = Box::pin(sleep(LOOK_PAUSE));
        Self { source, rest, given: false, resting: None, look }
    }

    /// Ready when no job runs and the rest after the last one is over.
    fn poll_rested(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<()> {
        // The job wakes the worker when it ends.
        if worker.has_pending_tasks() {
            return Poll::Pending;
        }
        if std::mem::take(&mut self.given) {
            self.resting = Some(Box::pin(sleep((self.rest)())));
        }
        if let Some(resting) = &mut self.resting {
            ready!(resting.as_mut().poll(cx));
            self.resting = None;
        }
        Poll::Ready(())
    }
}

impl Backend for Storage {
    type Task = Task<Vec<u8>>;
    type Error = StorageError;

    fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Result<(), StorageError>> {
        on_source!(&mut self.source, storage => storage.poll_ready(cx, worker))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, StorageError>>> {
        ready!(self.poll_rested(cx, worker));
        let next = match &mut self.source {
            Source::Sqlite(storage) => {
                storage.poll_next(cx, worker).map(|task| task.map(|task| Ok(task?)))
            }
            Source::Postgres(storage) => {
                storage.poll_next(cx, worker).map(|task| task.map(|task| Ok(task?)))
            }
            Source::Redis(storage) => {
                storage.poll_next(cx, worker).map(|task| task.map(|task| Ok(task?)))
            }
        };
        match next {
            // Without this, a storage that was found empty is looked at again with the next heartbeat only.
            Poll::Pending => {
                if self.look.as_mut().poll(cx).is_ready() {
                    self.look.as_mut().reset(Instant::now() + LOOK_PAUSE);
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
            given => {
                self.given = true;
                given
            }
        }
    }

    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Result<(), StorageError>> {
        on_source!(&mut self.source, storage => storage.poll_close(cx, worker))
    }
}

impl BackendConfig for Storage {
    type Args = Message;
    type Id = Ulid;
    type Kind = Durable;
    type Config = ();
    type Layer = TaskPersistLayer<JsonCodec<Value>, Value>;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, worker: &mut WorkerContext) -> Self::Layer {
        match &mut self.source {
            Source::Sqlite(storage) => storage.middleware(worker),
            Source::Postgres(storage) => storage.middleware(worker),
            Source::Redis(storage) => storage.middleware(worker),
        }
    }
}

impl WireFormatBackend for Storage {
    type Codec = MessageCodec;
    type Compact = Vec<u8>;

    fn codec(&self) -> &MessageCodec {
        &MessageCodec
    }
}
