//! The stream between hyper and the socket of one connection.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};
use tokio_io_timeout::TimeoutWriter;

use crate::{
    connections::OpenConnection,
    head_guard::{HeadGuard, Violation},
    limits::Limits,
    linger::Linger,
    refusal::{Refusal, instead_of},
};

/// Bytes that hyper answers with 400 wherever in a head they come: no part of a head may contain NUL. The empty line
/// makes it look, as it does not parse again what it knows to be incomplete.
const POISON: &[u8] = b"\0\r\n\r\n";

/// A request that the guard has refused, and the bytes that hyper is given to read instead.
struct Refused {
    refusal: Refusal,
    /// The rest of [`POISON`], then nothing. In a body it is `None`, for an error, so that the body ends in one. Between
    /// requests an error would end the connection and its earlier answers.
    poison: Option<&'static [u8]>,
}

/// A socket whose reads are guarded and whose pending writes have a deadline.
pub(super) struct EdgeStream {
    socket: Pin<Box<TimeoutWriter<TcpStream>>>,
    guard: HeadGuard,
    head_deadline: Duration,
    /// Runs while a read waits for the rest of a head, which hardly ever comes in two pieces, or for the first head.
    head_clock: Option<Pin<Box<Sleep>>>,
    has_begun: bool,
    idle_deadline: Duration,
    idle_since: Instant,
    /// Fires at the idle deadline or before it; then it is set anew. hyper's own timer, which is one for a head and for an
    /// idle connection, is made and cancelled for each request.
    idle_clock: Pin<Box<Sleep>>,
    refused: Option<Refused>,
    /// The rest of an answer that is written in place of hyper's own.
    replacement: Vec<u8>,
    must_linger: bool,
    linger: Option<Linger>,
    _open: OpenConnection,
}

impl EdgeStream {
    pub(super) fn new(socket: TcpStream, limits: &Limits, open: OpenConnection) -> Self {
        let mut socket = TimeoutWriter::new(socket);
        socket.set_timeout(Some(limits.write_deadline));
        Self {
            socket: Box::pin(socket),
            guard: HeadGuard::new(limits.head_bytes_max),
            head_deadline: limits.head_deadline,
            head_clock: None,
            has_begun: false,
            idle_deadline: limits.idle_deadline,
            idle_since: Instant::now(),
            idle_clock: Box::pin(sleep(limits.idle_deadline)),
            refused: None,
            replacement: Vec::new(),
            must_linger: false,
            linger: None,
            _open: open,
        }
    }

    /// Nothing has come. That is an error if a head is late: one that has begun, or the first of the connection; or if
    /// it has been idle for too long since its last answer. A body has a deadline of its own.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_begun || self.guard.is_in_head() {
            let deadline = self.head_deadline;
            let clock = self.head_clock.get_or_insert_with(|| Box::pin(sleep(deadline)));
            ready!(clock.as_mut().poll(context));
        } else if self.guard.is_between_requests() {
            let deadline = self.idle_since + self.idle_deadline;
            ready!(self.idle_clock.as_mut().poll(context));
            while Instant::now() < deadline {
                self.idle_clock.as_mut().reset(deadline);
                ready!(self.idle_clock.as_mut().poll(context));
            }
        } else {
            return Poll::Pending;
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// True if the client is gone. hyper, which lets clients close their side, does not look while it waits for a
    /// handler; it flushes then, and what this looks at wakes it. Costs no system call unless there is something to read.
    fn poll_gone(&self, context: &mut Context<'_>) -> bool {
        let mut byte = [0; 1];
        let peeked = self.socket.get_ref().poll_peek(context, &mut ReadBuf::new(&mut byte));
        matches!(peeked, Poll::Ready(Err(_)))
    }

    /// Writes a replacement for hyper's `bytes`, and is ready when hyper may take them for written; `None` if they are to
    /// be written themselves.
    fn poll_replacement(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<Option<usize>>> {
        if self.replacement.is_empty() {
            let refusal = self.refused.as_ref().map(|refused| refused.refusal);
            let Some(answer) = instead_of(bytes, refusal) else { return Poll::Ready(Ok(None)) };
            self.replacement = answer;
            self.must_linger = true;
        }
        while !self.replacement.is_empty() {
            match ready!(self.socket.as_mut().poll_write(context, &self.replacement))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(self.replacement.drain(..written)),
            }
        }
        Poll::Ready(Ok(Some(bytes.len())))
    }
}

impl AsyncRead for EdgeStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let kept_bytes = buffer.filled().len();
        if this.refused.is_none() {
            let Poll::Ready(read) = this.socket.as_mut().poll_read(context, buffer) else {
                return this.poll_late(context);
            };
            read?;
            match this.guard.inspect(&buffer.filled()[kept_bytes..]) {
                Ok(()) if this.guard.is_in_head() => {}
                Ok(()) => {
                    this.has_begun = true;
                    this.head_clock = None;
                }
                // Keeps what came before the violation, and sees to it that hyper refuses the rest.
                Err(Violation { offset, refusal, in_body }) => {
                    buffer.set_filled(kept_bytes + offset);
                    let poison = (!in_body).then_some(POISON);
                    this.refused = Some(Refused { refusal, poison });
                }
            }
        }
        match &mut this.refused {
            Some(Refused { poison: Some(rest), .. }) => Pin::new(rest).poll_read(context, buffer),
            // A read of nothing would mean that the client has closed.
            Some(_) if buffer.filled().len() == kept_bytes => {
                Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
            }
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for EdgeStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = slices.first().map_or(&[][..], |first| first);
        match ready!(this.poll_replacement(context, first))? {
            Some(written) => Poll::Ready(Ok(written)),
            None => {
                this.idle_since = Instant::now();
                this.socket.as_mut().poll_write_vectored(context, slices)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.poll_gone(context) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        this.socket.as_mut().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(this.socket.as_mut().poll_shutdown(context))?;
        }
        // After a violation the guard is never between requests.
        if this.must_linger || !this.guard.is_between_requests() {
            let linger = this.linger.get_or_insert_with(Linger::new);
            ready!(linger.poll(this.socket.as_mut(), context));
        }
        Poll::Ready(Ok(()))
    }
}
