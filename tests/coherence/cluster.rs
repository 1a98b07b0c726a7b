//! Three replicas over one memcached and one database, and what is done to them.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use rustix::process::Signal;
use sqlx::SqliteConnection;

use crate::{
    clients::Reach,
    history::{Clock, Read, Span},
    support::{
        aside::{Aside, Place},
        eventually,
        memcached::Memcached,
    },
};

const REPLICAS: usize = 3;

/// How long a process is stopped, in milliseconds: around the deadlines of an operation on memcached, 50 ms,
/// and of a new connection, 200 ms.
const STOP_MS: std::ops::RangeInclusive<u64> = 20..=400;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    RestartMemcached,
    FlushMemcached,
    StopMemcached,
    KillReplica,
    StopReplica,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] = [
        Self::RestartMemcached,
        Self::FlushMemcached,
        Self::StopMemcached,
        Self::KillReplica,
        Self::StopReplica,
    ];
}

/// The processes, and what was done to them so far.
pub(crate) struct Cluster {
    pub(crate) clock: Clock,
    pub(crate) reach: Reach,
    pub(crate) faults: BTreeMap<Fault, usize>,
    pub(crate) outages: Vec<Span>,
    pub(crate) renewals: Vec<Duration>,
    place: Place,
    memcached: Memcached,
    replicas: Vec<Aside>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let (place, memcached) = (Place::seeded().await, Memcached::start().await);
        let mut replicas = Vec::new();
        for _ in 0..REPLICAS {
            replicas.push(start_replica(&place, &memcached).await);
        }
        let clock = Clock::start();
        let reach = Reach::new(clock, replicas.iter().map(|replica| replica.address));
        let (faults, outages, renewals) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { clock, reach, faults, outages, renewals, place, memcached, replicas }
    }

    pub(crate) async fn inflict(&mut self, fault: Fault, random: &mut Rng) {
        *self.faults.entry(fault).or_default() += 1;
        let stop = Duration::from_millis(random.u64(STOP_MS));
        let victim = random.usize(..REPLICAS);
        let begun_at = self.clock.now();
        match fault {
            Fault::RestartMemcached => self.memcached.restart().await,
            Fault::FlushMemcached => {
                self.memcached.ask("flush_all\r\n", "OK\r\n").await.unwrap();
            }
            Fault::StopMemcached => {
                self.memcached.stop();
                tokio::time::sleep(stop).await;
                self.memcached.go_on();
            }
            Fault::KillReplica => {
                self.replicas[victim].signal(Signal::KILL);
                self.replicas[victim].ended().await;
                self.replicas[victim] = start_replica(&self.place, &self.memcached).await;
                self.reach.moved(victim, self.replicas[victim].address);
            }
            Fault::StopReplica => {
                self.replicas[victim].signal(Signal::STOP);
                tokio::time::sleep(stop).await;
                self.replicas[victim].signal(Signal::CONT);
            }
        }
        let ended_at = self.clock.now();
        if matches!(fault, Fault::RestartMemcached | Fault::StopMemcached) {
            self.outages.push(Span { begun_at, ended_at });
        }
        if matches!(fault, Fault::RestartMemcached | Fault::FlushMemcached) {
            self.renewals.push(ended_at);
        }
    }

    /// Waits until nothing is left to be forgotten and every replica uses memcached, and reads the users
    /// 1 to `keys` through each.
    pub(crate) async fn last_reads(&self, keys: i64) -> Vec<Read> {
        let mut connection = self.place.connect().await;
        eventually("all is forgotten", async || left(&mut connection).await.eq(&0).then_some(()))
            .await;
        for replica in &self.replicas {
            eventually("in service", async || {
                let stats = replica.get("/stats").await.json();
                (stats["memcached"][0]["state"] == "in service").then_some(())
            })
            .await;
        }
        let mut reads = Vec::new();
        for key in 1..=keys {
            for replica in 0..REPLICAS {
                reads.push(self.reach.read(key, replica, false).await);
            }
        }
        reads
    }
}

async fn left(connection: &mut SqliteConnection) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM invalidations");
    count.fetch_one(connection).await.unwrap()
}

async fn start_replica(place: &Place, memcached: &Memcached) -> Aside {
    let address = memcached.address().to_string();
    // Short lives, so that refreshes are part of it.
    let arguments = [
        ["--memcached", &address],
        ["--memcached-timeout", "50ms"],
        ["--slow-query", "8ms"],
        ["--query-timeout", "1s"],
        ["--ttl", "2s"],
    ];
    Aside::start_at(place, arguments.as_flattened()).await
}
