//! One worker: claims a job, does it, notes what came of it, rests, and goes on.

use std::time::Duration;

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    error::QueueError,
    message::Target,
    queue::Queue,
    storage::{Job, Next},
    warm_up::{Outcome, WarmUp, doubled, pause},
};

/// Between two looks of a worker that finds no job.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// Pause after the queue was found to be away; doubled each time.
const AWAY_FIRST: Duration = Duration::from_millis(250);

/// The longest pause while the queue is away.
const AWAY_MAX: Duration = Duration::from_secs(5);

/// Between two removals of jobs that are done for long.
const PRUNE_PAUSE: Duration = Duration::from_secs(10);

/// Times within a lease that a worker says that it lives. One time may fail, and another be late.
const BEATS: u32 = 3;

/// A worker. It ends with [`ended`](Worker::ended), or at once when this is dropped; its job then is another's
/// after the lease.
pub struct Worker {
    stop: watch::Sender<bool>,
    /// Aborted when this is dropped.
    task: JoinSet<()>,
}

impl Worker {
    /// Begins to work on `queue`.
    pub fn start(queue: Queue, warm_up: WarmUp) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut task = JoinSet::new();
        task.spawn(work(queue, warm_up, stopped));
        Self { stop, task }
    }

    /// A function that makes it take no further job.
    pub fn stopping(&self) -> impl Fn() + use<> {
        let stop = self.stop.clone();
        move || {
            stop.send_replace(true);
        }
    }

    /// Takes no further job, and waits until the one under way is done and noted.
    pub async fn ended(&mut self) {
        self.stop.send_replace(true);
        // A panic has been told by the panic hook.
        let _ = self.task.join_next().await;
    }
}

async fn work(queue: Queue, warm_up: WarmUp, mut stopped: watch::Receiver<bool>) {
    // In a row: looks at a queue that is away, and jobs that failed.
    let (mut outages, mut failures) = (0_u32, 0_u32);
    let mut prune_at = Instant::now();
    while !*stopped.borrow() {
        if Instant::now() >= prune_at {
            prune_at = Instant::now() + PRUNE_PAUSE;
            // If the queue is away, the next claim finds that out as well.
            let _ = queue.prune().await;
        }
        let rest = match work_one(&queue, &warm_up, &mut failures).await {
            Ok(is_done) => {
                outages = 0;
                if is_done { warm_up.rest(failures) } else { LOOK_PAUSE }
            }
            Err(_) => {
                outages = outages.saturating_add(1);
                doubled(AWAY_FIRST, outages - 1).min(AWAY_MAX)
            }
        };
        tokio::select! {
            () = sleep(rest) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}

/// Works one job, if there is one. If its end can't be noted it is another's after the lease.
async fn work_one(queue: &Queue, warm_up: &WarmUp, failures: &mut u32) -> Result<bool, QueueError> {
    let Some(job) = queue.claim().await? else { return Ok(false) };
    let attempt = warm_up.attempt(Target::read(&job.message), job.attempt);
    tokio::select! {
        outcome = attempt => {
            *failures = if matches!(outcome, Outcome::Warmed { .. }) { 0 } else { failures.saturating_add(1) };
            let next = match &outcome {
                Outcome::Warmed { .. } => Next::Done,
                Outcome::Failed(_) => Next::Retry(pause(queue.timing.retry, job.attempt)),
                Outcome::Dead(error) => Next::Dead(error),
            };
            queue.note(&job, next).await?;
        }
        () = lost(queue, &job) => {}
    }
    Ok(true)
}

/// Says that the worker lives. Ends when the job is another's nevertheless.
async fn lost(queue: &Queue, job: &Job) {
    let lease = queue.timing.lease;
    loop {
        sleep(lease / BEATS).await;
        // If the queue is away, the job may still be done by the time that it is back.
        if let Ok(false) = queue.note(job, Next::Running(lease)).await {
            return;
        }
    }
}
