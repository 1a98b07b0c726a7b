//! Walk-throughs of what the cache does, against a real memcached, for people who want to see it.
//!
//! Each step says what it does, what it expected and what it saw. What a walk-through stores lies under keys of its
//! own, which nobody else uses, lives for a minute at most, and is removed at the end, however that comes.

mod item;
mod lifecycle;
mod sessions;
mod speedup;
mod statistics;
mod ttl;
mod walk;

pub use self::{
    lifecycle::lifecycle,
    sessions::sessions,
    speedup::speedup,
    statistics::statistics,
    ttl::ttl,
    walk::{Interrupt, Stop, Walk},
};

/// The life of an item whose end is not what is shown, in seconds. After it, what a walk-through that was killed has
/// left behind is gone.
const LIFE_S: u32 = 60;
