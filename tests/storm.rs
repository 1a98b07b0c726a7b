//! Too many requests at once, through the program itself.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use reqwest::Client;
use support::{
    answer::Answer,
    aside::{Aside, Place},
    core, eventually,
    memcached::Memcached,
};
use tokio::{
    sync::Barrier,
    task::{JoinHandle, JoinSet},
    time::Instant,
};

const MAX_QUERIES: i64 = 8;
const SLOW_QUERY: Duration = Duration::from_millis(50);

/// The gauge of the users' loads.
const RUNNING: &str = r#"aside_loads_running{source="users"} "#;

/// The time after a storm in which all must be as before. Half of it is for a busy machine.
const RECOVERY_MAX: Duration = Duration::from_secs(10);

/// A service that can answer 160 cold requests in a second. A query's deadline is far off, so that a busy
/// machine does not make it answer 504.
async fn narrow() -> Aside {
    let slow_query = format!("{}ms", SLOW_QUERY.as_millis());
    let arguments = [
        ["--max-queries", &MAX_QUERIES.to_string()],
        ["--max-waiting", "64"],
        ["--slow-query", &slow_query],
        ["--query-timeout", "60s"],
    ];
    Aside::start(arguments.as_flattened()).await
}

/// A client with connections of its own. It waits for longer than any answer takes on a busy machine: how
/// long that is, is measured, and not bounded by the client.
fn client() -> Client {
    Client::builder().timeout(Duration::from_secs(120)).no_proxy().build().unwrap()
}

/// Does `work` again and again until `stop` is set, and gives all that came of it.
fn until<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    stop: &Arc<AtomicBool>,
    mut work: impl FnMut() -> F + Send + 'static,
) -> JoinHandle<Vec<T>> {
    let stop = stop.clone();
    tokio::spawn(async move {
        let mut all = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            all.push(work().await);
        }
        all
    })
}

/// The time that all but one in a hundred of `answers` took no longer than, and the longest.
fn p99_and_max(answers: &[Answer]) -> (Duration, Duration) {
    let mut times: Vec<_> = answers.iter().map(|answer| answer.took).collect();
    times.sort_unstable();
    (times[times.len() * 99 / 100], times[times.len() - 1])
}

/// Asserts that these are users, or refusals that say when to come again; gives the refusals.
fn refusals(answers: Vec<Answer>) -> Vec<Answer> {
    let (users, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    for user in users {
        user.user(user.json()["id"].as_i64().unwrap());
    }
    for refused in &refused {
        refused.problem(503);
        assert_eq!(refused.header("retry-after"), "1");
    }
    refused
}

/// Loads that gave an answer, so far.
async fn answered(aside: &Aside) -> u64 {
    aside.ledger("loads").await - aside.ledger("loads_failed").await
}

/// Queries that run now, as `/metrics` has it.
fn running(metrics: &Answer) -> i64 {
    let text = std::str::from_utf8(&metrics.body).unwrap();
    let line = text.lines().find(|line| line.starts_with(RUNNING)).expect(text);
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_for_one_cold_user_over_three_replicas_are_one_load() {
    const REQUESTS: usize = 1000;
    let _core = core().await;
    let (memcached, place) = (Memcached::start().await, Place::seeded().await);
    let arguments = ["--memcached", &memcached.address().to_string(), "--slow-query", "1s"];
    let (mut replicas, client) = (Vec::new(), client());
    for _ in 0..3 {
        replicas.push(Aside::start_at(&place, &arguments).await);
    }
    let loads = async || {
        let mut sum = 0;
        for replica in &replicas {
            sum += replica.ledger("loads").await;
        }
        sum
    };
    let before = loads().await;
    for id in 1..=3 {
        let together = Arc::new(Barrier::new(REQUESTS));
        let mut requests = JoinSet::new();
        for number in 0..REQUESTS {
            let replica = &replicas[number % replicas.len()];
            let get = client.get(format!("http://{}/users/{id}", replica.address));
            let together = together.clone();
            requests.spawn(async move {
                together.wait().await;
                Answer::to(get).await.unwrap()
            });
        }
        let answers = requests.join_all().await;
        for answer in &answers {
            assert_eq!(answer.user(id).body, answers[0].body);
        }
        let misses: Vec<_> = answers.iter().filter(|answer| answer.x_cache() == "MISS").collect();
        assert!(
            misses.iter().all(|miss| miss.server_timing().contains_key("db")),
            "it was waited for"
        );
        let is_collapsed = |miss: &&&Answer| miss.cache_status().contains_key("collapsed");
        let collapsed = misses.iter().filter(is_collapsed).count();
        assert_eq!(misses.len() - collapsed, 1, "all but one say that it was another's load");
        let (p99, max) = p99_and_max(&answers);
        println!("{} of {REQUESTS} waited; p99 {p99:?}, max {max:?}", misses.len());
        assert_eq!(loads().await - before, u64::try_from(id).unwrap(), "loads of {id} users");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_cold_users_so_many_are_loaded_at_once_and_hits_go_on() {
    const CONNECTIONS: usize = 400;
    const USERS: i64 = 10_000;
    const HOT: i64 = 1;
    let _core = core().await;
    let aside = narrow().await;
    let user = format!("http://{}/users/", aside.address);
    aside.get("/users/1").await.user(HOT);
    let before = answered(&aside).await;

    let stop = Arc::new(AtomicBool::new(false));
    let (watcher, metrics) = (client(), format!("http://{}/metrics", aside.address));
    let watched = until(&stop, move || {
        let look = watcher.get(&metrics);
        async move { running(&Answer::to(look).await.unwrap()) }
    });
    let (reader, hot) = (client(), format!("{user}{HOT}"));
    let hits = until(&stop, move || {
        let read = reader.get(&hot);
        async move { Answer::to(read).await.unwrap() }
    });
    let (next, together) = (Arc::new(AtomicI64::new(HOT)), Arc::new(Barrier::new(CONNECTIONS)));
    let (mut storm, client) = (JoinSet::new(), client());
    let begun_at = Instant::now();
    for _ in 0..CONNECTIONS {
        let (client, user) = (client.clone(), user.clone());
        let (next, together) = (next.clone(), together.clone());
        storm.spawn(async move {
            together.wait().await;
            let mut answers = Vec::new();
            loop {
                let id = next.fetch_add(1, Ordering::Relaxed) + 1;
                if id > USERS {
                    return answers;
                }
                answers.push(Answer::to(client.get(format!("{user}{id}"))).await.unwrap());
            }
        });
    }
    let answers: Vec<_> = storm.join_all().await.into_iter().flatten().collect();
    let took = begun_at.elapsed();
    stop.store(true, Ordering::Relaxed);

    let asked = answers.len();
    let refused = refusals(answers);
    let loads = answered(&aside).await - before;
    let sum = refused.len() + usize::try_from(loads).unwrap();
    assert_eq!(sum, asked, "each was loaded or refused");
    let most =
        u128::from(MAX_QUERIES.unsigned_abs()) * (took.as_nanos() / SLOW_QUERY.as_nanos() + 1);
    assert!(u128::from(loads) <= most, "{loads} loads in {took:?}");
    let watched = watched.await.unwrap();
    assert!(watched.iter().all(|running| *running <= MAX_QUERIES), "{watched:?}");
    assert!(watched.contains(&MAX_QUERIES), "{watched:?}");
    let hits = hits.await.unwrap();
    for hit in &hits {
        assert_eq!(hit.user(HOT).x_cache(), "HIT");
    }
    assert!(hits.len() > 10, "{}", hits.len());
    println!("{loads} loads and {} refusals in {took:?}", refused.len());
    println!(
        "p99 and max: refusals {:?}, {} hits {:?}",
        p99_and_max(&refused),
        hits.len(),
        p99_and_max(&hits)
    );
    eventually("nothing runs", async || (running(&aside.get("/metrics").await) == 0).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_ten_times_too_much_it_is_back_to_normal_soon() {
    const STORM: Duration = Duration::from_secs(3);
    let _core = core().await;
    let aside = narrow().await;
    // No answer is kept, so that every request is a load. Half of what the service can do is four at a time.
    let url = format!("http://{}/users/1", aside.address);
    let clients = |count: usize, stop: &Arc<AtomicBool>| -> Vec<_> {
        let client = |_| {
            let (client, url) = (client(), url.clone());
            until(stop, move || {
                let get = client.get(&url).header("cache-control", "no-store");
                async move { (Instant::now(), Answer::to(get).await.unwrap()) }
            })
        };
        (0..count).map(client).collect()
    };
    let stop = Arc::new(AtomicBool::new(false));
    let (storm, begun_at) = (clients(400, &stop), Instant::now());
    let mut answers = Vec::new();
    let ended_at = eventually("the storm is over", async || {
        aside.get("/healthz").await;
        (begun_at.elapsed() > STORM).then(Instant::now)
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    for client in storm {
        answers.extend(client.await.unwrap().into_iter().map(|(_, answer)| answer));
    }
    let asked = answers.len();
    let refused = refusals(answers);
    println!(
        "{asked} asked in {STORM:?}, {} refused, p99 and max {:?}",
        refused.len(),
        p99_and_max(&refused)
    );
    assert!(refused.len() > asked / 2, "that was no storm: {} of {asked} refused", refused.len());

    let stop = Arc::new(AtomicBool::new(false));
    let half = clients(4, &stop);
    let loads = aside.ledger("loads").await;
    eventually("some requests more", async || {
        (aside.ledger("loads").await > loads + 100).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let mut last_bad = Duration::ZERO;
    for client in half {
        for (sent_at, answer) in client.await.unwrap() {
            if answer.status != 200 || answer.took > SLOW_QUERY * 10 {
                last_bad = last_bad.max(sent_at - ended_at);
            }
        }
    }
    println!("the last refused or slow request was sent {last_bad:?} after the storm");
    assert!(last_bad < RECOVERY_MAX, "{last_bad:?}");
}
