//! The promise of the whole, held against the real thing: a read that begins after a write was acknowledged
//! never sees an older value, on any replica, whatever becomes of memcached and of the replicas meanwhile.
//!
//! Three processes over one SQLite file and one memcached, or two, are worked by readers and writers while
//! memcached is restarted, flushed and stopped, replicas are killed and stopped, and the way of one replica to one
//! memcached is cut, held or slow while the others' go on. All that the clients saw goes into a history, and `checker`
//! looks for a read in it that is older than it may be.
//!
//! Another history is that of a table whose writers know nothing of a cache, and of triggers that note what they do.
//!
//! With `ASIDE_TEST_DATABASE=postgres` the database is a PostgreSQL, which is killed, stopped, and made to end connections.
//! `ASIDE_SOAK_SECONDS` makes it last longer (`bench/soak`), `ASIDE_SOAK_SEED` repeats the choices of a run.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod checker;
mod clients;
mod cluster;
mod faults;
mod history;
mod machine;
mod plan;

mod tests {
    use std::{env, time::Duration};

    use tokio::sync::Mutex;

    use crate::{
        checker::check, clients::Clients, cluster::Cluster, faults::torment, history::History,
        plan::Plan,
    };

    /// Seconds that clients and faults are at it in an ordinary test run.
    const SECONDS: u64 = 8;

    /// Runs after which too little was done for good.
    const RUNS_MAX: u32 = 8;

    fn number(name: &str) -> Option<u64> {
        let text = env::var(name).ok()?;
        Some(text.parse().unwrap_or_else(|_| panic!("{name} takes a whole number, not {text:?}")))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_read_that_begins_after_an_acknowledged_write_is_older_than_it() {
        run(Plan::everything(1)).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nor_is_it_with_two_memcached_of_which_one_stands_in_for_the_other() {
        run(Plan::everything(2)).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nor_is_it_when_no_replica_reaches_both_memcached() {
        run(Plan::crossed()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_somebody_else_commits_is_seen_a_quarter_of_a_second_later() {
        run(Plan::foreign()).await;
    }

    /// Runs `plan` until it has proved something: on a busy machine one run may be too short for that.
    async fn run(plan: Plan) {
        let _alone = ALONE.lock().await;
        let mut runs = 0..RUNS_MAX;
        while !run_once(plan.clone()).await {
            runs.next().expect("too little was done to prove anything");
        }
    }

    /// One history at a time: processes that wait for each other's processor hear of nothing in time.
    static ALONE: Mutex<()> = Mutex::const_new(());

    /// True if enough was done. No read may be older than it may be in any case.
    async fn run_once(plan: Plan) -> bool {
        let seconds = number("ASIDE_SOAK_SECONDS").unwrap_or(SECONDS);
        let seed = number("ASIDE_SOAK_SEED").unwrap_or_else(|| fastrand::u64(..));
        let mut random = fastrand::Rng::with_seed(seed);
        let mut cluster = Cluster::start(plan.clone()).await;
        let clients = Clients::start(&cluster, &mut random).await;
        let end = cluster.clock.now() + Duration::from_secs(seconds);
        let faults = torment(&mut cluster, end, seconds > SECONDS, &mut random).await;
        let (reads, writes) = clients.stop().await;
        let last = cluster.last_reads().await;
        let (replicas, servers) = (cluster.replicas.len(), plan.servers);
        let (outages, renewals) = (faults.outages, faults.renewals);
        let report = check(&History { reads, last, writes, replicas, servers, outages, renewals });
        println!("{plan:?}, {seconds} s, ASIDE_SOAK_SEED={seed}");
        println!("{:?}\n{report}", faults.counts);
        for violation in report.violations.iter().take(10) {
            println!("violation: {violation:?}");
        }
        assert!(report.violations.is_empty(), "{} violations", report.violations.len());
        report.proves_something()
    }
}
