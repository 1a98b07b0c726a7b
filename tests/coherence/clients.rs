//! Readers and writers at work on a few users through random replicas.

use std::{
    net::SocketAddr,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use reqwest::Client;
use serde_json::json;
use support::{answer::Answer, aside::Place};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    cluster::Cluster,
    history::{Clock, FALLBACK, Read, Said, Seen, Span, Write},
    plan::Plan,
};

const READERS: usize = 16;
const WRITERS: usize = 4;

/// The time that a client waits for an answer: longer than any deadline of the service, so that no write whose
/// client has given up is made later.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// One read in so many is of a user that is not hot.
const COLD_READ_ONE_IN: u8 = 4;

/// The details that a read may have; most say nothing.
const DETAILS: [&str; 5] = ["", FALLBACK, "unavailable", "superseded", "not-stored"];

/// The share of reads that ask for the source's word: `no-cache` beside plain reads.
const NO_CACHE_ONE_IN: u8 = 20;

/// The clients of a run.
pub(crate) struct Clients {
    stop: Arc<AtomicBool>,
    readers: JoinSet<Vec<Read>>,
    writers: JoinSet<Vec<Write>>,
    first: Vec<Write>,
}

/// The way to the replicas, whichever processes they are at the moment.
#[derive(Clone)]
pub(crate) struct Reach {
    client: Client,
    clock: Clock,
    replicas: Arc<[RwLock<SocketAddr>]>,
    /// Where writers write by themselves, if they do.
    foreign: Option<Place>,
}

/// The last version of each user that a writer has tried. A writer holds the lock until it is told what
/// became of its write.
type Versions = Arc<[Mutex<u64>]>;

impl Clients {
    /// Writes the first version of every user, and begins.
    pub(crate) async fn start(cluster: &Cluster, random: &mut Rng) -> Self {
        let Cluster { reach, plan, .. } = cluster;
        let Plan { keys, cold_write_one_in, writer_rest, .. } = *plan;
        let versions: Versions = (0..keys).map(|_| Mutex::new(0)).collect();
        let mut first = Vec::new();
        for key in 1..=keys {
            first.push(reach.write(key, &versions, random).await);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (mut readers, mut writers) = (JoinSet::new(), JoinSet::new());
        for _ in 0..READERS {
            let (reach, stop, mut random) = (reach.clone(), stop.clone(), random.fork());
            readers.spawn(async move {
                let mut reads = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let replica = random.usize(..reach.replicas.len());
                    let no_cache = random.u8(..NO_CACHE_ONE_IN) == 0;
                    let key = some_key(keys, COLD_READ_ONE_IN, &mut random);
                    reads.push(reach.read(key, replica, no_cache).await);
                    rest_after(reads.last().unwrap().seen == Seen::None).await;
                }
                reads
            });
        }
        for _ in 0..WRITERS {
            let (reach, stop, mut random) = (reach.clone(), stop.clone(), random.fork());
            let versions = versions.clone();
            writers.spawn(async move {
                let mut writes = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let key = some_key(keys, cold_write_one_in, &mut random);
                    writes.push(reach.write(key, &versions, &mut random).await);
                    rest_after(writes.last().unwrap().said == Said::Nothing).await;
                    sleep(writer_rest).await;
                }
                writes
            });
        }
        Self { stop, readers, writers, first }
    }

    /// Lets every client finish what it is at.
    pub(crate) async fn stop(self) -> (Vec<Read>, Vec<Write>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut writes = self.first;
        writes.extend(self.writers.join_all().await.into_iter().flatten());
        (self.readers.join_all().await.into_iter().flatten().collect(), writes)
    }
}

fn some_key(keys: i64, cold_one_in: u8, random: &mut Rng) -> i64 {
    let cold = random.u8(..cold_one_in) == 0;
    if cold { random.i64(Plan::HOT_KEYS + 1..=keys) } else { random.i64(1..=Plan::HOT_KEYS) }
}

/// A client whose connection was refused is not to spend the machine on that.
async fn rest_after(failed: bool) {
    if failed {
        sleep(Duration::from_millis(5)).await;
    }
}

impl Reach {
    pub(crate) fn new(
        clock: Clock,
        replicas: impl Iterator<Item = SocketAddr>,
        foreign: Option<Place>,
    ) -> Self {
        let client = Client::builder().timeout(ANSWER_TIMEOUT).no_proxy().build().unwrap();
        Self { client, clock, replicas: replicas.map(RwLock::new).collect(), foreign }
    }

    /// A process has taken the place of one that was killed.
    pub(crate) fn moved(&self, replica: usize, address: SocketAddr) {
        *self.replicas[replica].write().unwrap() = address;
    }

    fn url(&self, key: i64, replica: usize) -> String {
        let resource = if self.foreign.is_some() { "things" } else { "users" };
        format!("http://{}/{resource}/{key}", self.replicas[replica].read().unwrap())
    }

    pub(crate) async fn read(&self, key: i64, replica: usize, no_cache: bool) -> Read {
        let mut request = self.client.get(self.url(key, replica));
        if no_cache {
            request = request.header("cache-control", "no-cache");
        }
        let begun_at = self.clock.now();
        let answer = Answer::to(request).await;
        let span = Span { begun_at, ended_at: self.clock.now() };
        Read { key, replica, span, seen: answer.map_or(Seen::None, |answer| seen(key, &answer)) }
    }

    async fn write(&self, key: i64, versions: &Versions, random: &mut Rng) -> Write {
        let place = usize::try_from(key - 1).unwrap();
        let mut last = versions[place].lock().await;
        let version = *last + 1;
        *last = version;
        let url = self.url(key, random.usize(..self.replicas.len()));
        let name = format!("User {key} version {version}");
        if let Some(place) = &self.foreign {
            return self.commit(place, key, version, &name).await;
        }
        let request = if random.bool() {
            self.client.patch(url).json(&json!({ "name": name }))
        } else {
            let email = format!("user.{key}@example.com");
            self.client.put(url).json(&json!({ "name": name, "email": email }))
        };
        let begun_at = self.clock.now();
        let answer = Answer::to(request).await;
        let span = Span { begun_at, ended_at: self.clock.now() };
        Write { key, version, span, said: answer.map_or(Said::Nothing, |answer| said(&answer)) }
    }
}

impl Reach {
    /// Writes as somebody does who knows of no cache.
    async fn commit(&self, place: &Place, key: i64, version: u64, name: &str) -> Write {
        let write = format!(
            "INSERT INTO things VALUES ({key}, '{name}')
             ON CONFLICT (id) DO UPDATE SET name = excluded.name"
        );
        let begun_at = self.clock.now();
        let written = timeout(ANSWER_TIMEOUT, place.try_execute(write)).await;
        let span = Span { begun_at, ended_at: self.clock.now() };
        let said = if matches!(written, Ok(Ok(()))) { Said::Committed } else { Said::Nothing };
        Write { key, version, span, said }
    }
}

fn seen(key: i64, answer: &Answer) -> Seen {
    let wrong = || Seen::Wrong(format!("{answer:?}"));
    match answer.status {
        200 => {}
        status @ (503 | 504) => return Seen::Refused(status),
        _ => return wrong(),
    }
    let body = answer.json();
    let version = body["name"]
        .as_str()
        .and_then(|name| name.strip_prefix(&format!("User {key} version "))?.parse().ok());
    let x_cache = ["HIT", "MISS", "STALE", "BYPASS"];
    let x_cache = x_cache.into_iter().find(|word| *word == answer.x_cache());
    let (Some(version), Some(x_cache), true) = (version, x_cache, body["id"] == key) else {
        return wrong();
    };
    let status = answer.cache_status();
    let given = status.get("detail").map_or("", String::as_str);
    let Some(detail) = DETAILS.into_iter().find(|detail| *detail == given) else { return wrong() };
    Seen::Version { version, x_cache, collapsed: status.contains_key("collapsed"), detail }
}

fn said(answer: &Answer) -> Said {
    match answer.status {
        200 => match answer.cache_status()["detail"].as_str() {
            "forgotten" => Said::Forgotten,
            "pending" => Said::Pending,
            detail => panic!("a write says {detail}"),
        },
        status => Said::Refused(status),
    }
}
