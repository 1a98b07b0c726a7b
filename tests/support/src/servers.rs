//! Real PostgreSQL and Redis servers, each with a directory and a port of its own.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};

use crate::{eventually, memcached::free_port};

/// The kind of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
}

/// A running server; it is ended when this is dropped.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    process: Child,
    port: u16,
    directory: TempDir,
    /// The name of a database of users, once somebody has made it.
    pub(crate) seeded: OnceCell<String>,
}

impl Server {
    /// Starts one, and waits until it answers.
    pub async fn start(kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        if kind == Kind::Postgres {
            create_cluster(directory.path());
        }
        let (process, port) = eventually("a free port", async || {
            let port = free_port();
            let mut process = spawn(kind, directory.path(), port);
            answers(kind, &mut process, port).await.then_some((process, port))
        })
        .await;
        Self { kind, process, port, directory, seeded: OnceCell::new() }
    }

    /// The folder of PostgreSQL's data and settings.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Its host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its address, with a database.
    pub fn url(&self) -> String {
        url(self.kind, self.port)
    }

    /// The address of its database `name`.
    pub fn url_of(&self, name: &str) -> String {
        let url = self.url();
        let (server, _) = url.rsplit_once('/').unwrap();
        format!("{server}/{name}")
    }

    /// Kills it (SIGKILL, but PostgreSQL's immediate shutdown, which leaves as little in order).
    pub fn kill(&mut self) {
        let pid = Pid::from_raw(self.process.id().cast_signed()).unwrap();
        self.go_on();
        let signal = if self.kind == Kind::Postgres { Signal::QUIT } else { Signal::KILL };
        // It may have ended by itself.
        let _ = kill_process(pid, signal);
        self.process.wait().unwrap();
    }

    /// Kills all of its processes (SIGKILL).
    pub fn crash(&mut self) {
        self.signal_all(Signal::KILL);
        self.process.wait().unwrap();
    }

    /// Stops all of its processes (SIGSTOP), as a machine that hangs does.
    pub fn stop(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Lets them go on.
    pub fn go_on(&self) {
        self.signal_all(Signal::CONT);
    }

    /// To itself and to its children, each of which serves a connection.
    fn signal_all(&self, signal: Signal) {
        let id = self.process.id();
        let children =
            fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let children = children.split_whitespace().map(|id| id.parse().unwrap());
        for id in children.chain([id.cast_signed()]) {
            // A child may have ended.
            let _ = kill_process(Pid::from_raw(id).unwrap(), signal);
        }
    }

    /// Starts it anew, with what it has stored, on another port.
    pub async fn move_elsewhere(&mut self) {
        self.port = free_port();
        self.restart().await;
    }

    /// Starts it anew, on the same port and with what it has stored.
    pub async fn restart(&mut self) {
        self.process = eventually("the server again", async || {
            let mut process = spawn(self.kind, self.directory.path(), self.port);
            answers(self.kind, &mut process, self.port).await.then_some(process)
        })
        .await;
    }
}

/// A database of no name on [`shared_postgres`], a copy of `template`.
pub async fn new_database(server: &Server, template: &str) -> String {
    static CREATED: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", CREATED.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}"));
    sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    name
}

/// The PostgreSQL of all tests that only need a database: it is started by the first, and ended with the last.
pub async fn shared_postgres() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(Server::start(Kind::Postgres).await);
    *shared = Arc::downgrade(&server);
    server
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn url(kind: Kind, port: u16) -> String {
    match kind {
        Kind::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        Kind::Redis => format!("redis://127.0.0.1:{port}/0"),
    }
}

/// Waits until it answers; `false` if it ends instead, as it does when its port is taken.
async fn answers(kind: Kind, process: &mut Child, port: u16) -> bool {
    eventually("an answer of the server", async || {
        if process.try_wait().unwrap().is_some() {
            return Some(false);
        }
        answers_now(kind, &url(kind, port)).await.then_some(true)
    })
    .await
}

async fn answers_now(kind: Kind, url: &str) -> bool {
    match kind {
        Kind::Postgres => match PgConnection::connect(url).await {
            Ok(connection) => connection.close().await.is_ok(),
            Err(_) => false,
        },
        Kind::Redis => {
            let client = redis::Client::open(url).unwrap();
            let Ok(mut connection) = client.get_multiplexed_async_connection().await else {
                return false;
            };
            let pong: Result<String, _> = redis::cmd("PING").query_async(&mut connection).await;
            pong.is_ok()
        }
    }
}

fn spawn(kind: Kind, directory: &Path, port: u16) -> Child {
    let port = port.to_string();
    let mut command = match kind {
        Kind::Postgres => {
            let mut command = as_postgres("postgres");
            // Whether the disk has it is not what is tested, the server is never cut off from power.
            command.args(["-D"]).arg(directory.join("data")).args(["-p", &port, "-c", "fsync=off"]);
            command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
            // Several services are on it at once.
            command.args(["-c", "max_connections=250"]);
            command
        }
        Kind::Redis => {
            let mut command = Command::new("redis-server");
            command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
            command.args(["--appendonly", "yes", "--appendfsync", "always"]);
            command.arg("--dir").arg(directory);
            command
        }
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let missing = "these tests need PostgreSQL and Redis; script/test installs them";
    command.spawn().expect(missing)
}

fn create_cluster(directory: &Path) {
    if geteuid().is_root() {
        let (user, group) = postgres_user();
        chown(directory, Some(user), Some(group)).unwrap();
    }
    let mut command = as_postgres("initdb");
    command.arg("-D").arg(directory.join("data"));
    command.args(["--username=postgres", "--auth=trust", "--no-sync", "--no-instructions"]);
    let output = command.output().expect("these tests need PostgreSQL; script/test installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A command of PostgreSQL's, which refuses to run as root.
fn as_postgres(name: &str) -> Command {
    let mut command = Command::new(postgres_folder().join(name));
    command.current_dir("/").env_clear();
    if geteuid().is_root() {
        let (user, group) = postgres_user();
        command.uid(user).gid(group);
    }
    command
}

/// Debian has one folder a version, and none of them in the PATH.
fn postgres_folder() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.unwrap().path().join("bin")).collect();
    folders.sort();
    folders.pop().expect("these tests need PostgreSQL; script/test installs it")
}

/// The user and the group that Debian's package makes.
fn postgres_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<_> = line.expect("the user postgres").split(':').collect();
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}
