//! A connection of our own: changes out, a reply to each back, closed by `mn`.
//!
//! async-memcached sends one delete a round trip, and a batch of sets only with the same flags for all.

use std::{io, net::SocketAddr, time::Duration};

use futures_util::future::try_join;
use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf,
        WriteHalf, split,
    },
    net::{TcpStream, UnixStream, lookup_host},
};

use super::{WireError, request::Request};
use crate::{
    cache::Key,
    memcached::{Address, deadline::within, operation::Said},
};

/// Bytes of a line of a reply: the longest key, a number and room for an error. A longer one is no reply.
const LINE_BYTES_MAX: u64 = 1024;

/// A socket of either kind.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A connection on which every round trip has the same deadline.
pub(super) struct Line {
    reader: Reader,
    writer: WriteHalf<Box<dyn Socket>>,
    round_trip_timeout: Duration,
}

/// The replies, line by line.
pub(super) struct Reader(BufReader<ReadHalf<Box<dyn Socket>>>);

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
        Ok(Self { reader: Reader(BufReader::new(reader)), writer, round_trip_timeout })
    }

    /// Sends `request` and tells `hear` what is said to each of its changes, in their order, until a reply is not the
    /// one asked for.
    pub(super) async fn round_trip(
        &mut self,
        request: Request,
        mut hear: impl FnMut(Said),
    ) -> Result<(), WireError> {
        let (bytes, asked) = request.closed();
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
        read: impl AsyncFnOnce(&mut Reader) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let Self { reader, writer, round_trip_timeout } = self;
        let write = async {
            writer.write_all(bytes).await?;
            Ok(writer.flush().await?)
        };
        within(*round_trip_timeout, try_join(write, read(reader))).await??;
        // What nobody has asked for must not be the answer to what is asked next.
        if reader.0.buffer().is_empty() { Ok(()) } else { Err(WireError::Crosstalk) }
    }
}

impl Reader {
    /// The next line, without its end.
    pub(super) async fn line(&mut self) -> Result<Vec<u8>, WireError> {
        let mut line = Vec::with_capacity(64);
        (&mut self.0).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
        if line.ends_with(b"\r\n") {
            line.truncate(line.len() - 2);
            return Ok(line);
        }
        let is_cut = !line.ends_with(b"\n") && (line.len() as u64) < LINE_BYTES_MAX;
        Err(if is_cut {
            io::Error::from(io::ErrorKind::UnexpectedEof).into()
        } else {
            WireError::Crosstalk
        })
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

/// Whether `line` answers the command of this key and this number. A late or doubled reply bears another number.
pub(super) fn is_for(line: &[u8], key: &Key, number: u64) -> bool {
    let mut digits = itoa::Buffer::new();
    flag(line, b'k') == Some(key.as_ref())
        && flag(line, b'O') == Some(digits.format(number).as_bytes())
}

/// What `line` says under `name`.
pub(super) fn flag(line: &[u8], name: u8) -> Option<&[u8]> {
    let mut flags = line.split(|&byte| byte == b' ').skip(1);
    flags.find_map(|flag| flag.strip_prefix(&[name]))
}
