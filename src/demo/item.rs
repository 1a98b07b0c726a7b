//! The steps that can be walked with one item in memcached.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Instant, sleep};

use super::{Stop, Walk};
use crate::{
    cache::{Key, StoreError},
    memcached::PlainItem,
};

/// Between two looks at an item that is about to run out.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// The most that an item may be dropped before or after its TTL: memcached counts whole seconds, and its clock ticks once
/// in each, later where the machine is busy.
const TTL_SLACK: Duration = Duration::from_secs(2);

impl Walk {
    /// Stores `value` under `key` for `life_s` seconds; `word` says what that is.
    pub(super) async fn set(
        &mut self,
        word: &str,
        key: &Key,
        value: &'static str,
        life_s: u32,
    ) -> Result<(), Stop> {
        self.step(format_args!("{word} {key} = {value} for {life_s} s"))?;
        let kept = self.memcached.keep(key, value.into(), life_s).await;
        self.same("stored", stored(kept)?)
    }

    /// Reads `key`, which ought to be `expected`.
    pub(super) async fn read(&mut self, key: &Key, expected: Option<&str>) -> Result<(), Stop> {
        self.step(format_args!("read {key}"))?;
        let kept = self.memcached.read(key, None).await?;
        self.same(expected.unwrap_or("nothing"), kept.as_ref().map_or("nothing".into(), text))
    }

    /// Deletes `key`, which ought to be there.
    pub(super) async fn delete(&mut self, key: &Key) -> Result<(), Stop> {
        self.step(format_args!("delete {key}"))?;
        let was_there = self.memcached.remove(key).await?;
        self.same("deleted", if was_there { "deleted" } else { "it was not there" })
    }

    /// Sets `key`, reads it, and looks until memcached has dropped it, which it ought to do after `ttl_s` seconds.
    pub(super) async fn outlive(
        &mut self,
        word: &str,
        key: &Key,
        value: &'static str,
        ttl_s: u32,
    ) -> Result<(), Stop> {
        // It was set between these two.
        let sent_at = Instant::now();
        self.set(word, key, value, ttl_s).await?;
        let answered_at = Instant::now();
        self.read(key, Some(value)).await?;

        let pause_ms = LOOK_PAUSE.as_millis();
        self.step(format_args!("read {key} every {pause_ms} ms until memcached has dropped it"))?;
        let ttl = Duration::from_secs(ttl_s.into());
        let (least, most) = (ttl.saturating_sub(TTL_SLACK), ttl + TTL_SLACK);
        let countdown = countdown(ttl_s);
        let mut lived = Duration::ZERO;
        let is_gone = loop {
            let asked_at = Instant::now();
            let Some(kept) = self.memcached.read(key, None).await? else { break true };
            lived = asked_at - answered_at;
            if lived > most {
                break false;
            }
            if let Some(left_s) = kept.left_s {
                self.count_down(&countdown, left_s)?;
            }
            self.wait(sleep(LOOK_PAUSE)).await?;
        };
        drop(countdown);

        let gone_after = sent_at.elapsed();
        let lived_s = lived.as_secs_f64();
        let saw = if is_gone {
            format!("gone after {lived_s:.1} to {:.1} s", gone_after.as_secs_f64())
        } else {
            format!("still there after {lived_s:.1} s")
        };
        // It was dropped between two looks: only if both are on the same side it was at the wrong time.
        let holds = is_gone && gone_after >= least && lived <= most;
        let expected = format!("gone after {} to {} s", least.as_secs(), most.as_secs());
        self.verdict(expected, saw, holds)
    }

    /// memcached says that `left_s` seconds are left: the bar shows it, or a line says it if it is news.
    fn count_down(&mut self, bar: &ProgressBar, left_s: u32) -> Result<(), Stop> {
        let left = format!("{left_s} s left");
        if bar.is_hidden() && bar.message() != left {
            self.line(&left)?;
        }
        bar.set_position(left_s.into());
        bar.set_message(left);
        Ok(())
    }
}

/// A bar for the seconds that are left of `from_s`. It is hidden where there is no terminal, and goes when it is dropped.
fn countdown(from_s: u32) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(from_s.into()), ProgressDrawTarget::stdout());
    // Without this template the bar would have its own.
    if let Ok(style) = ProgressStyle::with_template("   {bar:30} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// The outcome of a set in a word.
pub(super) fn stored(kept: Result<(), StoreError>) -> Result<&'static str, Stop> {
    match kept {
        Ok(()) => Ok("stored"),
        Err(StoreError::Refused) => Ok("refused"),
        Err(away) => Err(away.into()),
    }
}

/// A value as it is shown: without what a terminal would obey.
pub(super) fn text(kept: &PlainItem) -> String {
    String::from_utf8_lossy(&kept.value).replace(char::is_control, "\u{fffd}")
}
