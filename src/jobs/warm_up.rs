//! The work of a job: a thing is loaded into the cache.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tower::ServiceExt;

use super::message::Target;
use crate::{
    cache::{Directives, Get},
    resources::Resources,
};

/// Attempts at one job, a worker that died of it included. After the last it is dead: nobody takes it any
/// more, and [`Report`](super::Report) shows it.
pub const ATTEMPTS_MAX: i64 = 5;

/// The longest that a worker rests while all its jobs fail.
const REST_MAX: Duration = Duration::from_secs(10);

/// Rest after a failed job, on top of the usual one; doubled with each further failure in a row, so that
/// neither the database nor the attempts of all jobs are spent on an outage.
const REST_FIRST: Duration = Duration::from_millis(100);

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

/// Loads things into the cache, one after the other, at a set pace.
pub struct WarmUp {
    resources: Resources,
    delay: Duration,
    observer: Observer,
}

impl WarmUp {
    /// Loads into `resources`, rests for `delay` after each, and tells `observer`.
    pub fn new(resources: Resources, delay: Duration, observer: Observer) -> Self {
        Self { resources, delay, observer }
    }

    /// The rest after a job, with so many failed ones in a row up to it.
    pub(super) fn rest(&self, failures: u32) -> Duration {
        let longer = match failures {
            0 => Duration::ZERO,
            _ => doubled(REST_FIRST, failures - 1).min(REST_MAX),
        };
        self.delay + longer
    }

    /// Makes the attempt of this number to load `target`.
    pub(super) async fn attempt(&self, target: Option<Target>, number: i64) -> Outcome {
        let begun_at = Instant::now();
        let outcome = self.outcome(target.as_ref(), number).await;
        let attempt = Attempt { target, number, outcome, took: begun_at.elapsed() };
        (self.observer)(&attempt);
        attempt.outcome
    }

    async fn outcome(&self, target: Option<&Target>, number: i64) -> Outcome {
        let Some(Target { resource, id }) = target else {
            return Outcome::Dead("the message names nothing that can be loaded".to_owned());
        };
        let Some(resource) = self.resources.named(resource) else {
            return Outcome::Dead("there is no such resource".to_owned());
        };
        if number > ATTEMPTS_MAX {
            return Outcome::Dead("each worker that tried it has died".to_owned());
        }
        let get = Get { id: *id, directives: Directives::default() };
        match resource.cache.clone().oneshot(get).await {
            Ok(answer) => Outcome::Warmed { found: answer.body.is_some() },
            Err(failure) if number < ATTEMPTS_MAX => Outcome::Failed(failure.error.to_string()),
            Err(failure) => Outcome::Dead(failure.error.to_string()),
        }
    }
}

/// The pause after the attempt `number`. Cut at random by up to a half, so that what failed together does
/// not come back together.
pub(super) fn pause(first: Duration, number: i64) -> Duration {
    let doublings = u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX);
    doubled(first, doublings).mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// `first`, doubled so many times; at most a day.
pub(super) fn doubled(first: Duration, times: u32) -> Duration {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    first.saturating_mul(2_u32.saturating_pow(times)).min(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failed_attempt_doubles_the_pause_less_up_to_a_half() {
        let first = Duration::from_secs(2);
        for (number, longest_s) in [(1, 2), (2, 4), (3, 8), (4, 16), (100, 24 * 60 * 60)] {
            let longest = Duration::from_secs(longest_s);
            for _ in 0..100 {
                let pause = pause(first, number);
                assert!(pause >= longest / 2 && pause <= longest, "{number}: {pause:?}");
            }
        }
        assert_eq!(pause(Duration::ZERO, 3), Duration::ZERO);
    }
}
