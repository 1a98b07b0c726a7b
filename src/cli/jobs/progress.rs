//! The progress of the work: a bar on a terminal, lines anywhere else.

use std::{
    io::{Write, stdout},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::jobs::{ATTEMPTS_MAX, Attempt, Outcome, Target};

/// Between two movements of the bar while nothing else happens.
const TICK: Duration = Duration::from_millis(200);

/// The message of the bar while no attempt has ended since the queue was found empty.
const IDLE: &str = "waiting for jobs";

/// Tells of the work on standard output.
pub(super) struct Progress {
    /// Hidden if standard output is no terminal. Its position is the number of jobs done.
    bar: ProgressBar,
    dead: AtomicU64,
}

impl Progress {
    pub(super) fn start(place: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stdout());
        let style = "{spinner} [{elapsed_precise}] {wide_bar} {pos}/{len} {msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(IDLE);
        bar.enable_steady_tick(TICK);
        let progress = Self { bar, dead: AtomicU64::new(0) };
        progress.say(&format!("working {place}"));
        progress
    }

    /// One attempt has ended.
    pub(super) fn attempt(&self, attempt: &Attempt) {
        let Attempt { number, outcome, .. } = attempt;
        let target = attempt.target.as_ref().map_or_else(|| "?".to_owned(), Target::to_string);
        let ms = attempt.took.as_millis();
        let said = match outcome {
            Outcome::Warmed { found: true } => format!("warmed in {ms} ms"),
            Outcome::Warmed { found: false } => format!("does not exist, known in {ms} ms"),
            Outcome::Failed(error) => {
                format!("failed, attempt {number} of {ATTEMPTS_MAX}: {error}")
            }
            Outcome::Dead(error) => format!("given up: {error}"),
        };
        if !matches!(outcome, Outcome::Failed(_)) {
            self.bar.inc(1);
        }
        if matches!(outcome, Outcome::Dead(_)) {
            self.dead.fetch_add(1, Ordering::Relaxed);
        }
        let done = self.bar.position();
        self.bar.set_length(self.bar.length().unwrap_or(0).max(done));
        let line = format!("{target} {said}");
        self.tell(match self.dead.load(Ordering::Relaxed) {
            dead if dead > 0 && !self.bar.is_hidden() => format!("{line} ({dead} given up)"),
            _ => line,
        });
    }

    /// So many jobs are left, of all that work this queue.
    pub(super) fn left(&self, jobs: u64) {
        self.bar.set_length(self.bar.position() + jobs);
        if jobs == 0 {
            self.bar.set_message(IDLE);
        }
    }

    /// The job under way is the last.
    pub(super) fn stopping(&self) {
        self.tell("stopping".to_owned());
    }

    pub(super) fn end(&self) {
        // The end sets it to the length.
        let done = self.bar.position();
        self.bar.finish();
        let dead = self.dead.load(Ordering::Relaxed);
        self.say(&format!("worked {done} jobs, {dead} given up"));
    }

    /// Shows `line` beside the bar, or says it where there is none.
    fn tell(&self, line: String) {
        if self.bar.is_hidden() {
            self.say(&line);
        } else {
            self.bar.set_message(line);
        }
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| {
            // The reader may have gone away.
            let _ = writeln!(stdout(), "{line}");
        });
    }
}
