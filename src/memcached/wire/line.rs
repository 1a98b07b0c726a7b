//! A connection of our own: what is sent together goes as one write, and replies are taken apart where they arrive.
//!
//! `async_memcached` sends one delete a round trip, and a batch of sets only with the same flags for all; its lookups
//! take apart anew after each read all that has come, and copy it.

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use memchr::memchr;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream, lookup_host},
    task::unconstrained,
    time::{Instant, Sleep, sleep},
};

use super::WireError;
use crate::{cache::Key, memcached::Address};

/// Bytes of a line of a reply: the longest key, numbers and room for an error. A longer one is no reply.
const LINE_BYTES_MAX: usize = 1024;

/// Bytes for which there is room at each read.
const READ_BYTES_MIN: usize = 16 << 10;

/// A socket of either kind.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Parts of the deadline of a round trip. What a machine that is too busy to run this process adds to one of them is not
/// held against the server: one that ends late counts for as long as it was to be.
const PARTS: u32 = 2;

/// A connection, the bytes that are on their way, and the deadline of the round trip.
///
/// The deadline has one timer, which is set anew only when it has fired: tokio pays a system call for each timer that is
/// due before all others, which is more than a round trip shared by few callers can bear.
pub(super) struct Line {
    socket: Box<dyn Socket>,
    part: Pin<Box<Sleep>>,
    part_length: Duration,
    parts_left: u32,
    unsent: BytesMut,
    received: BytesMut,
    /// The number of the last command.
    number: u64,
}

impl Line {
    /// Connects. Each round trip over it is to end within `deadline`, or half of it later.
    pub(super) async fn connect(address: &Address, deadline: Duration) -> Result<Self, WireError> {
        let socket: Box<dyn Socket> = match address {
            Address::Tcp { host, port } => Box::new(connect(host, *port).await?),
            Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
        };
        let [unsent, received] = [(); 2].map(|()| BytesMut::new());
        let (part_length, parts_left) = (deadline / PARTS, 0);
        let part = Box::pin(sleep(part_length));
        Ok(Self { socket, part, part_length, parts_left, unsent, received, number: 0 })
    }

    /// Begins a round trip: its deadline counts from now.
    pub(super) fn begin(&mut self) {
        // The first has begun already, perhaps.
        self.parts_left = PARTS + 1;
        if self.part.is_elapsed() {
            self.part.as_mut().reset(Instant::now() + self.part_length);
        }
    }

    /// A number for a command, or for several that are told apart by their keys.
    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Adds `bytes` to what is sent before the next line is waited for.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// The number of bytes that are still to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// The next line of a reply, without its end.
    pub(super) async fn line(&mut self) -> Result<Bytes, WireError> {
        let mut searched = 0;
        let end = loop {
            match memchr(b'\n', &self.received[searched..]) {
                Some(end) => break searched + end,
                None if self.received.len() > LINE_BYTES_MAX => return Err(WireError::Crosstalk),
                None => searched = self.received.len(),
            }
            self.receive().await?;
        };
        let mut line = self.received.split_to(end + 1);
        if end > LINE_BYTES_MAX || !line.ends_with(b"\r\n") {
            return Err(WireError::Crosstalk);
        }
        line.truncate(end - 1);
        Ok(line.freeze())
    }

    /// The value of so many bytes that follows its line.
    pub(super) async fn value(&mut self, length: usize) -> Result<Bytes, WireError> {
        let whole = length.checked_add(2).ok_or(WireError::Crosstalk)?;
        while self.received.len() < whole {
            self.receive().await?;
        }
        let mut value = self.received.split_to(whole);
        if !value.ends_with(b"\r\n") {
            return Err(WireError::Crosstalk);
        }
        value.truncate(length);
        Ok(value.freeze())
    }

    /// Waits for the end of the replies to all that was sent.
    pub(super) async fn end(&mut self) -> Result<(), WireError> {
        if self.line().await? == "MN" { self.is_at_end() } else { Err(WireError::Crosstalk) }
    }

    /// Makes sure that nothing follows: what nobody has asked for must not be the answer to what is asked next.
    pub(super) fn is_at_end(&self) -> Result<(), WireError> {
        if self.received.is_empty() { Ok(()) } else { Err(WireError::Crosstalk) }
    }

    /// Receives more, and sends meanwhile, so that neither side waits for the other to read. What has arrived beats the
    /// deadline.
    async fn receive(&mut self) -> Result<(), WireError> {
        self.received.reserve(READ_BYTES_MIN);
        poll_fn(|context| {
            while !self.unsent.is_empty() {
                match pin!(self.socket.write_buf(&mut self.unsent)).poll(context)? {
                    Poll::Ready(0) => {
                        return Poll::Ready(Err(io::Error::from(ErrorKind::WriteZero).into()));
                    }
                    Poll::Ready(_) => {}
                    Poll::Pending => break,
                }
            }
            match pin!(self.socket.read_buf(&mut self.received)).poll(context)? {
                Poll::Ready(0) => {
                    Poll::Ready(Err(io::Error::from(ErrorKind::UnexpectedEof).into()))
                }
                Poll::Ready(_) => Poll::Ready(Ok(())),
                Poll::Pending => self.poll_deadline(context),
            }
        })
        .await
    }

    /// Counts the parts of the deadline; is ready, with an error, when it has passed.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        // A server that never stops sending has used up what tokio lets a task do at once.
        while pin!(unconstrained(&mut self.part)).poll(context).is_ready() {
            self.parts_left = self.parts_left.saturating_sub(1);
            if self.parts_left == 0 {
                return Poll::Ready(Err(WireError::TimedOut));
            }
            self.part.as_mut().reset(Instant::now() + self.part_length);
        }
        Poll::Pending
    }
}

/// Connects to the first IPv4 address that takes it, as async-memcached does: all must reach the same server.
async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let found = lookup_host((host, port)).await?;
    let addresses: Vec<_> = found.filter(SocketAddr::is_ipv4).collect();
    let stream = TcpStream::connect(&addresses[..]).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// True if `line` answers the command of this key and this number. A late or doubled reply bears another number.
pub(super) fn is_for(line: &[u8], key: &Key, number: u64) -> bool {
    let mut digits = itoa::Buffer::new();
    flag(line, b'k') == Some(key.as_ref())
        && flag(line, b'O') == Some(digits.format(number).as_bytes())
}

/// The flag of `line` with this `name`.
pub(super) fn flag(line: &[u8], name: u8) -> Option<&[u8]> {
    let mut flags = line.split(|&byte| byte == b' ').skip(1);
    flags.find_map(|flag| flag.strip_prefix(&[name]))
}

/// The number that `digits` are, if they are one.
pub(super) fn number<N: TryFrom<u64>>(digits: &[u8]) -> Option<N> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let add = |sum: u64, byte| sum.checked_mul(10)?.checked_add(digit(byte)?);
    let sum = digits.iter().try_fold(0, add).filter(|_| !digits.is_empty())?;
    N::try_from(sum).ok()
}
