//! A way to memcached on which somebody else's command slips in at a chosen moment.

use std::sync::{Arc, Mutex};

use support::memcached::{Memcached, converse};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Is told each line on its way to memcached, and gives the command, if any, that slips in before it. Its own answer
/// must be one line.
pub(crate) type Sabotage = Box<dyn FnMut(&str) -> Option<String> + Send>;

/// `command` slips in before the `nth` line, from 1, that begins with `before`.
pub(crate) fn once(
    before: &'static str,
    nth: usize,
    command: impl Fn(&str) -> String + Send + 'static,
) -> Sabotage {
    let mut seen = 0;
    Box::new(move |line| {
        seen += usize::from(line.starts_with(before));
        (line.starts_with(before) && seen == nth).then(|| command(key_of(line)))
    })
}

/// The key of a command.
pub(crate) fn key_of(line: &str) -> &str {
    line.split_whitespace().nth(1).unwrap_or_default()
}

/// Passes everything on to memcached; it ends when it is dropped.
pub(crate) struct Saboteur {
    pub(crate) address: String,
    _serving: JoinSet<()>,
}

impl Saboteur {
    pub(crate) async fn start(memcached: &Memcached, sabotage: Sabotage) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = memcached.address().to_string();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let (mut connections, sabotage) = (JoinSet::new(), Arc::new(Mutex::new(sabotage)));
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(pass(client, server.clone(), sabotage.clone()));
            }
        });
        Self { address, _serving: serving }
    }
}

/// Passes the lines of one connection on.
async fn pass(client: TcpStream, server: String, sabotage: Arc<Mutex<Sabotage>>) {
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(&server).await.unwrap().into_split();
    let there = async move {
        let (mut from_client, mut line) = (BufReader::new(from_client), Vec::new());
        while from_client.read_until(b'\n', &mut line).await.is_ok_and(|bytes| bytes > 0) {
            let command = (sabotage.lock().unwrap())(&String::from_utf8_lossy(&line));
            if let Some(command) = command {
                let mut stream = TcpStream::connect(&server).await.unwrap();
                converse(&mut stream, &format!("{command}\r\n"), "\r\n").await.unwrap();
            }
            if to_server.write_all(&line).await.is_err() {
                return;
            }
            line.clear();
        }
    };
    // Either side may end it.
    tokio::select! {
        () = there => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}
