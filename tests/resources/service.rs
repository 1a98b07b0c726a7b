//! A service that answers over HTTP as a test tells it to: byte by byte, if need be.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) target: String,
    /// The lines of its head after the first.
    pub(crate) fields: Vec<String>,
}

/// A running service.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    /// The connections that were made to it.
    pub(crate) connections: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Service {
    /// Starts one that answers each request as `answer` does, which returns `false` to close the connection.
    pub(crate) async fn start<F>(
        answer: impl Fn(Asked, TcpStream) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<TcpStream>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut serving = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                let answer = answer.clone();
                serving.spawn(async move {
                    let mut socket = Some(socket);
                    while let Some(open) = socket.take() {
                        let Some((asked, open)) = read(open).await else { break };
                        socket = answer(asked, open).await;
                    }
                });
            }
        });
        Self { address, connections, _task: task }
    }

    /// Starts one that answers every request with these bytes, and closes the connection.
    pub(crate) async fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        Self::start(move |_, mut socket: TcpStream| {
            let bytes = bytes.clone();
            async move {
                let _ = socket.write_all(&bytes).await;
                None
            }
        })
        .await
    }

    /// Starts one that says in JSON which segment it was asked for.
    pub(crate) async fn echo() -> Self {
        Self::start(|asked: Asked, mut socket: TcpStream| async move {
            let text = percent_decode_str(&asked.target[1..]).decode_utf8().unwrap();
            let body = json!({ "text": text }).to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            socket.write_all((head + &body).as_bytes()).await.ok()?;
            Some(socket)
        })
        .await
    }
}

/// Reads the head of a request without a body.
async fn read(mut socket: TcpStream) -> Option<(Asked, TcpStream)> {
    let mut lines = Vec::new();
    let mut reader = BufReader::new(&mut socket);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let fields = lines.split_off(1);
    let target = lines[0].split(' ').nth(1)?.to_owned();
    Some((Asked { target, fields }, socket))
}

/// An answer with this status, these fields and this body.
pub(crate) fn answer(status: &str, fields: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{fields}\r\n{body}",
        body.len()
    )
}
