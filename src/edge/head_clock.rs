//! The deadline of a head, apart from that of an idle connection: hyper has one timer for both.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Runs while a head is awaited that has begun, or the first head of a connection.
pub(super) struct HeadClock {
    deadline: Duration,
    /// Set only when a read has to wait for the rest of a head, which hardly ever comes in two pieces.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl HeadClock {
    pub(super) fn new(deadline: Duration) -> Self {
        Self { deadline, sleep: None }
    }

    /// Begins anew, with the next head.
    pub(super) fn reset(&mut self) {
        self.sleep = None;
    }

    /// Ready when the head has been awaited for too long.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        self.sleep.get_or_insert_with(|| Box::pin(sleep(deadline))).as_mut().poll(context)
    }
}
