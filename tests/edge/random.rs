//! No input makes the edge panic, hang or stop serving.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aside_edge::Limits;
use fastrand::Rng;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::wire::{Edge, GOOD};

const CLIENTS: u64 = 4;
const CASES_PER_CLIENT: usize = 750;

const CORPUS: [&str; 4] = [
    GOOD,
    "HEAD /numbers/2?x=%20 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"a\":\n1}\n",
    "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n2;a=b\r\n[1\r\n1\r\n]\r\n0\r\nX: 1\r\n\r\n",
];

const FRAGMENTS: [&[u8]; 20] = [
    b"\n",
    b"\r",
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b"\xff",
    b"Host: b\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 18446744073709551615\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Upgrade: h2c\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"0\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n",
];

fn mutated(random: &mut Rng) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..random.usize(1..4)).flat_map(|_| random.choice(CORPUS).unwrap().bytes()).collect();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..bytes.len());
        let end = random.usize(at..bytes.len().min(at + 30));
        match random.u8(..6) {
            0 => bytes[at] = random.u8(..),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.extend_from_within(at..end),
            3 if at > 0 => bytes.truncate(at),
            _ => drop(bytes.splice(at..at, random.choice(FRAGMENTS).unwrap().iter().copied())),
        }
        if bytes.is_empty() {
            bytes.push(b'\n');
        }
    }
    bytes
}

async fn send_cases(edge: Arc<Edge>, mut random: Rng) {
    for _ in 0..CASES_PER_CLIENT {
        let bytes = mutated(&mut random);
        let slice_bytes = if random.bool() { bytes.len() } else { random.usize(1..=bytes.len()) };
        let mut client = edge.connect().await;
        for slice in bytes.chunks(slice_bytes) {
            client.send(slice).await;
        }
        let _ = client.socket.shutdown().await;
        let answer = client.read_to_end().await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1."),
            "{answer:?} to {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_requests_do_no_harm() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let _core = support::core().await;
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // A test beside this one may fail; that is its own affair.
        if panic.location().is_none_or(|place| !place.file().starts_with("tests/")) {
            PANICS.fetch_add(1, Ordering::SeqCst);
        }
        report(panic);
    }));
    let seed = std::env::var("EDGE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("replay with EDGE_SEED={seed}");
    let edge = Arc::new(
        Edge::start(Limits { head_bytes_max: 512, body_bytes_max: 64, ..Limits::default() }).await,
    );
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(send_cases(Arc::clone(&edge), Rng::with_seed(seed.wrapping_add(client))));
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    edge.is_well().await;
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}
