//! Walk-throughs of what the cache does, against a real memcached, for people who want to see it.
//!
//! Each step says what it does, what it expected and what it saw. What a walk-through stores lies under keys of its
//! own, which nobody else uses, lives for a minute at most, and is removed at the end, however that comes.

mod countdown;
mod item;
mod lifecycle;
mod lookup;
mod sessions;
mod speedup;
mod statistics;
mod ttl;
mod walk;

use futures_util::future::join_all;

pub use self::{
    lifecycle::lifecycle,
    sessions::sessions,
    speedup::{Lookups, speedup},
    statistics::statistics,
    ttl::ttl,
    walk::{Interrupt, Stop, Walk},
};
use crate::{cache::Key, memcached::Memcached};

/// The first part of every key but those of sessions.
const SPACE: &str = "aside:demo";

/// How long what is stored lives where its end is not what is shown, in seconds: what a walk-through that was killed
/// leaves behind is gone after that.
const LIFE_S: u32 = 60;

/// A key that nobody has.
fn draw() -> Key {
    Key::numbered(SPACE, fastrand::i64(0..i64::MAX))
}

/// Removes `keys`, whatever became of the walk, and returns that.
async fn tidied(walked: Result<(), Stop>, memcached: &Memcached, keys: &[Key]) -> Result<(), Stop> {
    let removed = join_all(keys.iter().map(|key| memcached.remove(key))).await;
    // Of two failures the first one says why.
    walked.and(removed.into_iter().collect::<Result<Vec<_>, _>>().map(drop).map_err(Stop::from))
}
