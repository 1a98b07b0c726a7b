//! The queue through the service: what is acknowledged, what is told, and what survives.

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use support::{
    answer::Answer,
    aside::{Aside, Place},
    eventually,
    memcached::Memcached,
};

/// An address where no memcached is. Processes over one database may have it in common, each with its own memory meanwhile.
pub(crate) const NOWHERE: &str = "127.0.0.1:1";

/// As fast as it can be.
pub(crate) const FAST: &[&str] =
    &["--job-delay", "0s", "--slow-query", "0s", "--memcached", NOWHERE];

/// Nobody works the queue.
pub(crate) const IDLE: &[&str] = &["--work-jobs", "false", "--memcached", NOWHERE];

/// Asks `aside` to warm up what `body` says.
pub(crate) async fn warm_up(aside: &Aside, body: &Value) -> Answer {
    aside.send_json(Method::POST, "/jobs/warm-ups", body).await
}

/// The answer of `GET /jobs`.
pub(crate) async fn jobs(aside: &Aside) -> Value {
    let answer = aside.get("/jobs").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Waits until so many jobs are in this state.
pub(crate) async fn counted(aside: &Aside, state: &str, count: u64) -> Value {
    let what = format!("{count} jobs are {state}");
    eventually(&what, async || {
        let jobs = jobs(aside).await;
        (jobs[state] == count).then_some(jobs)
    })
    .await
}

#[tokio::test]
async fn what_was_warmed_up_is_a_hit() {
    let aside = Aside::start(FAST).await;
    let answer = warm_up(&aside, &json!({ "ids": [1, 2, 3, 99_999] })).await;
    assert_eq!((answer.status, answer.json()), (202, json!({ "queued": 4 })), "{answer:?}");
    let done = counted(&aside, "done", 4).await;
    assert_eq!(
        done,
        json!({
            "waiting": 0, "running": 0, "done": 4, "retrying": 0, "dead": 0,
            "last_dead": [], "invalidations": 0,
        })
    );
    for id in 1..=3 {
        let answer = aside.get(&format!("/users/{id}")).await;
        assert_eq!(answer.user(id).x_cache(), "HIT");
    }
    let unknown = aside.get("/users/99999").await;
    assert_eq!((unknown.status, unknown.x_cache()), (404, "HIT"));
    let metrics = aside.metrics().await;
    assert!(metrics.contains(r#"aside_jobs_total{result="done"} 4"#), "{metrics}");
    assert!(metrics.contains(r#"aside_jobs_total{result="dead"} 0"#), "{metrics}");
}

#[tokio::test]
async fn things_of_another_resource_are_warmed_if_it_is_named() {
    let aside = Aside::start(&[]).await;
    let answer = warm_up(&aside, &json!({ "resource": "calculations", "ids": [7] })).await;
    assert_eq!((answer.status, answer.json()), (202, json!({ "queued": 1 })));
    counted(&aside, "done", 1).await;
    let answer = aside.get("/calculations/7").await;
    assert_eq!((answer.status, answer.x_cache()), (200, "HIT"));
    let explained = aside.get("/cache/calculations/7").await.json();
    assert_eq!(
        (&explained["key"], &explained["state"]),
        (&json!("calculation:7"), &json!("fresh"))
    );
    let unknown = warm_up(&aside, &json!({ "resource": "user", "ids": [7] })).await;
    unknown.problem(422);
}

#[tokio::test]
async fn a_job_that_keeps_failing_is_told_of() {
    let fails = ["--query-timeout", "1ms", "--slow-query", "1s", "--job-retry", "0s"];
    let aside = Aside::start(&[&fails[..], &["--job-delay", "0s"]].concat()).await;
    warm_up(&aside, &json!({ "ids": [42] })).await;
    let jobs = counted(&aside, "dead", 1).await;
    let error = "the source did not answer within its deadline";
    assert_eq!(
        jobs["last_dead"],
        json!([{ "resource": "users", "id": 42, "attempts": 5, "error": error }])
    );
    let log = aside.log();
    assert_eq!(log.matches("a job is given up").count(), 1, "{log}");
    let metrics = aside.metrics().await;
    assert!(metrics.contains(r#"aside_jobs_total{result="failed"} 4"#), "{metrics}");
    assert!(metrics.contains(r#"aside_jobs_total{result="dead"} 1"#), "{metrics}");
}

#[tokio::test]
async fn a_failed_job_waits_before_it_is_tried_again_and_the_next_does_not() {
    let fails = ["--query-timeout", "1ms", "--slow-query", "1s", "--job-retry", "1h"];
    let aside = Aside::start(&[&fails[..], &["--job-delay", "0s"]].concat()).await;
    warm_up(&aside, &json!({ "ids": [1, 2, 3] })).await;
    let jobs = counted(&aside, "retrying", 3).await;
    assert_eq!((&jobs["waiting"], &jobs["dead"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let mut aside = Aside::start(IDLE).await;
    let place = aside.place.clone();
    for round in 1..=3 {
        let answer = warm_up(&aside, &json!({ "ids": vec![1; 1000] })).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        aside.signal(Signal::KILL);
        aside.ended().await;
        aside = Aside::start_at(&place, IDLE).await;
        assert_eq!(jobs(&aside).await["waiting"], 1000 * round);
    }
}

#[tokio::test]
async fn with_work_jobs_false_the_queue_is_another_processs_to_work() {
    let aside = Aside::start(IDLE).await;
    warm_up(&aside, &json!({ "ids": [1, 2] })).await;
    let other = Aside::start_at(&aside.place, FAST).await;
    counted(&aside, "done", 2).await;
    // With no memcached to share, it is in the memory of the one that has loaded it, and only there.
    assert_eq!(other.get("/users/1").await.user(1).x_cache(), "HIT");
    assert_eq!(aside.get("/users/1").await.user(1).x_cache(), "MISS");
}

#[tokio::test]
async fn on_sigterm_the_job_under_way_is_finished() {
    let slow = ["--slow-query", "3s", "--query-timeout", "60s", "--job-delay", "0s"];
    let mut aside = Aside::start(&[&slow[..], &["--memcached", NOWHERE]].concat()).await;
    warm_up(&aside, &json!({ "ids": [1, 2] })).await;
    counted(&aside, "running", 1).await;
    assert!(aside.terminate().await.success());
    let aside = Aside::start_at(&aside.place, IDLE).await;
    let jobs = jobs(&aside).await;
    assert_eq!(
        (&jobs["done"], &jobs["waiting"], &jobs["running"]),
        (&json!(1), &json!(1), &json!(0))
    );
}

#[tokio::test]
async fn invalidations_that_are_still_to_be_delivered_are_counted() {
    let memcached = Memcached::start().await;
    let servers = memcached.address().to_string();
    let aside = Aside::start(&["--work-jobs", "false", "--memcached", &servers]).await;
    assert_eq!(jobs(&aside).await["invalidations"], 0);
    // What a writer leaves that dies after its commit. The sweep takes it up a second or two later.
    let note = "INSERT INTO changes (key, missing) VALUES ('user:1', 1)";
    aside.place.execute(note).await;
    assert_eq!(jobs(&aside).await["invalidations"], 1);
    counted(&aside, "invalidations", 0).await;
}

/// Runs `statement` on the file of the queue as another program would.
async fn execute(place: &Place, statement: &'static str) -> Result<(), sqlx::Error> {
    let url = format!("{}-jobs", place.url());
    let mut connection = SqliteConnection::connect(&url).await?;
    sqlx::raw_sql(statement).execute(&mut connection).await?;
    connection.close().await
}

#[tokio::test]
async fn rows_that_nothing_can_be_made_of_are_refused_or_put_aside_and_the_worker_lives() {
    let aside = Aside::start(IDLE).await;
    warm_up(&aside, &json!({ "ids": [1] })).await;
    for refused in [
        "INSERT INTO aside_jobs (message, id) VALUES (x'32', 'no id of a job')",
        "INSERT INTO aside_jobs (message) VALUES ('2')",
        "INSERT INTO aside_jobs (message, attempts) VALUES (x'32', 'many')",
        "INSERT INTO aside_jobs (message, due) VALUES (x'32', 1.5)",
    ] {
        let refused = execute(&aside.place, refused).await.unwrap_err();
        assert!(refused.as_database_error().is_some(), "{refused}");
    }
    let poison = "INSERT INTO aside_jobs (message, attempts) VALUES
        (x'00ff', 0), (x'32', 1000000), (x'2d31', -5)";
    execute(&aside.place, poison).await.unwrap();
    let worker = Aside::start_at(&aside.place, FAST).await;
    let jobs = counted(&aside, "done", 1).await;
    assert_eq!(
        (&jobs["dead"], &jobs["waiting"], &jobs["running"]),
        (&json!(3), &json!(0), &json!(0))
    );
    let errors = jobs["last_dead"].as_array().unwrap().iter().map(|dead| dead["error"].as_str());
    let mut errors: Vec<_> = errors.map(Option::unwrap).collect();
    errors.sort_unstable();
    let no_id = "the message names nothing that can be loaded";
    assert_eq!(errors, ["each worker that tried it has died", no_id, no_id]);
    warm_up(&worker, &json!({ "ids": [3] })).await;
    counted(&aside, "done", 2).await;
}

#[tokio::test]
async fn a_job_of_which_each_worker_dies_is_given_up() {
    let aside = Aside::start(IDLE).await;
    warm_up(&aside, &json!({ "ids": [1, 2] })).await;
    // As many workers as there are attempts have died of the first.
    let died = "UPDATE aside_jobs SET attempts = 5 WHERE message = CAST('users/1' AS BLOB)";
    execute(&aside.place, died).await.unwrap();
    let worker = Aside::start_at(&aside.place, FAST).await;
    let jobs = counted(&worker, "done", 1).await;
    assert_eq!(jobs["dead"], 1);
    assert_eq!(jobs["last_dead"][0]["id"], 1);
    assert_eq!(jobs["last_dead"][0]["error"], "each worker that tried it has died");
}

#[tokio::test]
async fn the_jobs_of_an_earlier_version_are_taken_over_once() {
    let place = Place::seeded().await;
    let old = "CREATE TABLE Jobs (job BLOB NOT NULL, id TEXT NOT NULL UNIQUE, job_type TEXT NOT NULL,
            status TEXT NOT NULL, attempts INTEGER NOT NULL, max_attempts INTEGER NOT NULL,
            run_at INTEGER NOT NULL);
        INSERT INTO Jobs VALUES (x'39', 'D', 'warm-ups', 'Pending', 0, 5, 2),
            (x'35', 'C', 'warm-ups', 'Pending', 0, 5, 1), (x'37', 'B', 'warm-ups', 'Running', 1, 5, 1),
            (x'38', 'A', 'warm-ups', 'Failed', 1, 5, 9), (x'31', 'E', 'warm-ups', 'Failed', 5, 5, 1),
            (x'32', 'F', 'warm-ups', 'Done', 1, 5, 1), (x'33', 'G', 'warm-ups', 'Killed', 1, 5, 1),
            (x'34', 'H', 'of others', 'Pending', 0, 5, 1)";
    let url = format!("{}-jobs?mode=rwc", place.url());
    let mut file = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(old).execute(&mut file).await.unwrap();
    for start in 0..2 {
        let aside = Aside::start_at(&place, IDLE).await;
        assert_eq!(jobs(&aside).await["waiting"], 4);
        let told = aside.log().matches("took over the jobs of an earlier version").count();
        assert_eq!(told, 1 - start, "{}", aside.log());
    }
    let order = "SELECT CAST(message AS TEXT) FROM aside_jobs ORDER BY due, id";
    let order: Vec<String> = sqlx::query_scalar(order).fetch_all(&mut file).await.unwrap();
    assert_eq!(order, ["7", "5", "9", "8"]);
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM Jobs").fetch_one(&mut file).await.unwrap();
    assert_eq!(kept, 8);
}
