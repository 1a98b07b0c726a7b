//! The work of a job: a thing is loaded into the cache.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tower::ServiceExt;

use super::message::Target;
use crate::{
    cache::{Directives, Get},
    resources::{Resources, named},
};

/// Attempts at one job, a worker that died of it included. After the last it is dead: nobody takes it any
/// more, and [`Report`](super::Report) shows it.
pub const ATTEMPTS_MAX: i64 = 5;

/// One attempt at a job.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The thing that was to be loaded; `None` if the message did not say.
    pub target: Option<Target>,
    /// Its number among the attempts at this job, from 1.
    pub number: i64,
    /// Its end.
    pub outcome: Outcome,
    /// The time that it took.
    pub took: Duration,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The thing is in the cache, or its absence is.
    Warmed {
        /// True if there is such a thing.
        found: bool,
    },
    /// It failed and will be tried again.
    Failed(String),
    /// It failed for good.
    Dead(String),
}

/// Called after each attempt, before it is noted in the queue.
pub type Observer = Arc<dyn Fn(&Attempt) + Send + Sync>;

/// The pace of a worker, and the times after which it or a job is given up.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The longest that it may be silent. Past it, its job is given to another; whole seconds, at least 3.
    pub lease: Duration,
    /// Pause before the second attempt at a job; doubled with each further one.
    pub retry: Duration,
    /// Rest after each job.
    pub rest: Duration,
}

/// Loads things into the cache, one after the other, at a set pace.
pub struct WarmUp {
    /// The resources that they are of.
    pub resources: Resources,
    /// The pace.
    pub timing: Timing,
    /// Told of each attempt.
    pub observer: Observer,
}

impl WarmUp {
    /// Makes the attempt of this number to load `target`.
    pub(super) async fn attempt(&self, target: Option<Target>, number: i64) -> Outcome {
        let begun_at = Instant::now();
        let outcome = self.outcome(target.as_ref(), number).await;
        let attempt = Attempt { target, number, outcome, took: begun_at.elapsed() };
        (self.observer)(&attempt);
        attempt.outcome
    }

    async fn outcome(&self, target: Option<&Target>, number: i64) -> Outcome {
        let dead = |why: &str| Outcome::Dead(why.to_owned());
        let Some(Target { resource, id }) = target else {
            return dead("the message names nothing that can be loaded");
        };
        let Some(resource) = named(&self.resources, resource) else {
            return dead("there is no such resource");
        };
        let Ok(id) = resource.definition.signature.read_rest(id) else {
            return dead("the message names nothing that can be loaded");
        };
        if number > ATTEMPTS_MAX {
            return dead("each worker that tried it has died");
        }
        let get = Get { id, directives: Directives::default() };
        match resource.cache.clone().oneshot(get).await {
            Ok(answer) => Outcome::Warmed { found: answer.body.is_some() },
            Err(failure) if number < ATTEMPTS_MAX => Outcome::Failed(failure.error.to_string()),
            Err(failure) => Outcome::Dead(failure.error.to_string()),
        }
    }
}
