//! A steady load of reads, each of which is looked at closely.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use reqwest::Client;
use support::{PATIENCE, answer::Answer, aside::Aside};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

/// Connections, each of which is kept alive and asks one thing at a time.
const CONNECTIONS: usize = 16;

/// From one request of a connection to the next.
const PACE: Duration = Duration::from_millis(20);

/// The users that are asked for again and again: the first so many.
pub(crate) const WARM_IDS: i64 = 200;

/// One request of so many is for a user who was not asked for before.
const COLD_ONE_IN: u32 = 50;

/// One read and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) id: i64,
    pub(crate) begun_at: Instant,
    pub(crate) ended_at: Instant,
    /// 0 if there was no answer at all.
    pub(crate) status: u16,
    /// `X-Cache`, and the detail of `Cache-Status` in brackets.
    pub(crate) kind: String,
    /// Milliseconds that the look into the cache took: what a failing memcached adds.
    pub(crate) lookup_ms: f64,
}

impl Sample {
    /// It came from memcached.
    pub(crate) fn is_hit(&self) -> bool {
        self.kind == "HIT"
    }
}

/// Reads that go on until this is stopped.
pub(crate) struct Load {
    samples: Arc<Mutex<Vec<Sample>>>,
    stopped: Arc<AtomicBool>,
    connections: JoinSet<()>,
}

impl Load {
    pub(crate) fn start(aside: &Aside) -> Self {
        let (samples, stopped) = (Arc::default(), Arc::default());
        let cold = Arc::new(AtomicI64::new(WARM_IDS));
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let reader = Reader {
                // A client of its own is a connection of its own.
                client: Client::builder().timeout(PATIENCE).no_proxy().build().unwrap(),
                url: format!("http://{}/users", aside.address),
                cold: cold.clone(),
            };
            let (samples, stopped) = (Arc::clone(&samples), Arc::clone(&stopped));
            connections.spawn(async move { reader.run(&samples, &stopped).await });
        }
        Self { samples, stopped, connections }
    }

    /// Shows `look` all samples so far.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&[Sample]) -> T) -> T {
        look(&self.samples.lock().unwrap())
    }

    /// Ends the load. Fails if an answer was not what was asked for.
    pub(crate) async fn stop(mut self) -> Vec<Sample> {
        self.stopped.store(true, Ordering::Relaxed);
        while let Some(ended) = self.connections.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut self.samples.lock().unwrap())
    }
}

struct Reader {
    client: Client,
    url: String,
    cold: Arc<AtomicI64>,
}

impl Reader {
    async fn run(&self, samples: &Mutex<Vec<Sample>>, stopped: &AtomicBool) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stopped.load(Ordering::Relaxed) {
            pace.tick().await;
            let id = if fastrand::u32(..COLD_ONE_IN) == 0 {
                self.cold.fetch_add(1, Ordering::Relaxed) + 1
            } else {
                fastrand::i64(1..=WARM_IDS)
            };
            let sample = self.read(id).await;
            samples.lock().unwrap().push(sample);
        }
    }

    async fn read(&self, id: i64) -> Sample {
        let begun_at = Instant::now();
        let answer = Answer::to(self.client.get(format!("{}/{id}", self.url))).await;
        let ended_at = Instant::now();
        let Ok(answer) = answer else {
            let kind = "no answer".to_owned();
            return Sample { id, begun_at, ended_at, status: 0, kind, lookup_ms: 0.0 };
        };
        if answer.status != 200 {
            let (status, kind) = (answer.status, answer.status.to_string());
            return Sample { id, begun_at, ended_at, status, kind, lookup_ms: 0.0 };
        }
        // Nobody is ever answered with another user's data.
        answer.user(id);
        let kind = match answer.cache_status().get("detail") {
            Some(detail) => format!("{} ({detail})", answer.x_cache()),
            None => answer.x_cache().to_owned(),
        };
        let lookup_ms = answer.server_timing()["cache"];
        Sample { id, begun_at, ended_at, status: answer.status, kind, lookup_ms }
    }
}
