//! A link: one process's own way to one memcached, which can be cut, held and slowed while the ways of others go on.
//!
//! Processes over one database have one list of servers, and a server's name decides which keys live on it. So each
//! process is given the same names, of sockets in its working directory, and a working directory of its own, in which
//! those sockets are its links.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use aside::memcached::Address;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixListener, UnixStream},
    process::Command,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use super::{
    aside::{Place, command},
    memcached::Memcached,
};

/// Bytes that are passed on at once.
const READ_BYTES_MAX: usize = 64 << 10;

/// What a link does with what it is to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Passes it on.
    Open,
    /// Has closed every connection, and refuses new ones.
    Cut,
    /// Keeps it, while connections stay, until it is open again.
    Held(Way),
    /// Passes it on so much later.
    Slow(Duration),
}

/// The direction in which bytes are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Commands.
    There,
    /// Replies.
    Back,
    /// Commands and replies.
    Both,
}

/// The way of one process to one server.
pub struct Link {
    flow: watch::Sender<Flow>,
    lost: Arc<Lost>,
    serving: JoinHandle<()>,
}

/// A command that is lost with its connection, so many times.
#[derive(Debug, Default)]
struct Lost(Mutex<(String, u32)>);

/// All links of one process, by the places of the servers.
pub struct Links {
    folder: TempDir,
    links: Vec<Link>,
}

impl Links {
    /// Links to `servers`, all of them open.
    pub fn start(servers: &[Memcached]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = |(place, server): (usize, &Memcached)| {
            Link::start(folder.path().join(socket(place)), &server.address())
        };
        let links = servers.iter().enumerate().map(start).collect();
        Self { folder, links }
    }

    /// The program at `place`, in the folder of these links; `arguments` come before `--memcached`.
    pub fn command(&self, place: &Place, arguments: &[&str]) -> Command {
        let address = |place| format!("unix:///proc/self/cwd/{}", socket(place));
        let addresses: Vec<_> = (0..self.links.len()).map(address).collect();
        let mut command = command(place, arguments);
        command.args(["--memcached", &addresses.join(",")]).current_dir(self.folder.path());
        command
    }

    /// The link to the server at `place`.
    pub fn to(&self, place: usize) -> &Link {
        &self.links[place]
    }

    /// Every link, in the order of the servers.
    pub fn all(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }
}

fn socket(place: usize) -> String {
    format!("{place}.sock")
}

impl Link {
    fn start(here: PathBuf, server: &Address) -> Self {
        let flow = watch::Sender::new(Flow::Open);
        let lost = Arc::new(Lost::default());
        // Here, so that it can be reached when this returns.
        let listener = UnixListener::bind(&here).unwrap();
        let (server, lost_there) = (server.to_string(), lost.clone());
        let carrier = Carrier { server, flow: flow.subscribe(), lost: lost_there };
        let serving = tokio::spawn(serve(listener, here, carrier));
        Self { flow, lost, serving }
    }

    /// From now on it does this, to connections that are open as well.
    pub fn set(&self, flow: Flow) {
        self.flow.send_replace(flow);
    }

    /// The next `times` that `command` is sent, its connection is closed and the server hears nothing of it.
    pub fn lose(&self, command: &str, times: u32) {
        *self.lost.0.lock().unwrap() = (command.to_owned(), times);
    }

    /// How often the command is yet to be lost.
    pub fn left_to_lose(&self) -> u32 {
        self.lost.0.lock().unwrap().1
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Lost {
    /// Whether these bytes are lost, and their connection with them.
    fn takes(&self, bytes: &[u8]) -> bool {
        let (command, times) = &mut *self.0.lock().unwrap();
        let is_there =
            *times > 0 && bytes.windows(command.len()).any(|it| it == command.as_bytes());
        *times -= u32::from(is_there);
        is_there
    }
}

/// What each connection of a link needs.
#[derive(Clone)]
struct Carrier {
    server: String,
    flow: watch::Receiver<Flow>,
    lost: Arc<Lost>,
}

/// Listens, except while the link is cut.
async fn serve(mut listener: UnixListener, here: PathBuf, carrier: Carrier) {
    let mut flow = carrier.flow.clone();
    loop {
        tokio::select! {
            () = accept(&listener, &carrier) => {}
            _ = flow.wait_for(|flow| *flow == Flow::Cut) => {}
        }
        drop(listener);
        // The sender goes only with this task.
        let _ = flow.wait_for(|flow| *flow != Flow::Cut).await;
        listener = listen_again(&here);
    }
}

fn listen_again(here: &Path) -> UnixListener {
    fs::remove_file(here).unwrap();
    UnixListener::bind(here).unwrap()
}

/// Carries what comes. Its connections end with it.
async fn accept(listener: &UnixListener, carrier: &Carrier) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        while connections.try_join_next().is_some() {}
        let carrier = carrier.clone();
        // An error is either side's leaving.
        connections.spawn(async move {
            let _ = carrier.carry(client).await;
        });
    }
}

impl Carrier {
    /// Carries one connection until either side ends it.
    async fn carry(self, mut client: UnixStream) -> io::Result<()> {
        let mut server = TcpStream::connect(&self.server).await?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            end = self.pass(from_client, to_server, Way::There) => end,
            end = self.pass(from_server, to_client, Way::Back) => end,
        }
    }

    async fn pass(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        way: Way,
    ) -> io::Result<()> {
        let mut flow = self.flow.clone();
        let mut bytes = Vec::with_capacity(READ_BYTES_MAX);
        while from.read_buf(&mut bytes).await? > 0 {
            if way == Way::There && self.lost.takes(&bytes) {
                return Ok(());
            }
            // The sender goes only with the task that carries this.
            let _ = flow.wait_for(|flow| !flow.holds(way)).await;
            let now = *flow.borrow();
            if let Flow::Slow(by) = now {
                sleep(by).await;
            }
            to.write_all(&bytes).await?;
            bytes.clear();
        }
        Ok(())
    }
}

impl Flow {
    fn holds(self, way: Way) -> bool {
        matches!(self, Self::Held(held) if held == way || held == Way::Both)
    }
}
