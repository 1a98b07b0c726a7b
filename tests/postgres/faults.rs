//! PostgreSQL in every bad state under load: what is in the cache is answered all the while, what is not is refused in time,
//! `/readyz` is true, and soon after the end all is as before.
//!
//! `cargo test --test postgres faults -- --nocapture` prints what was measured as rows of a table.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use support::{
    answer::Answer,
    aside::Aside,
    core, eventually,
    memcached::Memcached,
    proxy::{Flow, Proxy, Way},
    servers::Server,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::home::{connect, serve, server};

/// Users that are asked for again and again.
const WARM_IDS: i64 = 50;

/// Past the life of the entries, so that those that stand in are seen.
const HELD: Duration = Duration::from_secs(3);

/// Nothing is held up by the server for as long: a query has a second, and the rest is for a machine that stands still.
const LATE_MAX: Duration = Duration::from_secs(10);

/// By then each connection has been ended more than once.
const ENDED_MIN: usize = 20;

/// A role that is no owner of the server: its connections can be limited.
const ROLE: &str = "CREATE ROLE served LOGIN;
    GRANT ALL ON SCHEMA public TO served;
    GRANT ALL ON ALL TABLES IN SCHEMA public TO served;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO served";

const TERMINATE: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'aside'";

/// Reads that go on until it is stopped.
struct Load {
    seen: Arc<Mutex<Seen>>,
    stopped: Arc<AtomicBool>,
    readers: JoinSet<()>,
}

/// What clients saw.
#[derive(Default)]
struct Seen {
    warm: BTreeMap<String, usize>,
    cold: BTreeMap<u16, usize>,
    longest_warm: Duration,
}

impl Seen {
    fn has_warm(&mut self, answer: &Answer) {
        *self.warm.entry(answer.x_cache().to_owned()).or_default() += 1;
        self.longest_warm = self.longest_warm.max(answer.took);
    }
}

/// A service before a server that can be reached over `link` alone.
struct Scene {
    aside: Aside,
    link: Proxy,
    server: Server,
    _memcached: Memcached,
}

impl Scene {
    async fn set() -> Self {
        let (server, memcached) = (server().await, Memcached::start().await);
        sqlx::raw_sql(ROLE).execute(&mut connect(&server.url()).await).await.unwrap();
        let link = Proxy::start(&server.address());
        let url = format!("postgres://served@{}/postgres", link.address());
        let memcached_at = memcached.address().to_string();
        let arguments = [
            ["--memcached", &memcached_at],
            // No lookup is given up for a machine that stands still: nothing but the database has a fault.
            ["--memcached-timeout", "5s"],
            ["--slow-query", "5ms"],
            ["--query-timeout", "1s"],
            ["--ttl", "1s"],
            ["--stale-if-error", "300s"],
        ];
        let aside = serve(&url, arguments.as_flattened()).await;
        Self { aside, link, server, _memcached: memcached }
    }

    /// Waits until `/readyz` has this status, and says how long that took.
    async fn says(&self, status: u16) -> Duration {
        let begun_at = Instant::now();
        let what = format!("/readyz says {status}");
        eventually(&what, async || {
            (self.aside.get("/readyz").await.status == status).then_some(())
        })
        .await;
        begun_at.elapsed()
    }

    /// Waits until a user who was never asked for is found, and another is written.
    async fn is_as_before(&self) {
        eventually("a cold read", async || {
            (self.aside.get("/users/9999").await.status == 200).then_some(())
        })
        .await;
        eventually("a write", async || {
            let name = json!({ "name": "Ada" });
            let write = self.aside.send_json(reqwest::Method::PATCH, "/users/9998", &name).await;
            (write.status == 200).then_some(())
        })
        .await;
        assert_eq!(self.aside.name(9998).await, "Ada");
    }
}

impl Load {
    async fn start(aside: &Aside) -> Self {
        for id in 1..=WARM_IDS {
            let path = format!("/users/{id}");
            eventually("an entry", async || (aside.get(&path).await.status == 200).then_some(()))
                .await;
        }
        let (seen, stopped) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let mut readers = JoinSet::new();
        for _ in 0..4 {
            let (seen, stopped) = (seen.clone(), stopped.clone());
            let (client, address) = (aside.client.clone(), aside.address);
            readers.spawn(async move {
                while !stopped.load(Ordering::Relaxed) {
                    let id = fastrand::i64(1..=WARM_IDS);
                    let read = Answer::to(client.get(format!("http://{address}/users/{id}")));
                    let answer = read.await.unwrap();
                    answer.user(id);
                    seen.lock().unwrap().has_warm(&answer);
                    sleep(Duration::from_millis(10)).await;
                }
            });
        }
        let (of_cold, cold_stopped) = (seen.clone(), stopped.clone());
        let (client, address) = (aside.client.clone(), aside.address);
        readers.spawn(async move {
            for id in 1000.. {
                if cold_stopped.load(Ordering::Relaxed) {
                    break;
                }
                let read = Answer::to(client.get(format!("http://{address}/users/{id}")));
                let answer = read.await.unwrap();
                assert!([200, 503, 504].contains(&answer.status), "{answer:?}");
                assert!(answer.took < LATE_MAX, "{answer:?}");
                *of_cold.lock().unwrap().cold.entry(answer.status).or_default() += 1;
                sleep(Duration::from_millis(20)).await;
            }
        });
        Self { seen, stopped, readers }
    }

    /// What was seen. Fails if an entry was not answered with 200, or a refusal was late.
    async fn stop(mut self) -> Seen {
        self.stopped.store(true, Ordering::Relaxed);
        while let Some(ended) = self.readers.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// Holds `fault` over a service under load, from its beginning to its end.
async fn held(
    row: &str,
    begin: impl AsyncFnOnce(&mut Scene),
    end: impl AsyncFnOnce(&mut Scene),
) -> Seen {
    let _core = core().await;
    let mut scene = Scene::set().await;
    let load = Load::start(&scene.aside).await;
    begin(&mut scene).await;
    let unready_after = scene.says(503).await;
    sleep(HELD).await;
    assert_eq!(scene.aside.get("/healthz").await.status, 200);
    end(&mut scene).await;
    let ended_at = Instant::now();
    scene.says(200).await;
    scene.is_as_before().await;
    let seen = load.stop().await;
    enter(row, &seen, Some(unready_after), ended_at.elapsed());
    assert!(!scene.aside.log().contains("panicked"), "{}", scene.aside.log());
    assert!(seen.warm["STALE"] > 10, "entries stood in");
    assert!(seen.cold.keys().any(|status| *status >= 500), "what was not there was refused");
    seen
}

fn enter(row: &str, seen: &Seen, unready_after: Option<Duration>, back_after: Duration) {
    let reads: usize = seen.warm.values().sum();
    let unready = unready_after.map_or("–".to_owned(), |it| format!("{:.1} s", it.as_secs_f64()));
    println!(
        "| {row} | 200 for all of {reads}: {:?} | {:?} | {:.0} ms | {unready} | {:.1} s |",
        seen.warm,
        seen.cold,
        seen.longest_warm.as_secs_f64() * 1000.0,
        back_after.as_secs_f64(),
    );
}

#[tokio::test]
async fn it_is_killed_and_started_again() {
    let end = async |scene: &mut Scene| scene.server.restart().await;
    held("it is killed (SIGKILL)", async |scene| scene.server.crash(), end).await;
}

#[tokio::test]
async fn it_is_killed_and_another_takes_its_place_at_another_address() {
    let end = async |scene: &mut Scene| {
        scene.server.move_elsewhere().await;
        scene.link.lead_to(&scene.server.address());
    };
    held("another takes its place (failover)", async |scene| scene.server.crash(), end).await;
}

#[tokio::test]
async fn it_is_stopped_and_goes_on() {
    let end = async |scene: &mut Scene| scene.server.go_on();
    held("it hangs (SIGSTOP)", async |scene| scene.server.stop(), end).await;
}

#[tokio::test]
async fn the_network_drops_what_is_sent_and_resets_nothing() {
    let begin = async |scene: &mut Scene| scene.link.set(Flow::Held(Way::Both));
    // What was under way never arrives.
    let end = async |scene: &mut Scene| {
        scene.link.strand();
        scene.link.mend();
    };
    held("packets are dropped, without a reset", begin, end).await;
}

#[tokio::test]
async fn it_has_no_connection_left() {
    // Refused with the same state, 53300, as past max_connections.
    let begin = async |scene: &mut Scene| {
        let mut owner = connect(&scene.server.url()).await;
        for statement in ["ALTER ROLE served CONNECTION LIMIT 0", TERMINATE] {
            sqlx::raw_sql(statement).execute(&mut owner).await.unwrap();
        }
    };
    let end = async |scene: &mut Scene| {
        let more = "ALTER ROLE served CONNECTION LIMIT -1";
        sqlx::raw_sql(more).execute(&mut connect(&scene.server.url()).await).await.unwrap();
    };
    held("it has no connection left (CONNECTION LIMIT)", begin, end).await;
}

#[tokio::test]
async fn it_ends_connections_again_and_again() {
    let _core = core().await;
    let scene = Scene::set().await;
    let load = Load::start(&scene.aside).await;
    let mut killer = connect(&scene.server.url()).await;
    let mut ended = 0;
    eventually("most loads find another connection", async || {
        ended += 1;
        sqlx::query(TERMINATE).execute(&mut killer).await.unwrap();
        sleep(Duration::from_millis(150)).await;
        let found = load.seen.lock().unwrap().cold.get(&200).copied();
        (ended >= ENDED_MIN && found > Some(10)).then_some(())
    })
    .await;
    let ended_at = Instant::now();
    scene.says(200).await;
    scene.is_as_before().await;
    let seen = load.stop().await;
    enter("connections are ended (pg_terminate_backend)", &seen, None, ended_at.elapsed());
}
