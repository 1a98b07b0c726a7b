//! A worker in this process, over a source that does as the test says.

use std::{
    collections::HashSet,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use aside::{
    cache::{Key, LoadError, Memory, Origin, Policy, Source, stack},
    jobs::{Attempt, Counts, Outcome, Queue, WarmUp, Worker},
    metrics::Metrics,
};
use bytes::Bytes;
use tokio::time::{Instant, sleep};

use crate::support::eventually;

/// What the source does with a load.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// It answers at once.
    Answer,
    /// It fails for these users and answers for all others.
    Fail(HashSet<i64>),
    /// It never answers.
    Hang,
    /// It takes so long.
    Take(Duration),
}

struct Users(Manner);

impl Source for Users {
    type Id = i64;

    fn key(&self, id: &i64) -> Key {
        Key::numbered("user", *id)
    }

    async fn load(&self, id: i64, _: Instant) -> Result<Option<Bytes>, LoadError> {
        match &self.0 {
            Manner::Fail(users) if users.contains(&id) => {
                return Err(LoadError::Failed("no\nsuch\ntable".into()));
            }
            Manner::Hang => pending().await,
            Manner::Take(duration) => sleep(*duration).await,
            Manner::Answer | Manner::Fail(_) => {}
        }
        Ok(Some(Bytes::from(format!(r#"{{"id":{id}}}"#))))
    }
}

/// A worker and what it has done.
pub(crate) struct Consumer {
    pub(crate) worker: Worker,
    attempts: Arc<Mutex<Vec<Attempt>>>,
}

impl Consumer {
    pub(crate) fn start(queue: &Queue, manner: Manner) -> Self {
        let metrics = Metrics::default();
        let store = Memory::new(1 << 24, Duration::MAX, Origin::Memory);
        let policy = Policy { load_timeout: Duration::from_secs(60), ..Policy::default() };
        let users = stack(Users(manner), store, &policy, &metrics.cache("users"));
        let attempts = Arc::<Mutex<Vec<Attempt>>>::default();
        let seen = attempts.clone();
        let observer =
            Arc::new(move |attempt: &Attempt| seen.lock().unwrap().push(attempt.clone()));
        let worker = Worker::start(queue.clone(), WarmUp::new(users, Duration::ZERO, observer));
        Self { worker, attempts }
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.lock().unwrap().clone()
    }

    /// The users that it has warmed, in order.
    pub(crate) fn warmed(&self) -> Vec<i64> {
        let warmed = |attempt: &Attempt| {
            matches!(attempt.outcome, Outcome::Warmed { .. }).then_some(attempt.user?)
        };
        self.attempts().iter().filter_map(warmed).collect()
    }
}

/// Waits until the jobs are in these states.
pub(crate) async fn counted(queue: &Queue, what: &str, right: impl Fn(&Counts) -> bool) -> Counts {
    eventually(what, async || queue.counts().await.ok().filter(&right)).await
}
