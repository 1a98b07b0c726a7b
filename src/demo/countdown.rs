//! The seconds that are left: a bar on a terminal, a line a second elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Stop, Walk};

/// Counts down. The bar goes when this is dropped.
pub(super) struct Countdown {
    bar: ProgressBar,
    told_s: Option<u32>,
}

impl Countdown {
    /// A countdown from `from_s` seconds.
    pub(super) fn new(from_s: u32) -> Self {
        let bar = ProgressBar::with_draw_target(Some(from_s.into()), ProgressDrawTarget::stdout());
        // Without this template the bar would have its own.
        if let Ok(style) = ProgressStyle::with_template("   {bar:30} {msg}") {
            bar.set_style(style);
        }
        Self { bar, told_s: None }
    }

    /// memcached says that `left_s` seconds are left; it is told if it is news.
    pub(super) fn show(&mut self, walk: &mut Walk, left_s: u32) -> Result<(), Stop> {
        if self.told_s.replace(left_s) == Some(left_s) {
            return Ok(());
        }
        self.bar.set_position(left_s.into());
        self.bar.set_message(format!("{left_s} s left"));
        if self.bar.is_hidden() { walk.line(format_args!("{left_s} s left")) } else { Ok(()) }
    }
}

impl Drop for Countdown {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
