//! What is done to memcached and to the replicas, one thing after the other, to either at the same time.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use rustix::process::Signal;
use tokio::time::sleep;

use crate::{
    clients::Reach,
    cluster::{Cluster, start_replica},
    history::{Clock, Span},
    support::{
        aside::{Aside, Place},
        memcached::Memcached,
    },
};

/// Between two faults, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 20..1500;

/// How long a process is stopped, in milliseconds: around the deadlines of an operation on memcached, 50 ms,
/// and of a new connection, 200 ms.
const STOP_MS: std::ops::Range<u64> = 20..400;

/// Once in a while, though not in an ordinary test run, a process is stopped for so long, and there is a
/// calm of that length between two faults: more than anything is allowed to be old.
const LONG: Duration = Duration::from_secs(8);
const LONG_ONE_IN: u8 = 15;

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) counts: BTreeMap<&'static str, usize>,
    /// When memcached could not be reached.
    pub(crate) outages: Vec<Span>,
    /// When memcached had lost all that it had.
    pub(crate) renewals: Vec<Duration>,
}

/// When things are done, until when, and at random by how much.
struct Pace {
    clock: Clock,
    end: Duration,
    long: bool,
    random: Rng,
}

/// Torments `cluster` until `end`; with `long`, now and then for a long time.
pub(crate) async fn torment(
    cluster: &mut Cluster,
    end: Duration,
    long: bool,
    random: &mut Rng,
) -> Faults {
    let clock = cluster.clock;
    let [one, other] = [(); 2].map(|()| Pace { clock, end, long, random: random.fork() });
    let address = cluster.memcached.address().to_string();
    let of_replicas =
        torment_replicas(&mut cluster.replicas, &cluster.place, &address, &cluster.reach, other);
    let (mut faults, counts) =
        tokio::join!(torment_memcached(&mut cluster.memcached, one), of_replicas);
    faults.counts.extend(counts);
    faults
}

async fn torment_memcached(memcached: &mut Memcached, mut pace: Pace) -> Faults {
    let mut faults = Faults::default();
    while pace.pause().await {
        let begun_at = pace.clock.now();
        let (what, reachable, renewed) = match pace.random.u8(..3) {
            0 => {
                memcached.restart().await;
                ("memcached restarted", false, true)
            }
            1 => {
                memcached.ask("flush_all\r\n", "OK\r\n").await.unwrap();
                ("memcached flushed", true, true)
            }
            _ => {
                memcached.stop();
                sleep(pace.stop()).await;
                memcached.go_on();
                ("memcached stopped", false, false)
            }
        };
        let ended_at = pace.clock.now();
        *faults.counts.entry(what).or_default() += 1;
        faults.outages.extend((!reachable).then_some(Span { begun_at, ended_at }));
        faults.renewals.extend(renewed.then_some(ended_at));
    }
    faults
}

async fn torment_replicas(
    replicas: &mut [Aside],
    place: &Place,
    memcached: &str,
    reach: &Reach,
    mut pace: Pace,
) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    while pace.pause().await {
        let number = pace.random.usize(..replicas.len());
        let replica = &mut replicas[number];
        let what = if pace.random.bool() {
            replica.signal(Signal::KILL);
            replica.ended().await;
            *replica = start_replica(place, memcached).await;
            reach.moved(number, replica.address);
            "replica killed"
        } else {
            replica.signal(Signal::STOP);
            sleep(pace.stop()).await;
            replica.signal(Signal::CONT);
            "replica stopped"
        };
        *counts.entry(what).or_default() += 1;
    }
    counts
}

impl Pace {
    /// Rests between two faults. `false` if the time is up.
    async fn pause(&mut self) -> bool {
        let left = self.end.saturating_sub(self.clock.now());
        sleep(self.length(PAUSE_MS).min(left)).await;
        self.clock.now() < self.end
    }

    /// For how long a process is stopped.
    fn stop(&mut self) -> Duration {
        self.length(STOP_MS)
    }

    fn length(&mut self, usual_ms: std::ops::Range<u64>) -> Duration {
        let long = self.random.u8(..LONG_ONE_IN) == 0 && self.long;
        if long { LONG } else { Duration::from_millis(self.random.u64(usual_ms)) }
    }
}
