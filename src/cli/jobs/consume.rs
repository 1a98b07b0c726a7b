//! `aside jobs consume`: works the warm-up queue until told to stop.

use std::{sync::Arc, time::Duration};

use clap::Args;
use tokio::{sync::watch, time::sleep};

use super::progress::Progress;
use crate::{
    app::{self, Stacks},
    cli::{
        command::{FAILURE, Failed, Result},
        signals::Signals,
    },
    config::{LogFormat, QueueSettings, StackSettings, pause},
    cores::Cores,
    jobs::{Attempt, Queue, Report, WarmUp, work},
    metrics::Metrics,
    telemetry,
};

/// Pause between two looks at how many jobs are left.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// The queue to work, and the pace.
#[derive(Args, Debug)]
pub(in crate::cli) struct Consume {
    /// Rest after each job
    #[arg(long, visible_alias = "job-delay", env = "ASIDE_JOB_DELAY", default_value = "1s", value_parser = pause, value_name = "DURATION")]
    delay: Duration,

    #[command(flatten)]
    queue: QueueSettings,

    #[command(flatten)]
    stacks: StackSettings,

    /// Form of the log on standard error; levels by RUST_LOG
    #[arg(long, env = "ASIDE_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
}

impl Consume {
    pub(super) async fn run(&self) -> Result {
        telemetry::start(self.log_format).map_err(Failed::refused)?;
        let queue =
            app::queue(&self.queue.address, &self.stacks.database).map_err(Failed::refused)?;
        let stacks = Stacks::open(&self.stacks, &Metrics::default(), &Cores::here()).await;
        let resources = stacks.map_err(Failed::refused)?.resources;
        let mut signals = Signals::receive()?;
        let progress = Arc::new(Progress::start(queue.place()));
        let observer = progress.clone();
        let observer = Arc::new(move |attempt: &Attempt| observer.attempt(attempt));
        let timing = app::timing(&self.queue, self.delay);
        let (stop, stopped) = watch::channel(false);
        let warm_up = WarmUp { resources, timing, observer };
        let mut worker = tokio::spawn(work(queue.clone(), warm_up, stopped));
        tokio::select! {
            _ = signals.next() => {}
            () = count(&queue, &progress) => {}
        }
        stop.send_replace(true);
        progress.stopping();
        // The job under way ends by the deadline of its query. A second signal does not wait for it.
        let ended = tokio::select! {
            _ = &mut worker => Ok(()),
            _ = signals.next() => Err(Failed::Told(FAILURE)),
        };
        progress.end();
        ended
    }
}

/// Looks for ever how many jobs are left.
async fn count(queue: &Queue, progress: &Progress) {
    loop {
        // If the queue is away, the worker says so.
        if let Ok(Report { counts, .. }) = queue.report().await {
            progress.left((counts.waiting + counts.running + counts.retrying).unsigned_abs());
        }
        sleep(LOOK_PAUSE).await;
    }
}
