//! How far the work has come: a bar on a terminal, lines anywhere else.

use std::{
    io::{IsTerminal, Write, stdout},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::jobs::{ATTEMPTS_MAX, Attempt, Outcome};

/// How often the bar moves while nothing else happens.
const TICK: Duration = Duration::from_millis(200);

/// What is written on standard output.
pub(super) struct Progress {
    /// `None` if standard output is no terminal.
    bar: Option<ProgressBar>,
    done: AtomicU64,
    dead: AtomicU64,
}

impl Progress {
    pub(super) fn start(place: &str) -> Self {
        let bar = stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stdout());
            let style = "{spinner} [{elapsed_precise}] {wide_bar} {pos}/{len} {msg}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.set_message("waiting for jobs");
            bar.enable_steady_tick(TICK);
            bar
        });
        let progress = Self { bar, done: AtomicU64::new(0), dead: AtomicU64::new(0) };
        progress.say(&format!("working {place}"));
        progress
    }

    /// One attempt has ended.
    pub(super) fn attempt(&self, attempt: &Attempt) {
        let user = attempt.user.map_or_else(|| "?".to_owned(), |id| id.to_string());
        let ms = attempt.took.as_millis();
        let (line, ended) = match &attempt.outcome {
            Outcome::Warmed { found: true } => (format!("user {user} warmed in {ms} ms"), true),
            Outcome::Warmed { found: false } => {
                (format!("user {user} does not exist, known in {ms} ms"), true)
            }
            Outcome::Failed(error) => {
                let number = attempt.number;
                (format!("user {user} failed, attempt {number} of {ATTEMPTS_MAX}: {error}"), false)
            }
            Outcome::Dead(error) => (format!("user {user} given up: {error}"), true),
        };
        if ended {
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(attempt.outcome, Outcome::Dead(_)) {
            self.dead.fetch_add(1, Ordering::Relaxed);
        }
        match &self.bar {
            Some(bar) => {
                let done = self.done.load(Ordering::Relaxed);
                bar.set_length(bar.length().unwrap_or(0).max(done));
                bar.set_position(done);
                bar.set_message(match self.dead.load(Ordering::Relaxed) {
                    0 => line,
                    dead => format!("{line} ({dead} given up)"),
                });
            }
            None => self.say(&line),
        }
    }

    /// So many jobs are left, of all that work this queue.
    pub(super) fn left(&self, jobs: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(self.done.load(Ordering::Relaxed) + jobs);
            if jobs == 0 {
                bar.set_message("waiting for jobs");
            }
        }
    }

    /// The job under way is the last.
    pub(super) fn stopping(&self) {
        match &self.bar {
            Some(bar) => bar.set_message("stopping"),
            None => self.say("stopping"),
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
        let (done, dead) = (self.done.load(Ordering::Relaxed), self.dead.load(Ordering::Relaxed));
        self.say(&format!("worked {done} jobs, {dead} given up"));
    }

    fn say(&self, line: &str) {
        let print = || {
            // Whoever reads it may have gone away.
            let _ = writeln!(stdout(), "{line}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}
