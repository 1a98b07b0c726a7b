//! One item in memcached, and the steps that can be walked with it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Stop, Walk, countdown::Countdown};
use crate::{
    cache::{Key, StoreError},
    memcached::{Kept, Memcached},
};

/// Between two looks at an item that is about to run out.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// How far from its TTL an item may be dropped: memcached counts whole seconds, and its clock ticks once in each.
const TTL_SLACK: Duration = Duration::from_secs(1);

/// An item by its key.
pub(super) struct Item<'a> {
    pub(super) memcached: &'a Memcached,
    pub(super) key: &'a Key,
}

/// When an item was set: between these two.
#[derive(Clone, Copy)]
pub(super) struct Set {
    sent_at: Instant,
    answered_at: Instant,
}

/// How long an item was there, as far as it was looked at.
#[derive(Clone, Copy)]
struct Life {
    at_least: Duration,
    /// `None` if it was there at the last look.
    at_most: Option<Duration>,
}

impl Item<'_> {
    /// Stores `value` for `life_s` seconds.
    pub(super) async fn set(
        &self,
        walk: &mut Walk,
        word: &str,
        value: &'static str,
        life_s: u32,
    ) -> Result<Set, Stop> {
        walk.step(format_args!("{word} {} = {value} for {life_s} s", self.key))?;
        let sent_at = Instant::now();
        let kept = self.memcached.keep(self.key, value.into(), life_s).await;
        let set = Set { sent_at, answered_at: Instant::now() };
        walk.same("stored", stored(kept)?)?;
        Ok(set)
    }

    /// Reads the item, which ought to be `expected`.
    pub(super) async fn read(&self, walk: &mut Walk, expected: Option<&str>) -> Result<(), Stop> {
        walk.step(format_args!("read {}", self.key))?;
        let kept = self.memcached.read(self.key, None).await?;
        walk.same(expected.unwrap_or("nothing"), kept.as_ref().map_or("nothing".into(), text))
    }

    /// Deletes the item, which ought to be there.
    pub(super) async fn delete(&self, walk: &mut Walk) -> Result<(), Stop> {
        walk.step(format_args!("delete {}", self.key))?;
        let was_there = self.memcached.remove(self.key).await?;
        walk.same("deleted", if was_there { "deleted" } else { "it was not there" })
    }

    /// Looks until memcached has dropped the item, which it ought to do `ttl_s` seconds after it was `set`.
    pub(super) async fn expire(&self, walk: &mut Walk, ttl_s: u32, set: Set) -> Result<(), Stop> {
        let (key, pause_ms) = (self.key, LOOK_PAUSE.as_millis());
        walk.step(format_args!("read {key} every {pause_ms} ms until memcached has dropped it"))?;
        let ttl = Duration::from_secs(ttl_s.into());
        let life = self.watch(walk, ttl_s, set).await?;
        let (least, most) = (ttl.saturating_sub(TTL_SLACK), ttl + TTL_SLACK);
        let expected = format!("gone after {} to {} s", least.as_secs(), most.as_secs());
        let at_least = life.at_least.as_secs_f64();
        let (saw, holds) = match life.at_most {
            // It was dropped between two looks: only if both are on the same side it was at the wrong time.
            Some(at_most) => (
                format!("gone after {at_least:.1} to {:.1} s", at_most.as_secs_f64()),
                at_most >= least && life.at_least <= most,
            ),
            None => (format!("still there after {at_least:.1} s"), false),
        };
        walk.verdict(expected, saw, holds)
    }

    /// Looks until the item is gone, or has been there for longer than it may.
    async fn watch(&self, walk: &mut Walk, ttl_s: u32, set: Set) -> Result<Life, Stop> {
        let most = Duration::from_secs(ttl_s.into()) + TTL_SLACK;
        let mut countdown = Countdown::new(walk, ttl_s);
        let mut at_least = Duration::ZERO;
        loop {
            let asked_at = Instant::now();
            let Some(kept) = self.memcached.read(self.key, None).await? else {
                return Ok(Life { at_least, at_most: Some(set.sent_at.elapsed()) });
            };
            at_least = asked_at.duration_since(set.answered_at);
            if at_least > most {
                return Ok(Life { at_least, at_most: None });
            }
            if let Some(left_s) = kept.left_s {
                countdown.show(walk, left_s)?;
            }
            walk.wait(sleep(LOOK_PAUSE)).await?;
        }
    }
}

/// What memcached made of a set.
pub(super) fn stored(kept: Result<(), StoreError>) -> Result<&'static str, Stop> {
    match kept {
        Ok(()) => Ok("stored"),
        Err(StoreError::Refused) => Ok("refused"),
        Err(away) => Err(away.into()),
    }
}

/// A value as it is shown: without what a terminal would obey.
pub(super) fn text(kept: &Kept) -> String {
    let text = String::from_utf8_lossy(&kept.value);
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
