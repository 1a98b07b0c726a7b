//! The queue of jobs and the worker that the service has for it.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle};

use super::StartError;
use crate::{
    config::{QueueAddress, QueueSettings, Settings},
    database::{is_postgres, is_same_file, options_of},
    jobs::{Attempt, Outcome, Queue, QueueLimits, Target, Timing, WarmUp, work},
    metrics::{Counts, JobResult, Metrics},
    resources::Resources,
};

/// The queue that the settings name, or the one beside `database`. It need not be there yet.
///
/// # Errors
/// [`StartError::Setting`], which says what `--queue` or `--database` takes and repeats nothing of it.
pub fn queue(settings: &QueueAddress, database: &str) -> Result<Queue, StartError> {
    let Some(url) = &settings.queue else {
        if is_postgres(database) {
            let same = Queue::new(database, QueueLimits::default());
            return same.map_err(|error| StartError::invalid("--database <URL>", error));
        }
        // The file beside the users' database, so that neither waits for the other's writes.
        let place = database.strip_suffix("?mode=rwc").unwrap_or(database);
        let beside = Queue::new(&format!("{place}-jobs"), QueueLimits::default()).ok();
        let takes = "it takes sqlite://PATH, a file, without parameters, or postgres://USER:PASSWORD@HOST:PORT/DATABASE";
        return beside
            .filter(|_| options_of(database).is_ok())
            .ok_or_else(|| StartError::invalid("--database <URL>", takes));
    };
    if is_same_file(url.reveal(), database) {
        let why = "it names the file of '--database', and the queue needs one of its own";
        return Err(StartError::invalid("--queue <URL>", why));
    }
    let queue = Queue::new(url.reveal(), QueueLimits::default());
    queue.map_err(|error| StartError::invalid("--queue <URL>", error))
}

/// The pace that the settings give a worker, with this rest after each job.
pub fn timing(settings: &QueueSettings, rest: Duration) -> Timing {
    Timing { lease: settings.job_lease, retry: settings.job_retry, rest }
}

/// Begins to work `queue` in this process, unless the settings say not to.
pub(super) fn start(
    settings: &Settings,
    queue: &Queue,
    resources: &Resources,
    metrics: &Metrics,
    stopped: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let metrics = metrics.jobs();
    if settings.work_jobs {
        let observer = Arc::new(move |attempt: &Attempt| observe(&metrics, attempt));
        let timing = timing(&settings.queue, settings.job_delay);
        let warm_up = WarmUp { resources: resources.clone(), timing, observer };
        return tokio::spawn(work(queue.clone(), warm_up, stopped));
    }
    // A worker would find out whether the queue is away. Without one, this does, and then requests.
    let queue = queue.clone();
    tokio::spawn(async move { _ = queue.report().await })
}

fn observe(metrics: &Counts<JobResult>, attempt: &Attempt) {
    let Attempt { target, number, outcome, .. } = attempt;
    match outcome {
        Outcome::Warmed { .. } => metrics.count(JobResult::Done),
        Outcome::Failed(_) => metrics.count(JobResult::Failed),
        Outcome::Dead(error) => {
            metrics.count(JobResult::Dead);
            let job = target.as_ref().map(Target::to_string);
            tracing::error!(job, attempts = number, error, "a job is given up");
        }
    }
}
