//! What is done to each memcached, to each link and to the replicas: one thing after the other, but to all of them
//! at once.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use fastrand::Rng;
use futures_util::future::{join_all, join3};
use rustix::process::Signal;
use tokio::time::sleep;

use crate::{
    clients::Reach,
    cluster::{Cluster, start_replica},
    history::{Clock, Outage, Renewal, Span},
    plan::Plan,
    support::{
        aside::{Aside, Place},
        link::{Flow, Link, Links, Way},
        memcached::Memcached,
    },
};

/// How long a process is stopped, or a link does wrong, in milliseconds: around the deadlines of an operation on
/// memcached, 50 ms, and of a new connection, 200 ms.
const FAULT_MS: Range<u64> = 20..400;

/// By how much a link is slow: around the deadline of an operation.
const SLOW_MS: Range<u64> = 1..100;

/// Once in a while, though not in an ordinary test run, a fault lasts for up to so long, and there is a calm of that
/// length between two faults: more than anything is allowed to be old.
const LONG_MS: Range<u64> = 4000..9000;
const LONG_ONE_IN: u8 = 15;

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) counts: BTreeMap<&'static str, usize>,
    pub(crate) outages: Vec<Outage>,
    pub(crate) renewals: Vec<Renewal>,
}

/// When things are done, until when, and at random by how much.
struct Pace {
    clock: Clock,
    end: Duration,
    pause_ms: Range<u64>,
    /// One pause or fault in so many is long; none is if it is 0.
    long_one_in: u8,
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
    let Cluster { memcached, replicas, links, place, reach, plan, .. } = cluster;
    let mut pace = |pause_ms: &Range<u64>, one_in| Pace {
        clock,
        end,
        pause_ms: pause_ms.clone(),
        long_one_in: if long { one_in } else { 0 },
        random: random.fork(),
    };
    let all_links = links.iter().enumerate().flat_map(|(replica, links)| {
        links.all().enumerate().map(move |(server, link)| (replica, server, link))
    });
    let of_links: Vec<_> = all_links
        .map(|(replica, server, link)| {
            torment_link(link, (replica, server), pace(&plan.links_ms, plan.long_link_one_in))
        })
        .collect();
    let of_memcached: Vec<_> = (memcached.iter_mut().enumerate())
        .filter_map(|(server, memcached)| {
            let pace = pace(plan.memcached_ms.as_ref()?, LONG_ONE_IN);
            Some(torment_memcached(memcached, server, pace))
        })
        .collect();
    let pace = pace(&plan.replicas_ms, LONG_ONE_IN);
    let of_replicas = torment_replicas(replicas, links, place, plan, reach, pace);
    let (of_links, of_memcached, of_replicas) =
        join3(join_all(of_links), join_all(of_memcached), of_replicas).await;
    let mut faults = Faults::default();
    for of_one in of_links.into_iter().chain(of_memcached).chain([of_replicas]) {
        for (what, count) in of_one.counts {
            *faults.counts.entry(what).or_default() += count;
        }
        faults.outages.extend(of_one.outages);
        faults.renewals.extend(of_one.renewals);
    }
    faults.outages.sort_by_key(|outage| outage.span.begun_at);
    faults
}

async fn torment_memcached(memcached: &mut Memcached, server: usize, mut pace: Pace) -> Faults {
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
                sleep(pace.length(FAULT_MS)).await;
                memcached.go_on();
                ("memcached stopped", false, false)
            }
        };
        let at = pace.clock.now();
        faults.count(what);
        if !reachable {
            faults.outage(None, Some(server), Span { begun_at, ended_at: at });
        }
        faults.renewals.extend(renewed.then_some(Renewal { server, at }));
    }
    faults
}

async fn torment_link(link: &Link, (replica, server): (usize, usize), mut pace: Pace) -> Faults {
    let mut faults = Faults::default();
    while pace.pause().await {
        let begun_at = pace.clock.now();
        let (what, flow) = match pace.random.u8(..5) {
            0 | 1 => ("link cut", Flow::Cut),
            2 => ("link held", Flow::Held(Way::Both)),
            3 => {
                let way = if pace.random.bool() { Way::There } else { Way::Back };
                ("link held one way", Flow::Held(way))
            }
            _ => {
                let by = Duration::from_millis(pace.random.u64(SLOW_MS));
                ("link slow", Flow::Slow(by))
            }
        };
        link.set(flow);
        sleep(pace.length(FAULT_MS)).await;
        link.set(Flow::Open);
        faults.count(what);
        let ended_at = pace.clock.now();
        faults.outage(Some(replica), Some(server), Span { begun_at, ended_at });
    }
    faults
}

async fn torment_replicas(
    replicas: &mut [Aside],
    links: &[Links],
    place: &Place,
    plan: &Plan,
    reach: &Reach,
    mut pace: Pace,
) -> Faults {
    let mut faults = Faults::default();
    while pace.pause().await {
        let number = pace.random.usize(..replicas.len());
        let replica = &mut replicas[number];
        let begun_at = pace.clock.now();
        if pace.random.bool() {
            replica.signal(Signal::KILL);
            replica.ended().await;
            *replica = start_replica(place, &links[number], plan).await;
            reach.moved(number, replica.address);
            faults.count("replica killed");
        } else {
            replica.signal(Signal::STOP);
            sleep(pace.length(FAULT_MS)).await;
            replica.signal(Signal::CONT);
            faults.count("replica stopped");
        }
        let ended_at = pace.clock.now();
        faults.outage(Some(number), None, Span { begun_at, ended_at });
    }
    faults
}

impl Faults {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn outage(&mut self, replica: Option<usize>, server: Option<usize>, span: Span) {
        self.outages.push(Outage { replica, server, span });
    }
}

impl Pace {
    /// Rests between two faults. `false` if the time is up.
    async fn pause(&mut self) -> bool {
        let left = self.end.saturating_sub(self.clock.now());
        sleep(self.length(self.pause_ms.clone()).min(left)).await;
        self.clock.now() < self.end
    }

    /// For how long something lasts.
    fn length(&mut self, usual_ms: Range<u64>) -> Duration {
        let is_long = self.long_one_in > 0 && self.random.u8(..self.long_one_in) == 0;
        let ms = if is_long { LONG_MS } else { usual_ms };
        Duration::from_millis(self.random.u64(ms))
    }
}
