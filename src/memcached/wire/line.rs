//! A connection of our own: changes out, a reply to each back, closed by `mn`.
//!
//! async-memcached sends one delete a round trip, and a batch of sets only with the same flags for all.

use std::{io, mem, net::SocketAddr, time::Duration};

use futures_util::future::try_join;
use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf,
        WriteHalf, split,
    },
    net::{TcpStream, UnixStream, lookup_host},
};

use super::WireError;
use crate::{
    cache::{Key, Value},
    memcached::{Address, deadline::within, operation::Said},
};

/// Bytes of a line of a reply: the longest key, a number and room for an error. A longer one is no reply.
const LINE_BYTES_MAX: u64 = 1024;

/// Bytes after which a round trip takes no further change; the rest goes with the next, which has a deadline of its
/// own. One change goes in any case.
const ROUND_TRIP_BYTES_MAX: usize = 256 << 10;

/// A socket of either kind.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A connection on which every round trip has the same deadline.
pub(super) struct Line {
    replies: Replies,
    writer: WriteHalf<Box<dyn Socket>>,
    round_trip_timeout: Duration,
    /// The changes that are to be sent together, each with a number of its own.
    written: Vec<u8>,
    asked: Vec<(Key, u64)>,
    /// The number of the last command.
    pub(super) number: u64,
}

/// The replies, line by line.
pub(super) struct Replies(BufReader<ReadHalf<Box<dyn Socket>>>);

impl Line {
    pub(super) async fn connect(
        address: &Address,
        round_trip_timeout: Duration,
    ) -> Result<Self, WireError> {
        let socket: Box<dyn Socket> = match address {
            Address::Tcp { host, port } => Box::new(connect(host, *port).await?),
            Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
        };
        let (reader, writer) = split(socket);
        let (replies, written, asked) = (Replies(BufReader::new(reader)), Vec::new(), Vec::new());
        Ok(Self { replies, writer, round_trip_timeout, written, asked, number: 0 })
    }

    /// Writes `md <key> k O<number> [C<cas>]`; with a value `ms <key> <length> k O<number> [C<cas>] T<life> F<flags>`,
    /// and it.
    pub(super) fn write(&mut self, key: &Key, cas: Option<u64>, value: Option<&Value>) {
        self.number += 1;
        self.asked.push((key.clone(), self.number));
        let cas = cas.map_or_else(String::new, |cas| format!(" C{cas}"));
        let number = self.number;
        let Some(Value { body, flags, left_s }) = value else {
            self.written.extend_from_slice(format!("md {key} k O{number}{cas}\r\n").as_bytes());
            return;
        };
        let length = body.len();
        let line = format!("ms {key} {length} k O{number}{cas} T{left_s} F{flags}\r\n");
        for part in [line.as_bytes(), body, b"\r\n"] {
            self.written.extend_from_slice(part);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.written.len() >= ROUND_TRIP_BYTES_MAX
    }

    /// Sends what is written and tells `hear` what is said to each change, in their order, until a reply is not the
    /// one asked for.
    pub(super) async fn round_trip(&mut self, mut hear: impl FnMut(Said)) -> Result<(), WireError> {
        let (mut bytes, asked) = (mem::take(&mut self.written), mem::take(&mut self.asked));
        bytes.extend_from_slice(b"mn\r\n");
        self.ask(&bytes, async |replies| {
            for (key, number) in asked {
                hear(reply(&replies.line().await?, &key, number)?);
            }
            if replies.line().await? == b"MN" { Ok(()) } else { Err(WireError::Crosstalk) }
        })
        .await
    }

    /// Sends `bytes` and reads the replies meanwhile, so that neither side waits for the other to read.
    pub(super) async fn ask(
        &mut self,
        bytes: &[u8],
        read: impl AsyncFnOnce(&mut Replies) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let Self { replies, writer, round_trip_timeout, .. } = self;
        let write = async {
            writer.write_all(bytes).await?;
            Ok(writer.flush().await?)
        };
        within(*round_trip_timeout, try_join(write, read(replies))).await??;
        // What nobody has asked for must not be the answer to what is asked next.
        if replies.0.buffer().is_empty() { Ok(()) } else { Err(WireError::Crosstalk) }
    }
}

impl Replies {
    /// The next line, without its end.
    pub(super) async fn line(&mut self) -> Result<Vec<u8>, WireError> {
        let mut line = Vec::with_capacity(64);
        (&mut self.0).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
        if line.ends_with(b"\r\n") {
            line.truncate(line.len() - 2);
            return Ok(line);
        }
        if !line.ends_with(b"\n") && (line.len() as u64) < LINE_BYTES_MAX {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Err(WireError::Crosstalk)
    }
}

/// Connects to the first IPv4 address that takes it, as async-memcached does: both must reach the same server.
async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let found = lookup_host((host, port)).await?;
    let addresses: Vec<_> = found.filter(SocketAddr::is_ipv4).collect();
    let stream = TcpStream::connect(&addresses[..]).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn reply(line: &[u8], key: &Key, number: u64) -> Result<Said, WireError> {
    if line.starts_with(b"SERVER_ERROR ") || line.starts_with(b"CLIENT_ERROR ") {
        let is_too_large = memchr::memmem::find(line, b"too large").is_some();
        return Ok(if is_too_large { Said::TooLarge } else { Said::Refused });
    }
    if !is_for(line, key, number) {
        return Err(WireError::Crosstalk);
    }
    match line.get(..3) {
        Some(b"HD ") => Ok(Said::Done),
        Some(b"NF ") => Ok(Said::NotFound),
        Some(b"EX ") => Ok(Said::Exists),
        _ => Err(WireError::Crosstalk),
    }
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
