//! A real memcached process.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command},
    time::Duration,
};

use aside::memcached::Address;
use rustix::process::{Pid, Signal, WaitOptions, geteuid, kill_process, waitpid};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{PATIENCE, eventually};

/// The ports that are tried: below the range from which the system takes the ports of outgoing
/// connections, so that none of those takes the place of a server that a test restarts.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// The time that one answer of a running server may take while it starts.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(200);

/// Items that are stored at once to fill a server up.
const SMALL_ITEMS: u32 = 8000;

/// A memcached of the test's own; killed when it is dropped.
pub struct Memcached {
    process: Child,
    address: Address,
    arguments: Vec<String>,
    _directory: Option<TempDir>,
}

impl Memcached {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one on a free port with these arguments besides.
    pub async fn start_with(arguments: &[&str]) -> Self {
        eventually("a free port", async || {
            let address = Address::Tcp { host: Ipv4Addr::LOCALHOST.to_string(), port: free_port() };
            Self::start_at(address, arguments, None).await
        })
        .await
    }

    /// Starts one on a Unix socket.
    pub async fn start_on_socket() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memcached.sock");
        let address = Address::Unix(path.to_str().unwrap().to_owned());
        Self::start_at(address, &[], Some(directory))
            .await
            .expect("a socket in a directory of its own")
    }

    async fn start_at(
        address: Address,
        arguments: &[&str],
        directory: Option<TempDir>,
    ) -> Option<Self> {
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let process = spawn(&address, &arguments);
        let mut memcached = Self { process, address, arguments, _directory: directory };
        memcached.answers().await.then_some(memcached)
    }

    /// Waits until the process answers; `false` if it ends instead, as it does when its port is taken.
    async fn answers(&mut self) -> bool {
        eventually("an answer of memcached", async || {
            if self.process.try_wait().unwrap().is_some() {
                return Some(false);
            }
            // Another test's server may have won the port: only one's own process counts.
            let pid = timeout(ANSWER_TIMEOUT, self.statistic("pid")).await.ok()??;
            (pid == u64::from(self.process.id())).then_some(true)
        })
        .await
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// Stops the process (SIGSTOP): it accepts connections, and answers nothing.
    pub fn stop(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        // A thread of it may run for a moment yet.
        let (_, status) = waitpid(Some(self.pid()), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "{status:?}");
    }

    /// Lets a stopped process go on (SIGCONT).
    pub fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// Kills the process (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts a new process at the address of the one that was killed.
    pub async fn restart(&mut self) {
        self.kill();
        eventually("the address is free again", async || {
            self.process = spawn(&self.address, &self.arguments);
            self.answers().await.then_some(())
        })
        .await;
    }

    /// Starts a new process at the address of this one, with other arguments.
    pub async fn restart_with(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.restart().await;
    }

    /// Stores small items until there is no room for another. The server must be one that does not evict (`-M`).
    pub async fn is_filled(&self) {
        let mut rounds = 0..;
        eventually("the server is full", async || {
            let round = rounds.next();
            let set = |item| format!("set full:{round:?}:{item} 0 0 1 noreply\r\nx\r\n");
            let sets: String = (0..SMALL_ITEMS).map(set).collect();
            self.ask(&format!("{sets}mn\r\n"), "MN\r\n").await?;
            // Never the same key: a set that is refused makes room, as it removes what was there.
            let last = format!("set last:{round:?} 0 0 1\r\nx\r\n");
            let answer = self.ask(&last, "\r\n").await?;
            answer.starts_with("SERVER_ERROR out of memory").then_some(())
        })
        .await;
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().try_into().unwrap()).unwrap()
    }

    /// One of the server's own counters; `None` if it does not answer.
    pub async fn statistic(&self, name: &str) -> Option<u64> {
        let text = self.ask("stats\r\n", "END\r\n").await?;
        let prefix = format!("STAT {name} ");
        text.lines().find_map(|line| line.strip_prefix(&prefix))?.trim().parse().ok()
    }

    /// Takes connections over TCP until it gives no more.
    pub async fn all_connections(&self) -> Vec<TcpStream> {
        let mut taken: Vec<TcpStream> = Vec::new();
        loop {
            let mut next = TcpStream::connect(self.address.to_string()).await.unwrap();
            let answer = converse(&mut next, "version\r\n", "\r\n").await;
            if answer.is_some_and(|answer| answer.starts_with("VERSION")) {
                taken.push(next);
                continue;
            }
            // One that was closed just now may have been counted still.
            let report = converse(&mut taken[0], "stats\r\n", "END\r\n").await.unwrap();
            if report.contains(&format!("STAT curr_connections {}\r\n", taken.len())) {
                return taken;
            }
        }
    }

    /// The item under `key` as `mg` tells it: a line and the value, or `EN`.
    pub async fn stored(&self, key: &str) -> String {
        self.tell(&format!("mg {key} v")).await
    }

    /// The value of `key`: `None` if it is not there, empty while it is being loaded.
    pub async fn value(&self, key: &str) -> Option<String> {
        let stored = self.stored(key).await;
        stored.starts_with("VA ").then(|| stored.split_once("\r\n").unwrap().1.to_owned())
    }

    /// Waits until somebody loads `key`.
    pub async fn is_loading(&self, key: &str) {
        let loading = async || self.value(key).await?.is_empty().then_some(());
        eventually(&format!("a placeholder under {key}"), loading).await;
    }

    /// Tells it one command, and returns the answer without its end.
    pub async fn tell(&self, command: &str) -> String {
        let answer = self.ask(&format!("{command}\r\nmn\r\n"), "MN\r\n").await.unwrap();
        answer.strip_suffix("MN\r\n").unwrap().strip_suffix("\r\n").unwrap().to_owned()
    }

    /// Sends `command` by a connection of its own, and gives the answer up to `end`.
    pub async fn ask(&self, command: &str, end: &str) -> Option<String> {
        let asking = async {
            match &self.address {
                Address::Tcp { host, port } => {
                    let mut stream = TcpStream::connect((host.as_str(), *port)).await.ok()?;
                    converse(&mut stream, command, end).await
                }
                Address::Unix(path) => {
                    let mut stream = UnixStream::connect(path).await.ok()?;
                    converse(&mut stream, command, end).await
                }
            }
        };
        timeout(PATIENCE, asking).await.ok()?
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port on which nobody listens.
pub fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(PORTS)).find(free).unwrap()
}

fn spawn(address: &Address, arguments: &[String]) -> Child {
    let mut command = Command::new("memcached");
    match address {
        Address::Tcp { host, port } => command.args(["-l", host, "-p", &port.to_string()]),
        Address::Unix(path) => command.args(["-s", path]),
    };
    if geteuid().is_root() {
        command.args(["-u", "root"]);
    }
    command.args(["-t", "1"]).args(arguments);
    command.spawn().expect("these tests need memcached; script/test installs it")
}

/// Sends `command` over `stream`, and gives the answer up to `end`; `None` if the server ends it before.
pub async fn converse(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    command: &str,
    end: &str,
) -> Option<String> {
    stream.write_all(command.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(answer).ok()
}
