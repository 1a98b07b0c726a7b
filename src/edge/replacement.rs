//! An answer of hyper's that is written as something else.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// What is written in the place of bytes that hyper wants to write.
pub(super) struct Replacement {
    answer: Vec<u8>,
    written: usize,
    replaced_bytes: usize,
}

impl Replacement {
    /// `answer`, instead of `replaced_bytes` of hyper's.
    pub(super) fn new(answer: Vec<u8>, replaced_bytes: usize) -> Self {
        Self { answer, written: 0, replaced_bytes }
    }

    /// Writes all of the answer, and then returns how many bytes hyper may take for written.
    pub(super) fn poll_write(
        &mut self,
        mut socket: Pin<&mut impl AsyncWrite>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        while self.written < self.answer.len() {
            match ready!(socket.as_mut().poll_write(context, &self.answer[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        Poll::Ready(Ok(self.replaced_bytes))
    }
}
