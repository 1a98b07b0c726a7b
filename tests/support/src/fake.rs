//! A memcached that does wrong, byte by byte, as a test tells it to; else it answers every lookup with
//! [`value_of`] the key, every change with success, and the probe of a connection like memcached 1.6.18.

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

use aside::{
    cache::{Look, StoreError},
    memcached::Address,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::sleep,
};

use super::{
    client::{Client, body},
    eventually,
};

/// Connections of one client: for lookups, for changes, and for releases.
pub const CONNECTIONS: usize = 3;

/// The kind of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `mg`.
    Lookup,
    /// `ms`.
    Fill,
    /// `md`.
    Delete,
}

/// The question of one round trip.
#[derive(Debug)]
pub struct Asked {
    /// The kind of its first command.
    pub verb: Verb,
    /// The keys of all commands, in order.
    pub keys: Vec<String>,
    /// The number of the round trip (`O`); of changes that of the first, and each further one has the next.
    pub opaque: u64,
}

impl Asked {
    /// The answer of a memcached.
    pub fn honest(&self) -> Vec<u8> {
        let Self { verb, keys, opaque } = self;
        match verb {
            Verb::Lookup => {
                let blocks: String = keys.iter().map(|key| block(key, *opaque)).collect();
                (blocks + "MN\r\n").into_bytes()
            }
            Verb::Fill | Verb::Delete => {
                let done: String = self.changes().map(|(key, number)| done(key, number)).collect();
                (done + "MN\r\n").into_bytes()
            }
        }
    }

    /// The keys of changes and their numbers.
    pub fn changes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.keys.iter().map(String::as_str).zip(self.opaque..)
    }
}

/// The reply to a change that was made.
pub fn done(key: &str, number: u64) -> String {
    format!("HD k{key} O{number}\r\n")
}

/// The value that is stored under `key`.
pub fn value_of(key: &str) -> String {
    format!("the value of {key}")
}

/// The reply of one lookup.
pub fn block(key: &str, opaque: u64) -> String {
    let value = value_of(key);
    format!("VA {} t60 f7 c9 O{opaque} k{key}\r\n{value}\r\n", value.len())
}

/// One step of an answer.
pub enum Act {
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
    /// [`Act::Send`].
    pub fn send(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Send(bytes.into())
    }
}

type Fault = Box<dyn FnMut(&Asked) -> Option<Vec<Act>> + Send>;

type Limit = Box<dyn FnMut(&str) -> Option<&'static str> + Send>;

/// The fake; its connections end when it is dropped. A test in which it was asked something that it
/// does not know fails then.
pub struct Fake {
    address: Address,
    shared: Arc<Shared>,
    _connections: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    faults: Mutex<VecDeque<Fault>>,
    unknown: Mutex<Vec<String>>,
    /// Says what is answered in place of what a memcached does.
    limits: Mutex<Option<Limit>>,
    probes: AtomicUsize,
    flooded_bytes: OnceLock<u64>,
}

impl Fake {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = Address::Tcp { host: Ipv4Addr::LOCALHOST.to_string(), port };
        let shared = Arc::new(Shared::default());
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, shared.clone()));
        Self { address, shared, _connections: connections }
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// Offers `fault` each round trip until it takes one, and lets it say what is done then. Further
    /// faults wait for their turn.
    pub fn once(&self, fault: impl FnMut(&Asked) -> Option<Vec<Act>> + Send + 'static) {
        self.shared.faults.lock().unwrap().push_back(Box::new(fault));
    }

    /// From now on each line to which `limit` has an answer gets that, which may be empty.
    pub fn is_limited(&self, limit: impl FnMut(&str) -> Option<&'static str> + Send + 'static) {
        *self.shared.limits.lock().unwrap() = Some(Box::new(limit));
    }

    /// Waits until the client has ended the connection of an [`Act::Flood`]; gives the bytes sent.
    pub async fn flooded_bytes(&self) -> u64 {
        eventually("the end of the flood", async || self.shared.flooded_bytes.get().copied()).await
    }

    /// Connections that were made and probed.
    pub fn connections(&self) -> usize {
        self.shared.probes.load(Ordering::Relaxed)
    }

    /// Waits until `count` connections were made in all.
    pub async fn is_connected(&self, count: usize) {
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
    let mut asked: Option<Asked> = None;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let limited =
            shared.limits.lock().unwrap().as_mut().and_then(|limit| limit(line.trim_end()));
        if let Some(answer) = limited {
            stream.write_all(answer.as_bytes()).await?;
            continue;
        }
        match read(&line) {
            Line::Probe(answer) => {
                shared.probes.fetch_add(1, Ordering::Relaxed);
                stream.write_all(answer.as_bytes()).await?;
            }
            Line::Answered(answer) => stream.write_all(answer.as_bytes()).await?,
            Line::Lookup(key, opaque) => {
                let Asked { keys, opaque: of_batch, .. } =
                    asked.get_or_insert(Asked { verb: Verb::Lookup, keys: Vec::new(), opaque });
                assert_eq!(*of_batch, opaque, "one round trip with two numbers");
                keys.push(key);
            }
            Line::Change { verb, key, opaque, body_bytes } => {
                let mut body = vec![0; body_bytes];
                stream.read_exact(&mut body).await?;
                let Asked { keys, opaque: of_first, .. } =
                    asked.get_or_insert(Asked { verb, keys: Vec::new(), opaque });
                assert_eq!(*of_first + keys.len() as u64, opaque, "not the next number");
                keys.push(key);
            }
            // Nothing is asked: it is tried whether the connection lives.
            Line::End if asked.is_none() => stream.write_all(b"MN\r\n").await?,
            Line::End => {
                let asked = asked.take().unwrap();
                for act in shared.acts(&asked) {
                    play(act, &mut stream, shared).await?;
                }
            }
            Line::Unknown => {
                shared.unknown.lock().unwrap().push(line);
                return Ok(());
            }
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

/// A fake and a client of it that is in service.
pub async fn connected(operation_timeout: Duration) -> (Fake, Client) {
    let fake = Fake::start().await;
    let client = Client::start(fake.address(), operation_timeout);
    fake.is_connected(CONNECTIONS).await;
    client.is_in_service().await;
    (fake, client)
}

/// Asserts that nobody is given anything but the value of the key that was asked for.
pub fn is_right_or_an_error(name: &str, look: &Result<Look, StoreError>) {
    match look {
        Ok(Look::Found { found, .. }) => assert_eq!(found.body, value_of(name)),
        Ok(look) => panic!("{name}: {look:?}"),
        Err(error) => assert_eq!(*error, StoreError::NoAnswer),
    }
}

/// Looks until both connections have served rightly once more, however long it takes to make them anew.
pub async fn serves_again(client: &Client) {
    eventually("ten right answers in a row", async || {
        for number in 0..10 {
            let name = format!("again:{number}");
            let look = client.look_up(&name).await;
            if !matches!(look, Err(StoreError::Unavailable)) {
                is_right_or_an_error(&name, &look);
            }
            body(&look)?;
        }
        Some(())
    })
    .await;
}

/// A line from the client.
enum Line {
    /// The first of a connection that is worth a count, and its answer.
    Probe(String),
    /// One that belongs to a probe or tries an idle connection, and its answer.
    Answered(String),
    Lookup(String, u64),
    Change {
        verb: Verb,
        key: String,
        opaque: u64,
        body_bytes: usize,
    },
    End,
    Unknown,
}

fn read(line: &str) -> Line {
    let words: Vec<&str> = line.trim_end_matches("\r\n").split(' ').collect();
    match &words[..] {
        ["mg", "aside:probe", "v"] => Line::Probe("EN\r\n".to_owned()),
        ["mg", key @ "aside:probe:0", "c", "k", "N2", number] => {
            Line::Probe(format!("HD c9 k{key} {number} W\r\n"))
        }
        ["md", key @ "aside:probe:0", "k", number] | ["md", key @ "aside:probe:0", number, "k"] => {
            Line::Answered(format!("HD k{key} {number}\r\n"))
        }
        ["version"] => Line::Answered("VERSION 1.6.18\r\n".to_owned()),
        ["mn"] => Line::End,
        ["mg", key, "v", "t", flags @ .., "k", "q"] => match opaque(flags, "fcNRT") {
            Some(opaque) => Line::Lookup((*key).to_owned(), opaque),
            None => Line::Unknown,
        },
        ["ms", key, body_bytes, flags @ ..] => match (opaque(flags, "kCTF"), body_bytes.parse()) {
            (Some(opaque), Ok(bytes)) => change(Verb::Fill, key, opaque, bytes, b"\r\n".len()),
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
    Line::Change { verb, key: key.to_owned(), opaque, body_bytes: body_bytes + end_bytes }
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
