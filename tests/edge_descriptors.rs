//! F47: what the edge does when the process is out of file descriptors. The limit is the process's own, so this test is
//! alone in its binary.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aside::edge::{EdgeCounters, Limits, serve};
use axum::Router;
use axum::routing::get;
use axum_server::Handle;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const DESCRIPTORS: u64 = 256;
/// How long the processor time is watched while nothing can be accepted.
const WATCHED: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(20);

fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

async fn send(socket: &mut TcpStream) -> io::Result<()> {
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await
}

async fn answer(mut socket: TcpStream) -> io::Result<String> {
    let mut answer = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut answer)).await??;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_the_edge_neither_spins_nor_stops_and_serves_again_when_there_are_some()
{
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum }).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(|| async { "here" }));
    let counters = Arc::new(EdgeCounters::default());
    let served = tokio::spawn(serve(
        listener,
        router,
        Limits::default(),
        Arc::clone(&counters),
        Handle::new(),
    ));
    let mut first = TcpStream::connect(address).await.unwrap();
    send(&mut first).await.unwrap();
    assert!(answer(first).await.unwrap().ends_with("here"));

    // All but one descriptor are taken; the client's own socket takes that one, and leaves none to the server's.
    let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    files.pop();
    let mut waiting = TcpStream::connect(address).await.unwrap();
    send(&mut waiting).await.unwrap();
    assert!(File::open("/dev/null").is_err());

    let (began, used) = (Instant::now(), processor_time());
    tokio::time::sleep(WATCHED).await;
    let (passed, used) = (began.elapsed(), processor_time() - used);
    assert!(used < passed / 2, "{used:?} of processor time in {passed:?}");
    assert_eq!(counters.open(), 0);
    assert!(!served.is_finished());

    drop(files);
    assert!(answer(waiting).await.unwrap().ends_with("here"));
}
