//! A worker in this process, over a source that does as the test says.

use std::{
    collections::HashSet,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aside::{
    cache::{Found, Key, LoadEnd, LoadError, Memory, Origin, Policy, Source, stack},
    jobs::{Attempt, JobCounts, Outcome, Queue, Timing, WarmUp, work},
    metrics::Metrics,
    resources::{AnySource, Definition, Numbered, Resource},
};
use bytes::Bytes;
use support::eventually;
use tokio::{
    sync::{Barrier, watch},
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::home::QUICK;

/// The way in which the source deals with a load.
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
    /// The first load waits until so many consumers have one, and all others take a moment.
    Meet(Arc<Barrier>),
}

/// A moment in which other consumers take jobs, too.
const MOMENT: Duration = Duration::from_millis(20);

struct Users {
    manner: Manner,
    running: AtomicUsize,
    most_at_once: Arc<AtomicUsize>,
    met: AtomicBool,
}

impl Source for Users {
    type Id = i64;

    fn key(&self, id: &i64) -> Key {
        Key::numbered("user", *id)
    }

    async fn load(&self, id: i64, _: Instant) -> LoadEnd {
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(running, Ordering::Relaxed);
        let loaded = self.loaded(id).await;
        self.running.fetch_sub(1, Ordering::Relaxed);
        loaded.map(Found::from)
    }
}

impl Users {
    async fn loaded(&self, id: i64) -> Result<Option<Bytes>, LoadError> {
        match &self.manner {
            Manner::Fail(users) if users.contains(&id) => {
                return Err(LoadError::Failed("no\nsuch\ntable".into()));
            }
            Manner::Hang => pending().await,
            Manner::Take(duration) => sleep(*duration).await,
            Manner::Meet(all) if !self.met.swap(true, Ordering::Relaxed) => {
                all.wait().await;
            }
            Manner::Meet(_) => sleep(MOMENT).await,
            Manner::Answer | Manner::Fail(_) => {}
        }
        Ok(Some(Bytes::from(format!(r#"{{"id":{id}}}"#))))
    }
}

/// A worker and what it has done.
pub(crate) struct Consumer {
    stop: watch::Sender<bool>,
    /// Aborted when this is dropped, as in a process that is killed.
    worker: JoinSet<()>,
    attempts: Arc<Mutex<Vec<(Attempt, Instant)>>>,
    most_at_once: Arc<AtomicUsize>,
}

impl Consumer {
    pub(crate) fn start(queue: &Queue, manner: Manner) -> Self {
        Self::start_with(queue, manner, QUICK)
    }

    pub(crate) fn start_with(queue: &Queue, manner: Manner, timing: Timing) -> Self {
        let most_at_once = Arc::<AtomicUsize>::default();
        let metrics = Metrics::default();
        let store = Memory::new(1 << 24, Duration::MAX, Origin::Memory);
        let policy = Policy { load_timeout: Duration::from_secs(60), ..Policy::default() };
        let users = Users {
            manner,
            running: AtomicUsize::new(0),
            most_at_once: most_at_once.clone(),
            met: AtomicBool::new(false),
        };
        let metrics = metrics.cache("users");
        let source = AnySource::new(Numbered(users));
        let cache = stack(source.clone(), store, &policy, &metrics);
        let definition = Definition::numbered("users", "user", "/users/{id}", "User", policy);
        let users = Resource { definition, source, cache, metrics };
        let attempts = Arc::<Mutex<Vec<(Attempt, Instant)>>>::default();
        let seen = attempts.clone();
        let observer = Arc::new(move |attempt: &Attempt| {
            seen.lock().unwrap().push((attempt.clone(), Instant::now()));
        });
        let (stop, stopped) = watch::channel(false);
        let warm_up = WarmUp { resources: [users].into_iter().collect(), timing, observer };
        let mut worker = JoinSet::new();
        worker.spawn(work(queue.clone(), warm_up, stopped));
        Self { stop, worker, attempts, most_at_once }
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn ended(&mut self) {
        self.stop.send_replace(true);
        self.worker.join_next().await.unwrap().unwrap();
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.lock().unwrap().iter().map(|(attempt, _)| attempt.clone()).collect()
    }

    /// The end of each attempt.
    pub(crate) fn ends(&self) -> Vec<Instant> {
        self.attempts.lock().unwrap().iter().map(|(_, ended_at)| *ended_at).collect()
    }

    /// The number of users that it has loaded at once, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::Relaxed)
    }

    /// The users that it has warmed, in order.
    pub(crate) fn warmed(&self) -> Vec<i64> {
        let warmed = |attempt: &Attempt| {
            matches!(attempt.outcome, Outcome::Warmed { .. })
                .then_some(attempt.target.as_ref()?.id.parse().ok()?)
        };
        self.attempts().iter().filter_map(warmed).collect()
    }
}

/// Waits until the jobs are in these states.
pub(crate) async fn counted(
    queue: &Queue,
    what: &str,
    right: impl Fn(&JobCounts) -> bool,
) -> JobCounts {
    eventually(what, async || queue.report().await.ok().map(|report| report.counts).filter(&right))
        .await
}
