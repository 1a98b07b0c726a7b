//! The deadline of a question, held even against a server that never stops sending.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    task::coop::{has_budget_remaining, poll_proceed},
    time::{error::Elapsed, timeout},
};

/// Units of the task's budget (tokio gives it 128) that are spent before each poll. What is left is
/// enough for the write and the read of a usual round trip; a longer one takes more polls.
const BUDGET_SPENT: usize = 126;

/// Like [`timeout`], but looks at the clock after every second read.
///
/// While a socket has more to read, tokio interrupts a future only when its budget is used up, and
/// async-memcached parses all that it has anew after each read: with 128 reads in one poll, a line
/// without an end held a thread for 36 s and took 0.4 GB, whatever the deadline. In small steps the
/// memory is bounded by what a server can send until the deadline. They cost 0.8 µs a poll.
pub(super) async fn within<T>(
    deadline: Duration,
    round_trip: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let mut round_trip = pin!(round_trip);
    let in_small_steps = poll_fn(|context| {
        spend_budget(context);
        round_trip.as_mut().poll(context)
    });
    timeout(deadline, in_small_steps).await
}

/// Spends most of the budget that this poll of the task has, but never all of it.
fn spend_budget(context: &mut Context<'_>) {
    for _ in 0..BUDGET_SPENT {
        match poll_proceed(context) {
            Poll::Ready(unit) if has_budget_remaining() => unit.made_progress(),
            // Dropped, the last unit is given back.
            Poll::Ready(_) | Poll::Pending => return,
        }
    }
}
