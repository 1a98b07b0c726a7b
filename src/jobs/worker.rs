//! One worker: claims a job, does it, notes what came of it, rests, and goes on.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    error::QueueError,
    message::Target,
    queue::Queue,
    storage::{Job, Next},
    warm_up::{Outcome, Timing, WarmUp},
};

/// Between two looks of a worker that finds no job.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// Between two removals of jobs that are done for long.
const PRUNE_PAUSE: Duration = Duration::from_secs(10);

/// Times within a lease that a worker says that it lives. One time may fail, and another be late.
const BEATS: u32 = 3;

/// Rest after a failed job, on top of the usual one, and after a look at a queue that is away; doubled with each further
/// failure in a row, so that neither the database nor the attempts of all jobs are spent on an outage.
const REST_FIRST: Duration = Duration::from_millis(100);

/// The longest such rest.
const REST_MAX: Duration = Duration::from_secs(5);

/// Works on `queue` until it is told to stop, and the job under way is done and noted. Dropped before that, its job is
/// another's after the lease.
pub async fn work(queue: Queue, warm_up: WarmUp, mut stopped: watch::Receiver<bool>) {
    let mut failures = 0_u32;
    let mut prune_at = Instant::now();
    while !*stopped.borrow() {
        if Instant::now() >= prune_at {
            prune_at = Instant::now() + PRUNE_PAUSE;
            // If the queue is away, the next claim finds that out as well.
            let _ = queue.prune().await;
        }
        let (rest, has_failed) = match work_one(&queue, &warm_up).await {
            Ok(Some(has_succeeded)) => (warm_up.timing.rest, !has_succeeded),
            Ok(None) => (LOOK_PAUSE, false),
            Err(_) => (Duration::ZERO, true),
        };
        failures = if has_failed { failures.saturating_add(1) } else { 0 };
        tokio::select! {
            () = sleep(rest + doubled(REST_FIRST, failures).min(REST_MAX)) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}

/// Works one job, if there is one, and tells whether it succeeded. If its end can't be noted it is another's after the lease.
async fn work_one(queue: &Queue, warm_up: &WarmUp) -> Result<Option<bool>, QueueError> {
    let Timing { lease, retry, .. } = warm_up.timing;
    let Some(job) = queue.claim(lease).await? else { return Ok(None) };
    let attempt = warm_up.attempt(Target::read(&job.message), job.attempt);
    tokio::select! {
        outcome = attempt => {
            let next = match &outcome {
                Outcome::Warmed { .. } => Next::Done,
                Outcome::Failed(_) => Next::Retry(pause(retry, job.attempt)),
                Outcome::Dead(error) => Next::Dead(error),
            };
            queue.note(&job, next).await?;
            Ok(Some(matches!(next, Next::Done)))
        }
        () = lost(queue, lease, &job) => Ok(Some(false)),
    }
}

/// Says that the worker lives. Ends when the job is another's nevertheless.
async fn lost(queue: &Queue, lease: Duration, job: &Job) {
    loop {
        sleep(lease / BEATS).await;
        // If the queue is away, the job may still be done by the time that it is back.
        if let Ok(false) = queue.note(job, Next::Running(lease)).await {
            return;
        }
    }
}

/// The pause after the attempt `number`. Cut at random by up to a half, so that what failed together does
/// not come back together.
fn pause(first: Duration, number: i64) -> Duration {
    let failures = u32::try_from(number).unwrap_or(u32::MAX);
    doubled(first, failures).mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// `first` after the first of so many failures in a row, doubled with each further one; at most a day, and nothing
/// without a failure.
fn doubled(first: Duration, failures: u32) -> Duration {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
    first.saturating_mul(2_u32.saturating_pow(doublings)).min(DAY)
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
