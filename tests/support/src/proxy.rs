//! A way to a server that does wrong what it is told to, from one moment to the next, while others reach that server
//! by ways of their own.

use std::{
    fs,
    future::pending,
    io, mem,
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsFd,
    path::PathBuf,
    sync::{
        self, Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aside::memcached::Address;
use rustix::net::sockopt::set_socket_linger;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{Mutex, mpsc, watch},
    task::{JoinHandle, JoinSet, yield_now},
    time::{Instant, sleep, sleep_until},
};

use super::memcached::{converse, free_port};

/// Bytes that are read at once: a reply to all that Aside sends in these tests comes whole.
const READ_BYTES_MAX: usize = 256 << 10;

/// Between two attempts to listen again.
const PAUSE: Duration = Duration::from_millis(2);

/// Pieces that are under way in one direction.
const UNDER_WAY_MAX: usize = 64;

/// The pace of what is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Passes it on.
    Open,
    /// Has closed every connection, and refuses new ones.
    Cut,
    /// Keeps it, while connections stay, until it is open again.
    Held(Way),
    /// Passes each piece on so much later.
    Slow(Way, Duration),
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Commands.
    There,
    /// Replies.
    Back,
    /// Commands and replies.
    Both,
}

/// A step in dealing with a piece.
#[derive(Debug)]
pub enum Step {
    /// Passes these bytes on, apart from what comes before and after.
    Pass(Vec<u8>),
    /// Sends these bytes to where the piece comes from.
    Answer(Vec<u8>),
    /// Tells the server this line over another connection, and waits for its answer, a line as well.
    Tell(String),
    /// Ends the connection so.
    End(End),
}

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At once, in both directions.
    Close,
    /// With a reset.
    Reset,
    /// In one direction only: no more replies, but commands are still read.
    HalfClose,
    /// Not at all: what is missing never comes.
    Silence,
}

/// A judge of each piece: it says what is done with that, or nothing if it is passed on as it is.
type Meddler = Box<dyn FnMut(Way, &[u8]) -> Option<Vec<Step>> + Send>;

/// A way to a server, over TCP. Its connections end when it is dropped.
pub struct Proxy {
    here: Here,
    carrier: Arc<Carrier>,
    serving: JoinHandle<()>,
}

/// The near end of a way.
#[derive(Clone)]
enum Here {
    Port(SocketAddr),
    Socket(PathBuf),
}

/// The client's end of a connection.
trait Socket: AsyncRead + AsyncWrite + AsFd + Send + Unpin {}

impl Socket for TcpStream {}

impl Socket for UnixStream {}

enum Listener {
    Port(TcpListener),
    Socket(UnixListener),
}

/// The state that all connections share.
struct Carrier {
    server: sync::Mutex<String>,
    flow: watch::Sender<Flow>,
    stranded: watch::Sender<()>,
    meddler: sync::Mutex<Option<Meddler>>,
}

impl Proxy {
    /// A way to `server`, which may come and go, from a port of its own.
    pub fn start(server: &impl ToString) -> Self {
        let port = || Here::Port((Ipv4Addr::LOCALHOST, free_port()).into());
        let bound = |here: Here| here.listen().ok().map(|listener| (here, listener));
        let (here, listener) = std::iter::repeat_with(port).find_map(bound).unwrap();
        Self::carry(here, listener, server.to_string())
    }

    /// A way to `server` from a Unix socket.
    pub fn start_on_socket(path: PathBuf, server: &impl ToString) -> Self {
        let here = Here::Socket(path);
        let listener = here.listen().unwrap();
        Self::carry(here, listener, server.to_string())
    }

    fn carry(here: Here, listener: Listener, server: String) -> Self {
        let (flow, stranded) = (watch::Sender::new(Flow::Open), watch::Sender::new(()));
        let (server, meddler) = (sync::Mutex::new(server), sync::Mutex::default());
        let carrier = Arc::new(Carrier { server, flow, stranded, meddler });
        let serving = tokio::spawn(serve(listener, here.clone(), carrier.clone()));
        Self { here, carrier, serving }
    }

    /// The address of the near end.
    pub fn address(&self) -> Address {
        match &self.here {
            Here::Port(here) => Address::Tcp { host: here.ip().to_string(), port: here.port() },
            Here::Socket(path) => Address::Unix(path.to_str().unwrap().to_owned()),
        }
    }

    /// Sets the pace, for connections that are open as well.
    pub fn set(&self, flow: Flow) {
        self.carrier.flow.send_replace(flow);
    }

    /// Shows each piece to `meddler` from now on.
    pub fn meddle(&self, meddler: impl FnMut(Way, &[u8]) -> Option<Vec<Step>> + Send + 'static) {
        *self.carrier.meddler.lock().unwrap() = Some(Box::new(meddler));
    }

    /// Loses `command` the next `times` that it is sent: its connection is closed, and the server hears nothing of it.
    /// Gives the number of losses to come.
    pub fn lose(&self, command: &str, times: u32) -> Arc<AtomicU32> {
        let left = Arc::new(AtomicU32::new(times));
        let (command, left_here) = (command.as_bytes().to_owned(), left.clone());
        self.meddle(move |way, bytes| {
            let is_there = bytes.windows(command.len()).any(|it| it == command);
            let is_lost = way == Way::There && is_there && left_here.load(Ordering::Relaxed) > 0;
            left_here.fetch_sub(is_lost.into(), Ordering::Relaxed);
            is_lost.then(|| vec![Step::End(End::Close)])
        });
        left
    }

    /// Passes everything as it is from now on.
    pub fn mend(&self) {
        *self.carrier.meddler.lock().unwrap() = None;
        self.set(Flow::Open);
    }

    /// Carries new connections to another server.
    pub fn lead_to(&self, server: &impl ToString) {
        *self.carrier.server.lock().unwrap() = server.to_string();
    }

    /// Lets the connections that are open carry nothing any more, and not end. New ones carry.
    pub fn strand(&self) {
        self.carrier.stranded.send_replace(());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Flow {
    fn holds(self, way: Way) -> bool {
        matches!(self, Self::Held(held) if held == way || held == Way::Both)
    }

    fn delay(self, way: Way) -> Duration {
        match self {
            Self::Slow(slow, by) if slow == way || slow == Way::Both => by,
            _ => Duration::ZERO,
        }
    }
}

/// Listens, except while the way is cut.
async fn serve(mut listener: Listener, here: Here, carrier: Arc<Carrier>) {
    let mut flow = carrier.flow.subscribe();
    loop {
        tokio::select! {
            () = accept(&listener, &carrier) => {}
            // The sender stays as long as the carrier.
            _ = flow.wait_for(|flow| *flow == Flow::Cut) => {}
        }
        drop(listener);
        let _ = flow.wait_for(|flow| *flow != Flow::Cut).await;
        listener = loop {
            match here.listen() {
                Ok(listener) => break listener,
                // Another test tries whether the port is free.
                Err(_) => sleep(PAUSE).await,
            }
        };
    }
}

/// Carries what comes. Its connections end with it.
async fn accept(listener: &Listener, carrier: &Arc<Carrier>) {
    let mut connections = JoinSet::new();
    loop {
        let client = listener.accept().await.unwrap();
        while connections.try_join_next().is_some() {}
        let carrier = carrier.clone();
        // An error is what was asked for, or either side's leaving.
        connections.spawn(async move {
            let _ = carrier.carry(client).await;
        });
    }
}

impl Here {
    fn listen(&self) -> io::Result<Listener> {
        match self {
            Self::Port(here) => {
                let listener = std::net::TcpListener::bind(here)?;
                listener.set_nonblocking(true)?;
                Ok(Listener::Port(TcpListener::from_std(listener)?))
            }
            Self::Socket(path) => {
                // It is there if this has listened before.
                let _ = fs::remove_file(path);
                Ok(Listener::Socket(UnixListener::bind(path)?))
            }
        }
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Socket>> {
        match self {
            Self::Port(listener) => {
                let (client, _) = listener.accept().await?;
                client.set_nodelay(true)?;
                Ok(Box::new(client))
            }
            Self::Socket(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

impl Carrier {
    fn server(&self) -> String {
        self.server.lock().unwrap().clone()
    }

    /// Carries one connection until either side or a meddler ends it.
    async fn carry(&self, client: Box<dyn Socket>) -> io::Result<()> {
        let mut stranded = self.stranded.subscribe();
        let server = TcpStream::connect(self.server()).await?;
        server.set_nodelay(true)?;
        let (mut from_client, to_client) = split(client);
        let (mut from_server, to_server) = split(server);
        let (to_client, to_server) = (Mutex::new(to_client), Mutex::new(to_server));
        let end = tokio::select! {
            end = self.pass(Way::There, &mut from_client, &to_server, &to_client) => end?,
            end = self.pass(Way::Back, &mut from_server, &to_client, &to_server) => end?,
            _ = stranded.changed() => pending().await,
        };
        let (mut to_client, mut to_server) = (to_client.into_inner(), to_server.into_inner());
        match end {
            End::Close => {}
            End::Reset => {
                set_socket_linger(from_client.unsplit(to_client), Some(Duration::ZERO))?;
            }
            End::HalfClose => {
                to_client.shutdown().await?;
                copy(&mut from_client, &mut to_server).await?;
            }
            End::Silence => {
                copy(&mut from_client, &mut to_server).await?;
            }
        }
        Ok(())
    }

    /// Passes on what comes `from` one side, until that leaves or a meddler ends the connection.
    async fn pass(
        &self,
        way: Way,
        from: &mut (impl AsyncRead + Unpin),
        to: &Mutex<impl AsyncWrite + Unpin>,
        back: &Mutex<impl AsyncWrite + Unpin>,
    ) -> io::Result<End> {
        let (pieces, mut under_way) = mpsc::channel(UNDER_WAY_MAX);
        let reading = async move {
            let room = || Vec::with_capacity(READ_BYTES_MAX);
            let mut piece = room();
            while from.read_buf(&mut piece).await.is_ok_and(|bytes| bytes > 0) {
                let due = Instant::now() + self.flow.borrow().delay(way);
                let _ = pieces.send((due, mem::replace(&mut piece, room()))).await;
            }
            // What is under way still arrives.
            drop(pieces);
            pending().await
        };
        let mut flow = self.flow.subscribe();
        let writing = async {
            while let Some((due, piece)) = under_way.recv().await {
                let _ = flow.wait_for(|flow| !flow.holds(way)).await;
                sleep_until(due).await;
                for step in self.steps(way, piece) {
                    match step {
                        Step::Pass(bytes) => to.lock().await.write_all(&bytes).await?,
                        Step::Answer(bytes) => back.lock().await.write_all(&bytes).await?,
                        Step::Tell(line) => self.tell(&line).await?,
                        Step::End(end) => return Ok(end),
                    }
                    // Lets a receiver in the same thread read this much before there is more.
                    yield_now().await;
                }
            }
            Ok(End::Close)
        };
        tokio::select! {
            end = writing => end,
            end = reading => end,
        }
    }

    fn steps(&self, way: Way, piece: Vec<u8>) -> Vec<Step> {
        let mut meddler = self.meddler.lock().unwrap();
        let steps = meddler.as_mut().and_then(|meddler| meddler(way, &piece));
        steps.unwrap_or_else(|| vec![Step::Pass(piece)])
    }

    async fn tell(&self, line: &str) -> io::Result<()> {
        let mut server = TcpStream::connect(self.server()).await?;
        converse(&mut server, &format!("{line}\r\n"), "\r\n").await;
        Ok(())
    }
}
