//! F47: what the edge does when the process is out of file descriptors. The limit is the process's own, so this test is
//! alone in its binary.

use std::fs::File;
use std::future::pending;
use std::time::Duration;

use aside_edge::{EdgeCounters, Limits, serve};
use axum::Router;
use axum::routing::get;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use support::raw::RawClient;
use tokio::runtime::Handle;
use tokio::time::Instant;

const DESCRIPTORS: u64 = 256;
/// The time for which the processor time is watched while nothing can be accepted.
const WATCHED: Duration = Duration::from_millis(500);
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_the_edge_neither_spins_nor_stops_and_serves_again_when_there_are_some()
{
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum }).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(|| async { "here" }));
    let counters = EdgeCounters::default();
    let (limits, counted) = (Limits::default(), counters.clone());
    let served =
        tokio::spawn(serve(vec![Handle::current()], listener, router, limits, counted, pending()));
    assert!(RawClient::exchange(address, REQUEST).await.ends_with("here"));

    // All but one descriptor are taken; the client's own socket takes that one, and leaves none to the server's.
    let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    files.pop();
    let mut waiting = RawClient::connect(address).await;
    waiting.send(REQUEST).await;
    assert!(File::open("/dev/null").is_err());

    let (began, used) = (Instant::now(), processor_time());
    tokio::time::sleep(WATCHED).await;
    let (passed, used) = (began.elapsed(), processor_time() - used);
    assert!(used < passed / 2, "{used:?} of processor time in {passed:?}");
    assert_eq!(counters.open.get(), 0);
    assert!(!served.is_finished());

    drop(files);
    assert!(waiting.read_to_end().await.ends_with("here"));
}
