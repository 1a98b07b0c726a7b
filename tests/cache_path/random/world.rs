//! Replicas over one server, readers and writers, and what befalls them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aside::{
    cache::{Cache, Directives, Form, Policy, Served, stack},
    metrics::{CacheMetrics, FillResult, Metrics, Outcome},
};
use tokio::{task::JoinSet, time::Instant};

use super::{
    chance,
    lives::{get, read_on, write_on},
    pause,
    rows::{Rows, body},
    server::{Flaw, Server},
    source::SlowRows,
    weather::Weather,
    wire::{OPERATION_TIMEOUT, Wire},
};

pub(crate) const TTL_S: u32 = 1;

const LOAD_TIMEOUT: Duration = Duration::from_millis(250);

/// The longest that a get may take: a look, a wait for the holder, a load, a fill and a release.
pub(crate) const GET_MAX: Duration =
    LOAD_TIMEOUT.saturating_mul(2).saturating_add(OPERATION_TIMEOUT.saturating_mul(5));

/// The time within which every key is a hit once all is well again: a pause after failures may take ten seconds,
/// and a refresh token that was lost is good for nothing until the entry is past its grace.
const RECOVERY_MAX: Duration = Duration::from_secs(20);

/// Readers at each replica, and writers in all.
const READERS: usize = 3;
const WRITERS: usize = 2;

fn policy() -> Policy {
    Policy {
        form: Form::Object,
        ttl: Duration::from_secs(TTL_S.into()),
        stale_while_revalidate: Duration::from_secs(2),
        stale_if_error: Duration::from_secs(6),
        negative_ttl: Duration::from_secs(1),
        load_timeout: LOAD_TIMEOUT,
        loads_max: 3,
        waiting_max: 4,
    }
}

/// Counts of what came about in a run, so that a run in which nothing did is noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) outcomes: [u64; Outcome::ALL.len()],
    pub(crate) fills: [u64; FillResult::ALL.len()],
}

impl Tally {
    pub(crate) fn add(&mut self, ledger: &CacheMetrics) {
        for outcome in Outcome::ALL {
            self.outcomes[*outcome as usize] += ledger.gets.of(*outcome);
        }
        for result in FillResult::ALL {
            self.fills[*result as usize] += ledger.fills.of(*result);
        }
    }
}

#[derive(Clone)]
pub(crate) struct Replica {
    pub(crate) cache: Cache<i64>,
    wire: Wire,
    ledger: CacheMetrics,
}

struct World {
    weather: Weather,
    rows: Arc<Rows>,
    server: Arc<Server>,
    calm: Arc<AtomicBool>,
    replicas: Vec<Replica>,
}

/// Lives through the world of `seed`, in a weather of its own if none is given. Fails with the first
/// promise that was broken.
pub(crate) fn live(
    seed: u64,
    weather: Option<Weather>,
    flaw: Flaw,
    tally: &mut Tally,
) -> Result<(), String> {
    fastrand::seed(seed);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::new(weather.unwrap_or_else(Weather::draw), flaw);
        world.live().await;
        world.recover().await;
        world.replicas.iter().for_each(|replica| tally.add(&replica.ledger));
        world.rows.broken().map_or(Ok(()), Err)
    })
}

impl World {
    fn new(weather: Weather, flaw: Flaw) -> Self {
        let (rows, calm) = (Arc::new(Rows::new()), Arc::new(AtomicBool::new(false)));
        let server = Arc::new(Server::new(flaw, weather, calm.clone()));
        let replica = |_| {
            let wire = Wire::new(&server);
            let ledger = Metrics::default().cache("things");
            let source = SlowRows {
                rows: rows.clone(),
                weather,
                calm: calm.clone(),
                loads_max: policy().loads_max,
                running: AtomicUsize::new(0),
            };
            let cache = stack(source, wire.clone(), &policy(), &ledger);
            Replica { cache, wire, ledger }
        };
        let replicas = (0..if chance(30) { 3 } else { 2 }).map(replica).collect();
        Self { weather, rows, server, calm, replicas }
    }

    /// Until every reader and every writer is done.
    async fn live(&self) {
        let mut lives = JoinSet::new();
        for replica in &self.replicas {
            for _ in 0..READERS {
                lives.spawn(read_on(replica.clone(), self.rows.clone(), self.weather));
            }
        }
        for _ in 0..WRITERS {
            let replica = fastrand::choice(&self.replicas).unwrap();
            lives.spawn(write_on(replica.wire.clone(), self.rows.clone(), self.weather));
        }
        let wires = self.replicas.iter().map(|replica| replica.wire.clone()).collect();
        let fate = tokio::spawn(self.weather.befall(self.server.clone(), wires));
        while let Some(end) = lives.join_next().await {
            if let Err(panic) = end {
                self.rows.broke(format!("a reader or a writer panicked: {panic}"));
            }
        }
        fate.abort();
    }

    /// Nothing fails any more: soon every key is a hit with the newest version, at every replica.
    async fn recover(&self) {
        self.calm.store(true, Ordering::Relaxed);
        for id in 0..self.weather.keys {
            let newest = body(self.rows.newest(id));
            for replica in &self.replicas {
                let calm_at = Instant::now();
                loop {
                    let get = get(replica, &self.rows, id, Directives::default()).await;
                    let hit = get.is_some_and(|(body, served)| {
                        body == newest && matches!(served, Served::Hit { ttl_s: 0.., .. })
                    });
                    if hit {
                        break;
                    }
                    if calm_at.elapsed() > RECOVERY_MAX {
                        return self.rows.broke(format!("{id} is no hit when all is well again"));
                    }
                    pause(250).await;
                }
            }
        }
    }
}
