//! The stream between hyper and the socket of one connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutWriter;

use super::counters::OpenConnection;
use super::head_clock::HeadClock;
use super::head_guard::{HeadGuard, Violation};
use super::limits::Limits;
use super::linger::Linger;
use super::refusal::{Refusal, instead_of};
use super::replacement::Replacement;

/// Bytes that hyper answers with 400 wherever in a head they come: no part of a head may contain NUL. The empty line
/// makes it look, as it does not parse again what it knows to be incomplete.
const POISON: &[u8] = b"\0\r\n\r\n";

/// What hyper is given to read.
enum Reading {
    /// What the client sends.
    Client,
    /// The rest of [`POISON`], then nothing.
    Poison(&'static [u8]),
    /// An error, so that the body ends in one. Between requests it would end the connection and its earlier answers.
    Failure,
}

/// A socket whose reads are guarded and whose pending writes have a deadline.
pub(super) struct EdgeStream {
    socket: Pin<Box<TimeoutWriter<TcpStream>>>,
    guard: HeadGuard,
    head_clock: HeadClock,
    has_begun: bool,
    reading: Reading,
    refusal: Option<Refusal>,
    replacement: Option<Replacement>,
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
            head_clock: HeadClock::new(limits.head_deadline),
            has_begun: false,
            reading: Reading::Client,
            refusal: None,
            replacement: None,
            must_linger: false,
            linger: None,
            _open: open,
        }
    }

    /// Keeps what came before the violation in `buffer`, and sees to it that hyper refuses the rest.
    #[cold]
    fn refuse(
        &mut self,
        violation: &Violation,
        kept_bytes: usize,
        buffer: &mut ReadBuf<'_>,
    ) -> io::Result<()> {
        buffer.set_filled(kept_bytes + violation.offset);
        self.refusal = Some(violation.refusal);
        self.must_linger = true;
        self.reading = if violation.in_body { Reading::Failure } else { Reading::Poison(POISON) };
        // A read of nothing would mean that the client has closed.
        if violation.in_body && violation.offset > 0 { Ok(()) } else { self.read_refused(buffer) }
    }

    #[cold]
    fn read_refused(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        match &mut self.reading {
            Reading::Poison(rest) => {
                let (now, later) = rest.split_at(rest.len().min(buffer.remaining()));
                buffer.put_slice(now);
                *rest = later;
                Ok(())
            }
            Reading::Client | Reading::Failure => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Nothing has come. That is an error if a head is late: one that has begun, or the first of the connection,
    /// after which hyper's own timer bounds how long it may be idle.
    fn poll_head_deadline(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has_begun && !self.guard.is_in_head() {
            return Poll::Pending;
        }
        self.head_clock.poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Whether the client is gone. hyper, which lets clients close their side, does not look while it waits for a
    /// handler; it flushes then, and what this looks at wakes it. Costs no system call unless there is something to read.
    fn poll_gone(&self, context: &mut Context<'_>) -> bool {
        let mut byte = [0; 1];
        let peeked = self.socket.get_ref().poll_peek(context, &mut ReadBuf::new(&mut byte));
        matches!(peeked, Poll::Ready(Err(_)))
    }

    /// Writes a replacement for hyper's `bytes`, if they are to have one.
    fn poll_replacement(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Option<Poll<io::Result<usize>>> {
        if self.replacement.is_none() {
            let answer = instead_of(bytes, self.refusal)?;
            self.must_linger = true;
            self.replacement = Some(Replacement::new(answer, bytes.len()));
        }
        let written = self.replacement.as_mut()?.poll_write(self.socket.as_mut(), context);
        if written.is_ready() {
            self.replacement = None;
        }
        Some(written)
    }
}

impl AsyncRead for EdgeStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !matches!(this.reading, Reading::Client) {
            return Poll::Ready(this.read_refused(buffer));
        }
        let kept_bytes = buffer.filled().len();
        let Poll::Ready(read) = this.socket.as_mut().poll_read(context, buffer) else {
            return this.poll_head_deadline(context);
        };
        read?;
        match this.guard.inspect(&buffer.filled()[kept_bytes..]) {
            Ok(()) => {
                if !this.guard.is_in_head() {
                    this.has_begun = true;
                    this.head_clock.reset();
                }
                Poll::Ready(Ok(()))
            }
            Err(violation) => Poll::Ready(this.refuse(&violation, kept_bytes, buffer)),
        }
    }
}

impl AsyncWrite for EdgeStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.poll_replacement(context, bytes) {
            Some(written) => written,
            None => this.socket.as_mut().poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match slices.first().and_then(|first| this.poll_replacement(context, first)) {
            Some(written) => written,
            None => this.socket.as_mut().poll_write_vectored(context, slices),
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
        if this.must_linger || !this.guard.is_between_requests() {
            let linger = this.linger.get_or_insert_with(Linger::new);
            ready!(linger.poll(this.socket.as_mut(), context));
        }
        Poll::Ready(Ok(()))
    }
}
