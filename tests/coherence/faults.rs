//! What is done to each memcached and to the replicas: one thing after the other, but to all of them at once.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use futures_util::future::{join, join_all};
use rustix::process::Signal;
use tokio::time::sleep;

use crate::{
    clients::Reach,
    cluster::{Cluster, addresses, start_replica},
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
    /// When a memcached could not be reached.
    pub(crate) outages: Vec<Span>,
    /// When nothing was left in any memcached.
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
    let mut pace = || Pace { clock, end, long, random: random.fork() };
    let Cluster { memcached, replicas, place, reach, .. } = cluster;
    let addresses = addresses(memcached);
    let of_replicas = torment_replicas(replicas, place, &addresses, reach, pace());
    let of_memcached = memcached.iter_mut().map(|server| torment_memcached(server, pace()));
    let (of_memcached, counts) = join(join_all(of_memcached), of_replicas).await;
    let mut faults = Faults { counts, ..Faults::default() };
    let alone = of_memcached.len() == 1;
    for of_one in of_memcached {
        for (what, count) in of_one.counts {
            *faults.counts.entry(what).or_default() += count;
        }
        faults.outages.extend(of_one.outages);
        // With several servers, another one may still have it.
        faults.renewals.extend(of_one.renewals.into_iter().filter(|_| alone));
    }
    faults.outages.sort_by_key(|outage| outage.begun_at);
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
