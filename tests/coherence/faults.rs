//! What is done to each memcached, to each link and to the replicas: one thing after the other, but to all of them
//! at once.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use fastrand::Rng;
use futures_util::future::{join_all, join5};
use rustix::process::Signal;
use support::{
    aside::{Aside, Place},
    link::Links,
    memcached::Memcached,
    proxy::{Flow, Proxy, Way},
    servers::Server,
};
use tokio::{sync::Mutex, time::sleep};

use crate::{
    clients::Reach,
    cluster::{Cluster, start_replica},
    history::{Clock, Outage, Renewal, Span},
    machine::stood_still,
    plan::{LinkFaults, Plan},
};

/// Milliseconds for which a process is stopped, or a link does wrong: around the deadlines of an operation on
/// memcached, 50 ms, and of a new connection, 200 ms.
const FAULT_MS: Range<u64> = 20..400;

/// By how much a link is slow: around the deadline of an operation.
const SLOW_MS: Range<u64> = 1..100;

/// For how long, while links are crossed, what the others are told to forget is lost: about two sweeps.
const LOST_MS: Range<u64> = 1000..2500;

/// For how long after that links stay crossed: longer than anything is allowed to be old.
const CROSSED_MS: Range<u64> = 4500..6000;

/// Once in a while, though not in an ordinary test run, a fault lasts for up to so long, and there is a calm of that
/// length between two faults: more than anything is allowed to be old.
const LONG_MS: Range<u64> = 4000..9000;
const LONG_ONE_IN: u8 = 15;

/// Ends all connections of ours to the database.
const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'aside'";

/// The beginning of the command that forgets a key.
const FORGET: &str = "md ";

/// The faults that were done.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) counts: BTreeMap<&'static str, usize>,
    pub(crate) outages: Vec<Outage>,
    pub(crate) renewals: Vec<Renewal>,
}

/// The times at which things are done, with an end and with chance.
struct Pace {
    clock: Clock,
    end: Duration,
    pause_ms: Range<u64>,
    /// True if a pause or a fault may be long.
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
    let Cluster { memcached, replicas, links, place, postgres, reach, plan, .. } = cluster;
    let mut pace = |pause_ms: &Range<u64>| Pace {
        clock,
        end,
        pause_ms: pause_ms.clone(),
        long,
        random: random.fork(),
    };
    let of_memcached: Vec<_> = (memcached.iter_mut().enumerate())
        .filter_map(|(server, memcached)| {
            Some(torment_memcached(memcached, server, pace(plan.memcached_ms.as_ref()?)))
        })
        .collect();
    // A process that finds no database does not start.
    let database = Mutex::new(postgres.as_mut());
    let of_replicas =
        torment_replicas(replicas, links, place, plan, reach, &database, pace(&plan.replicas_ms));
    let of_database = torment_database(&database, pace(&plan.database_ms));
    let of_machine = machine(clock, end);
    let of_links = torment_links(links, plan, pace);
    let (of_links, of_memcached, of_replicas, of_database, of_machine) =
        join5(of_links, join_all(of_memcached), of_replicas, of_database, of_machine).await;
    let mut faults = Faults::default();
    let of_others = [of_replicas, of_database, of_machine];
    for of_one in of_links.into_iter().chain(of_memcached).chain(of_others) {
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

/// What can happen to a server; nothing does to a file.
async fn torment_database(database: &Mutex<Option<&mut Server>>, mut pace: Pace) -> Faults {
    let mut faults = Faults::default();
    while pace.pause().await {
        let mut server = database.lock().await;
        let Some(server) = &mut *server else { break };
        let begun_at = pace.clock.now();
        let what = match pace.random.u8(..3) {
            0 => {
                server.kill();
                sleep(pace.length(FAULT_MS)).await;
                server.restart().await;
                "database restarted"
            }
            1 => {
                server.stop();
                sleep(pace.length(FAULT_MS)).await;
                server.go_on();
                "database stopped"
            }
            _ => {
                Place::at(server.url()).execute(TERMINATE).await;
                "connections ended"
            }
        };
        faults.count(what);
        faults.outage(None, None, Span { begun_at, ended_at: pace.clock.now() });
    }
    faults
}

/// What happens to all processes: the machine is busy with something else.
async fn machine(clock: Clock, end: Duration) -> Faults {
    let mut faults = Faults::default();
    for span in stood_still(clock, end).await {
        faults.count("machine stood still");
        faults.outage(None, None, span);
    }
    faults
}

async fn torment_links(
    links: &[Links],
    plan: &Plan,
    mut pace: impl FnMut(&Range<u64>) -> Pace,
) -> Vec<Faults> {
    match plan.link_faults {
        LinkFaults::Single => {
            let all = links.iter().enumerate().flat_map(|(replica, links)| {
                links.all().enumerate().map(move |(server, link)| (replica, server, link))
            });
            let each = all.map(|(replica, server, link)| {
                torment_link(link, (replica, server), pace(&plan.links_ms))
            });
            join_all(each.collect::<Vec<_>>()).await
        }
        LinkFaults::Crossed => vec![cross(links, pace(&plan.links_ms)).await],
    }
}

/// Cuts one replica off from one of two servers, and the others from the other one. At first what a replica tells the
/// server that it still reaches to forget is lost with its connection; all else gets through.
async fn cross(links: &[Links], mut pace: Pace) -> Faults {
    let mut faults = Faults::default();
    while pace.pause().await {
        let begun_at = pace.clock.now();
        let (alone, away) = (pace.random.usize(..links.len()), pace.random.usize(..2));
        let left = |replica| if replica == alone { 1 - away } else { away };
        for (replica, links) in links.iter().enumerate() {
            links.to(1 - left(replica)).set(Flow::Cut);
            links.to(left(replica)).lose(FORGET, u32::MAX);
        }
        sleep(pace.length(LOST_MS)).await;
        let ended_at = pace.clock.now();
        for (replica, links) in links.iter().enumerate() {
            links.to(left(replica)).mend();
            faults.outage(Some(replica), Some(left(replica)), Span { begun_at, ended_at });
        }
        sleep(pace.length(CROSSED_MS)).await;
        for (replica, links) in links.iter().enumerate() {
            let away = 1 - left(replica);
            links.to(away).mend();
            let ended_at = pace.clock.now();
            faults.outage(Some(replica), Some(away), Span { begun_at, ended_at });
        }
        faults.count("links crossed");
    }
    faults
}

async fn torment_link(link: &Proxy, (replica, server): (usize, usize), mut pace: Pace) -> Faults {
    let mut faults = Faults::default();
    while pace.pause().await {
        let begun_at = pace.clock.now();
        let what = match pace.random.u8(..6) {
            0 | 1 => {
                link.set(Flow::Cut);
                "link cut"
            }
            2 => {
                link.set(Flow::Held(Way::Both));
                "link held"
            }
            3 => {
                let way = if pace.random.bool() { Way::There } else { Way::Back };
                link.set(Flow::Held(way));
                "link held one way"
            }
            4 => {
                let by = Duration::from_millis(pace.random.u64(SLOW_MS));
                link.set(Flow::Slow(Way::Both, by));
                "link slow"
            }
            _ => {
                link.lose(FORGET, u32::MAX);
                "link without deletes"
            }
        };
        sleep(pace.length(FAULT_MS)).await;
        link.mend();
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
    database: &Mutex<Option<&mut Server>>,
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
            let _up = database.lock().await;
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
        let is_long = self.random.u8(..LONG_ONE_IN) == 0 && self.long;
        let ms = if is_long { LONG_MS } else { usual_ms };
        Duration::from_millis(self.random.u64(ms))
    }
}
