//! A memcached that does wrong, byte by byte, as a test tells it to; else it answers every lookup with
//! [`value_of`] the key, and every change with success.

use std::{
    collections::VecDeque,
    io,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aside::memcached::Address;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::sleep,
};

use super::eventually::eventually;

/// Connections of one client: for lookups, for changes, and for releases.
pub(crate) const CONNECTIONS: usize = 3;

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Lookup,
    Fill,
    Delete,
}

/// What was asked in one round trip.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) verb: Verb,
    pub(crate) keys: Vec<String>,
    /// The number of the round trip (`O`).
    pub(crate) opaque: u64,
}

impl Asked {
    /// What a memcached answers.
    pub(crate) fn honest(&self) -> Vec<u8> {
        let Self { verb, keys, opaque } = self;
        match verb {
            Verb::Lookup => {
                let blocks: String = keys.iter().map(|key| block(key, *opaque)).collect();
                (blocks + "MN\r\n").into_bytes()
            }
            Verb::Fill | Verb::Delete => format!("HD k{} O{opaque}\r\n", keys[0]).into_bytes(),
        }
    }
}

/// What is stored under `key`.
pub(crate) fn value_of(key: &str) -> String {
    format!("the value of {key}")
}

/// The reply of one lookup.
pub(crate) fn block(key: &str, opaque: u64) -> String {
    let value = value_of(key);
    format!("VA {} t60 f7 c9 O{opaque} k{key}\r\n{value}\r\n", value.len())
}

/// One step of an answer.
pub(crate) enum Act {
    /// Sends these bytes, at once and apart from what comes before and after.
    Send(Vec<u8>),
    /// Sends these bytes again and again until the client ends the connection; once a fake.
    Flood(Vec<u8>),
    /// Lets this much time pass.
    Pause(Duration),
    /// Waits until the test adds a permit.
    Await(Arc<Semaphore>),
    /// Ends the connection by a reset.
    Reset,
    /// Ends the connection.
    Close,
}

impl Act {
    pub(crate) fn send(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Send(bytes.into())
    }
}

type Fault = Box<dyn FnMut(&Asked) -> Option<Vec<Act>> + Send>;

/// The fake; its connections end when it is dropped. A test in which it was asked something that it
/// does not know fails then.
pub(crate) struct Fake {
    address: Address,
    shared: Arc<Shared>,
    _connections: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    faults: Mutex<VecDeque<Fault>>,
    unknown: Mutex<Vec<String>>,
    probes: AtomicUsize,
    flooded_bytes: OnceLock<u64>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = Address::Tcp { host: Ipv4Addr::LOCALHOST.to_string(), port };
        let shared = Arc::new(Shared::default());
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, shared.clone()));
        Self { address, shared, _connections: connections }
    }

    pub(crate) fn address(&self) -> Address {
        self.address.clone()
    }

    /// Offers `fault` each round trip until it takes one, and lets it say what is done then. Further
    /// faults wait for their turn.
    pub(crate) fn once(&self, fault: impl FnMut(&Asked) -> Option<Vec<Act>> + Send + 'static) {
        self.shared.faults.lock().unwrap().push_back(Box::new(fault));
    }

    /// Waits until the client has ended the connection of an [`Act::Flood`]; gives the bytes sent.
    pub(crate) async fn flooded_bytes(&self) -> u64 {
        eventually("the end of the flood", async || self.shared.flooded_bytes.get().copied()).await
    }

    /// Connections that were made and probed.
    pub(crate) fn connections(&self) -> usize {
        self.shared.probes.load(Ordering::Relaxed)
    }

    /// Waits until `count` connections were made in all.
    pub(crate) async fn is_connected(&self, count: usize) {
        let what = format!("{count} connections");
        eventually(&what, async || (self.connections() >= count).then_some(())).await;
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let unknown = self.shared.unknown.lock().unwrap();
        if !std::thread::panicking() {
            assert!(unknown.is_empty(), "commands that no memcached test knows: {unknown:?}");
        }
    }
}

impl Shared {
    fn acts(&self, asked: &Asked) -> Vec<Act> {
        let mut faults = self.faults.lock().unwrap();
        match faults.front_mut().and_then(|fault| fault(asked)) {
            Some(acts) => {
                faults.pop_front();
                acts
            }
            None => vec![Act::Send(asked.honest())],
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let shared = shared.clone();
        // An error is the client's leaving, or what a fault has brought about.
        connections.spawn(async move {
            let _ = serve(BufReader::new(stream), &shared).await;
        });
    }
}

/// Answers until the client leaves, or a fault ends the connection.
async fn serve(mut stream: BufReader<TcpStream>, shared: &Shared) -> io::Result<()> {
    let mut lookups: Option<Asked> = None;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let asked = match read(&line) {
            Line::Probe => {
                shared.probes.fetch_add(1, Ordering::Relaxed);
                stream.write_all(b"EN\r\n").await?;
                continue;
            }
            Line::Version => {
                stream.write_all(b"VERSION 1.6.18\r\n").await?;
                continue;
            }
            Line::Lookup(key, opaque) => {
                let Asked { keys, opaque: of_batch, .. } =
                    lookups.get_or_insert(Asked { verb: Verb::Lookup, keys: Vec::new(), opaque });
                assert_eq!(*of_batch, opaque, "one round trip with two numbers");
                keys.push(key);
                continue;
            }
            Line::End => lookups.take(),
            Line::Change(asked, body_bytes) => {
                let mut body = vec![0; body_bytes];
                stream.read_exact(&mut body).await?;
                Some(asked)
            }
            Line::Unknown => None,
        };
        let Some(asked) = asked else {
            shared.unknown.lock().unwrap().push(line);
            return Ok(());
        };
        for act in shared.acts(&asked) {
            play(act, &mut stream, shared).await?;
        }
    }
}

async fn play(act: Act, stream: &mut BufReader<TcpStream>, shared: &Shared) -> io::Result<()> {
    let ended = || io::Error::from(io::ErrorKind::ConnectionAborted);
    match act {
        Act::Send(bytes) => {
            stream.write_all(&bytes).await?;
            // Lets a client in the same thread read this much before there is more.
            tokio::task::yield_now().await;
        }
        Act::Flood(bytes) => {
            let mut sent_bytes = 0;
            while let Ok(sent) = stream.write(&bytes).await {
                sent_bytes += sent as u64;
            }
            shared.flooded_bytes.set(sent_bytes).map_err(|_| ended())?;
            return Err(ended());
        }
        Act::Pause(time) => sleep(time).await,
        Act::Await(permits) => permits.acquire().await.map_err(|_| ended())?.forget(),
        Act::Reset => {
            stream.get_ref().set_zero_linger()?;
            return Err(ended());
        }
        Act::Close => return Err(ended()),
    }
    Ok(())
}

/// What a line from the client says.
enum Line {
    Probe,
    Version,
    Lookup(String, u64),
    End,
    /// And the bytes of its body.
    Change(Asked, usize),
    Unknown,
}

fn read(line: &str) -> Line {
    let words: Vec<&str> = line.trim_end_matches("\r\n").split(' ').collect();
    match &words[..] {
        ["mg", "aside:probe", "v"] => Line::Probe,
        ["version"] => Line::Version,
        ["mn"] => Line::End,
        ["mg", key, "v", "t", flags @ .., "k", "q"] => match opaque(flags, "fcNRT") {
            Some(opaque) => Line::Lookup((*key).to_owned(), opaque),
            None => Line::Unknown,
        },
        ["ms", key, body_bytes, flags @ ..] => match (opaque(flags, "kCTF"), body_bytes.parse()) {
            (Some(opaque), Ok(body_bytes)) => change(Verb::Fill, key, opaque, body_bytes, 2),
            _ => Line::Unknown,
        },
        ["md", key, flags @ ..] => match opaque(flags, "kC") {
            Some(opaque) => change(Verb::Delete, key, opaque, 0, 0),
            None => Line::Unknown,
        },
        _ => Line::Unknown,
    }
}

fn change(verb: Verb, key: &str, opaque: u64, body_bytes: usize, end_bytes: usize) -> Line {
    let asked = Asked { verb, keys: vec![key.to_owned()], opaque };
    Line::Change(asked, body_bytes + end_bytes)
}

/// The number in the `O` among `flags`, if each of the others is one of `known`.
fn opaque(flags: &[&str], known: &str) -> Option<u64> {
    let (numbers, others): (Vec<&str>, Vec<&str>) =
        flags.iter().partition(|flag| flag.starts_with('O'));
    let sound = others.iter().all(|flag| flag.starts_with(|first| known.contains(first)));
    match &numbers[..] {
        [number] if sound => number[1..].parse().ok(),
        _ => None,
    }
}
