//! `aside jobs consume`: works the warm-up queue until told to stop.

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Args;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::progress::Progress;
use crate::{
    app::{self, Stacks},
    cli::output::refuse,
    config::{LogFormat, QueueSettings, StackSettings, pause},
    jobs::{Attempt, Queue, WarmUp, Worker},
    metrics::Metrics,
    telemetry,
};

/// Pause between two looks at how many jobs are left.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// What to work on, and how fast.
#[derive(Args, Debug)]
pub(in crate::cli) struct Consume {
    /// How long to rest after each job
    #[arg(long, visible_alias = "job-delay", env = "ASIDE_JOB_DELAY", default_value = "1s", value_parser = pause, value_name = "DURATION")]
    delay: Duration,

    #[command(flatten)]
    queue: QueueSettings,

    #[command(flatten)]
    stacks: StackSettings,

    /// How the log is written, to standard error; levels by RUST_LOG
    #[arg(long, env = "ASIDE_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
}

impl Consume {
    pub(super) async fn run(&self) -> ExitCode {
        if let Err(invalid) = telemetry::start(self.log_format) {
            return refuse(&invalid.to_string());
        }
        let queue = match app::queue(&self.queue, &self.stacks.database) {
            Ok(queue) => queue,
            Err(error) => return refuse(&error.to_string()),
        };
        let stacks = match Stacks::open(&self.stacks, &Metrics::default()).await {
            Ok(stacks) => stacks,
            Err(error) => return refuse(&error.to_string()),
        };
        let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return refuse("signals can't be received");
        };
        let mut stop = async move || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let progress = Arc::new(Progress::start(queue.place()));
        let observer = {
            let progress = progress.clone();
            Arc::new(move |attempt: &Attempt| progress.attempt(attempt))
        };
        let warm_up = WarmUp::new(stacks.resources, self.delay, observer);
        let mut worker = Worker::start(queue.clone(), warm_up);
        tokio::select! {
            () = stop() => {}
            () = watch(&queue, &progress) => {}
        }
        progress.stopping();
        // The job under way ends by the deadline of its query. A second signal does not wait for it.
        let code = tokio::select! {
            () = worker.ended() => ExitCode::SUCCESS,
            () = stop() => ExitCode::FAILURE,
        };
        progress.end();
        code
    }
}

/// Looks for ever how many jobs are left.
async fn watch(queue: &Queue, progress: &Progress) {
    let mut looks = interval(LOOK_PAUSE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        // If the queue is away, the worker says so.
        if let Ok(counts) = queue.counts().await {
            progress.left(counts.waiting + counts.running + counts.retrying);
        }
    }
}
