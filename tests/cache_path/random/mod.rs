//! A small world in paused time, every chance in it drawn from one seed.
//!
//! One thing is not drawn: moka frees what is gone by the real clock, so that on a machine slower than the
//! world an entry may be lost early, and the same seed may then tell another story.

pub(crate) mod lives;
pub(crate) mod rows;
pub(crate) mod server;
pub(crate) mod source;
pub(crate) mod weather;
pub(crate) mod wire;
pub(crate) mod world;

use std::time::Duration;

/// Waits for `milliseconds`; not even for the next turn if there are none.
pub(crate) async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

/// `true` so many times in a hundred.
pub(crate) fn chance(percent: u32) -> bool {
    fastrand::u32(0..100) < percent
}
