//! The end of a connection whose client may still send after its last answer.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Sleep, sleep},
};

/// Time in which a client that was refused half-way may still send; past it, the connection is closed.
const LINGER: Duration = Duration::from_secs(2);

/// Bytes that a client that was refused half-way may still send; past it, the connection is closed.
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// Reads and forgets what a refused client still sends, for a while. A socket that is closed with unread bytes sends a
/// reset, and with some clients a reset destroys the answer that has arrived before it.
pub(super) struct Linger {
    deadline: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl Linger {
    pub(super) fn new() -> Self {
        Self { deadline: Box::pin(sleep(LINGER)), bytes_left: LINGER_BYTES_MAX }
    }

    /// Is ready when the client has closed, or may not send any more.
    pub(super) fn poll(
        &mut self,
        mut socket: Pin<&mut impl AsyncRead>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut scratch = [0; 4 * 1024];
        while self.bytes_left > 0 {
            let mut buffer = ReadBuf::new(&mut scratch);
            match socket.as_mut().poll_read(context, &mut buffer) {
                Poll::Pending => return self.deadline.as_mut().poll(context),
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.bytes_left = self.bytes_left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => break,
            }
        }
        Poll::Ready(())
    }
}
