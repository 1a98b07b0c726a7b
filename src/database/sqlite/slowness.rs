//! Queries made slow: by a collation that sleeps inside SQLite.

use std::{cell::Cell, time::Duration};

use sqlx::sqlite::SqliteConnectOptions;
use tokio::time::Instant;

/// The statement sleeps in slices, and can be interrupted after each: at most this long after its deadline.
const SLICE_MAX: Duration = Duration::from_millis(10);

/// The slowness of a query: this many sleeps of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slowness {
    pub(super) slices: i64,
    slice: Duration,
}

impl Slowness {
    /// Divides `slow_query` into equal slices of at most [`SLICE_MAX`]. Zero has none.
    pub(super) fn new(slow_query: Duration) -> Self {
        let slices = slow_query.as_nanos().div_ceil(SLICE_MAX.as_nanos());
        // More than u32::MAX slices would be longer than a year; the total stays right.
        let slices = u32::try_from(slices).unwrap_or(u32::MAX);
        Self { slices: slices.into(), slice: slow_query.checked_div(slices).unwrap_or_default() }
    }

    /// Teaches every connection of `options` the collation `slow`, which sleeps one slice.
    pub(super) fn register(self, options: SqliteConnectOptions) -> SqliteConnectOptions {
        options.collation("slow", move |left, right| {
            // One side is the number of the slice, the other is empty; SQLite may swap them.
            self.sleep_through(left.parse().or_else(|_| right.parse()).unwrap_or(1));
            left.cmp(right)
        })
    }

    /// Sleeps until slice `number` is over, counted from the first, so that late wake-ups do not add up.
    fn sleep_through(self, number: u32) {
        let now = Instant::now();
        if number == 1 {
            BEGAN.set(Some(now));
        }
        let over = BEGAN.get().and_then(|began| began.checked_add(self.slice * number));
        let left = over.map_or(self.slice, |over| over.saturating_duration_since(now));
        #[expect(clippy::disallowed_methods, reason = "sqlx gives each connection its own thread")]
        std::thread::sleep(left);
    }
}

thread_local! {
    /// The beginning of the statement that this thread, a connection's own, is running.
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_equal_short_and_right_in_all() {
        for (millis, slices) in [(0, 0), (1, 1), (10, 1), (11, 2), (15, 2), (500, 50)] {
            let slowness = Slowness::new(Duration::from_millis(millis));
            let slice = Duration::from_millis(millis) / slices.max(1);
            assert_eq!(slowness, Slowness { slices: slices.into(), slice });
            assert!(slice <= SLICE_MAX);
        }
        assert_eq!(Slowness::new(Duration::MAX).slices, i64::from(u32::MAX));
    }
}
