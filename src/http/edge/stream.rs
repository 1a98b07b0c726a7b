//! The stream between hyper and the socket of one connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_io_timeout::TimeoutWriter;

use super::counters::OpenConnection;
use super::head_guard::{HeadGuard, Violation};
use super::limits::Limits;
use super::refusal::{Refusal, instead_of};

/// Bytes that hyper answers with 400 wherever in a head they come: no part of a head may contain NUL. The empty line
/// makes it look, as it does not parse again what it knows to be incomplete.
const POISON: &[u8] = b"\0\r\n\r\n";

/// Time in which a client that was refused half-way may still send; past it, the connection is closed.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes that a client that was refused half-way may still send; past it, the connection is closed.
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// What hyper is given to read.
enum Reading {
    /// What the client sends.
    Client,
    /// The rest of [`POISON`], then nothing.
    Poison(&'static [u8]),
    /// An error, so that the body ends in one. Between requests it would end the connection and its earlier answers.
    Failure,
}

/// An answer of hyper's that is being replaced.
struct Replacement {
    answer: Vec<u8>,
    written: usize,
    /// Bytes of hyper's answer.
    replaced_bytes: usize,
}

/// Reading after the last answer: see [`EdgeStream::poll_linger`].
struct Linger {
    deadline: Pin<Box<Sleep>>,
    bytes_left: usize,
}

/// A socket whose reads are guarded and whose pending writes have a deadline.
pub(super) struct EdgeStream {
    socket: Pin<Box<TimeoutWriter<TcpStream>>>,
    guard: HeadGuard,
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

    #[cold]
    fn poll_replacement(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(replacement) = &mut self.replacement else {
            return Poll::Ready(Ok(0));
        };
        while replacement.written < replacement.answer.len() {
            let rest = &replacement.answer[replacement.written..];
            match ready!(self.socket.as_mut().poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => replacement.written += written,
            }
        }
        let replaced_bytes = replacement.replaced_bytes;
        self.replacement = None;
        Poll::Ready(Ok(replaced_bytes))
    }

    /// Whether hyper's `bytes` are not to be written, but a replacement.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        if self.replacement.is_none() {
            self.replacement = instead_of(bytes, self.refusal).map(|answer| {
                self.must_linger = true;
                Replacement { answer, written: 0, replaced_bytes: bytes.len() }
            });
        }
        self.replacement.is_some()
    }

    /// Reads and forgets what a refused client still sends, for a while. A socket that is closed with unread bytes sends
    /// a reset, and with some clients a reset destroys the answer that has arrived before it.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Linger {
            deadline: Box::pin(sleep(LINGER)),
            bytes_left: LINGER_BYTES_MAX,
        });
        let mut scratch = [0; 4 * 1024];
        while linger.bytes_left > 0 {
            let mut buffer = ReadBuf::new(&mut scratch);
            match self.socket.as_mut().poll_read(context, &mut buffer) {
                Poll::Pending => return linger.deadline.as_mut().poll(context),
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    linger.bytes_left = linger.bytes_left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => break,
            }
        }
        Poll::Ready(())
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
        ready!(this.socket.as_mut().poll_read(context, buffer))?;
        match this.guard.inspect(&buffer.filled()[kept_bytes..]) {
            Ok(()) => Poll::Ready(Ok(())),
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
        if this.replaces(bytes) {
            return this.poll_replacement(context);
        }
        this.socket.as_mut().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if slices.first().is_some_and(|first| this.replaces(first)) {
            return this.poll_replacement(context);
        }
        this.socket.as_mut().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().socket.as_mut().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(this.socket.as_mut().poll_shutdown(context))?;
        }
        if this.must_linger || !this.guard.is_between_requests() {
            ready!(this.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}
