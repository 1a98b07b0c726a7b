//! What the service refuses, and that nothing of it is stored.

use std::{env, fs};

use reqwest::Method;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use support::{
    PATIENCE,
    answer::Answer,
    aside::{Aside, Place, command},
    eventually,
};
use tokio::{process::Command, time::timeout};

use crate::service::{FAST, IDLE, counted, jobs, warm_up};

async fn post(aside: &Aside, content_type: &str, body: String) -> Answer {
    let url = format!("http://{}/jobs/warm-ups", aside.address);
    let request = aside.client.post(url).header("content-type", content_type).body(body);
    Answer::to(request).await.unwrap()
}

#[tokio::test]
async fn a_body_that_is_no_list_of_ids_is_refused_and_stores_nothing() {
    let aside = Aside::start(IDLE).await;
    let many = |count| json!({ "ids": vec![1; count] }).to_string();
    for (status, body) in [
        (400, String::new()),
        (400, "{".to_owned()),
        (400, "ids=1".to_owned()),
        (400, r#"{"ids":[1]} x"#.to_owned()),
        (400, r#"{"ids":[1e400]}"#.to_owned()),
        (422, "[1]".to_owned()),
        (422, "[[1]]".to_owned()),
        (422, "{}".to_owned()),
        (422, r#"{"ids":null}"#.to_owned()),
        (422, r#"{"ids":1}"#.to_owned()),
        (422, r#"{"ids":["1"]}"#.to_owned()),
        (422, r#"{"ids":[1.5]}"#.to_owned()),
        (422, r#"{"ids":[1,null]}"#.to_owned()),
        (422, r#"{"ids":[9223372036854775808]}"#.to_owned()),
        (422, r#"{"ids":[1],"more":true}"#.to_owned()),
        (422, r#"{"ids":[1],"ids":[2]}"#.to_owned()),
        (422, r#"{"ids":[]}"#.to_owned()),
        (422, r#"{"ids":[1,0]}"#.to_owned()),
        (422, r#"{"ids":[-1]}"#.to_owned()),
        (422, many(10_001)),
        (413, many(40_000)),
    ] {
        let answer = post(&aside, "application/json", body.clone()).await;
        let start: String = body.chars().take(60).collect();
        assert_eq!(answer.status, status, "{start}: {answer:?}");
        answer.problem(status);
    }
    post(&aside, "text/plain", many(1)).await.problem(415);
    for (method, path) in [(Method::GET, "/jobs/warm-ups"), (Method::POST, "/jobs")] {
        aside.send(method, path, &[]).await.problem(405);
    }
    assert_eq!(jobs(&aside).await["waiting"], 0);
    let most = post(&aside, "application/json", many(10_000)).await;
    assert_eq!((most.status, most.json()["queued"].as_u64()), (202, Some(10_000)), "{most:?}");
    assert_eq!(jobs(&aside).await["waiting"], 10_000);
}

#[tokio::test]
async fn without_the_token_nothing_is_queued_and_nothing_told() {
    let aside = Aside::start(&["--api-token", "right", "--work-jobs", "false"]).await;
    let send = async |method, path: &str, token: Option<&str>| {
        let url = format!("http://{}{path}", aside.address);
        let mut request = aside.client.request(method, url).json(&json!({ "ids": [1] }));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Answer::to(request).await.unwrap()
    };
    for token in [None, Some(""), Some("wrong")] {
        send(Method::POST, "/jobs/warm-ups", token).await.problem(401);
        send(Method::GET, "/jobs", token).await.problem(401);
    }
    assert_eq!(send(Method::POST, "/jobs/warm-ups", Some("right")).await.status, 202);
    assert_eq!(send(Method::GET, "/jobs", Some("right")).await.json()["waiting"], 1);

    let closed = Aside::start(&["--listen", "0.0.0.0:0", "--work-jobs", "false"]).await;
    closed.get("/jobs").await.problem(403);
    warm_up(&closed, &json!({ "ids": [1] })).await.problem(403);
}

/// Asserts that a push is refused as one for which the queue is away.
pub(crate) async fn away(aside: &Aside) {
    let answer = warm_up(aside, &json!({ "ids": [1] })).await;
    let said = answer.problem(503);
    assert!(!said.contains("aside.db"), "{said}");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_queue_that_is_away_at_the_start_is_used_as_soon_as_it_is_there() {
    let place = Place::seeded().await;
    let file = place.file("aside.db-jobs");
    fs::create_dir(&file).unwrap();
    // Nothing but the queue is away.
    let aside = Aside::start_at(&place, &["--job-delay", "0s", "--slow-query", "0s"]).await;
    away(&aside).await;
    aside.get("/jobs").await.problem(503);
    aside.get("/users/1").await.user(1);
    fs::remove_dir(&file).unwrap();
    let body = json!({ "ids": [2] });
    eventually("it is taken", async || (warm_up(&aside, &body).await.status == 202).then_some(()))
        .await;
    counted(&aside, "done", 1).await;
    let log = aside.log();
    assert_eq!(log.matches("the queue of jobs is away").count(), 1, "{log}");
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert_eq!(log.matches("the queue of jobs is back").count(), 1, "{log}");
}

#[tokio::test]
async fn a_locked_file_is_waited_for_for_a_while_and_then_refused() {
    let aside = Aside::start(FAST).await;
    assert_eq!(warm_up(&aside, &json!({ "ids": [1] })).await.status, 202);
    counted(&aside, "done", 1).await;
    let url = format!("{}-jobs", aside.place.url());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    away(&aside).await;
    aside.get("/users/1").await.user(1);
    lock.rollback().await.unwrap();
    assert_eq!(warm_up(&aside, &json!({ "ids": [2] })).await.status, 202);
    counted(&aside, "done", 2).await;
}

#[tokio::test]
async fn a_full_disk_is_a_503_until_there_is_room_again() {
    let place = Place::seeded().await;
    let plain = command(&place, &[]);
    let mut shell = Command::new("sh");
    // The limit on the size of files stands in for the disk, without the signal that comes with it.
    let run = r#"trap '' XFSZ && echo $$ >pid && exec "$0" --work-jobs false"#;
    shell
        .args(["-c", run])
        .arg(env!("CARGO_BIN_EXE_aside"))
        .current_dir(place.file(""))
        .kill_on_drop(true)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap())
        .envs(plain.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let aside = Aside::run(&place, shell).await;
    let pid = fs::read_to_string(place.file("pid")).unwrap().trim().parse().unwrap();
    let limit = |bytes_max| {
        let limit = Rlimit { current: bytes_max, maximum: None };
        prlimit(Pid::from_raw(pid), Resource::Fsize, limit).unwrap();
    };
    for round in 1..=3 {
        assert_eq!(warm_up(&aside, &json!({ "ids": [1] })).await.status, 202);
        limit(Some(4096));
        away(&aside).await;
        away(&aside).await;
        limit(None);
        assert_eq!(jobs(&aside).await["waiting"], round);
    }
}

#[tokio::test]
async fn a_url_that_is_no_queue_is_refused_without_repeating_it() {
    let place = Place::empty();
    for (url, code) in [
        ("mysql://ada:s3cret@localhost/jobs", 2),
        ("s3cret", 2),
        ("redis://ada:s3cret@localhost:notaport", 2),
        ("postgres://ada:s3cret@localhost:99999999/jobs", 2),
        ("sqlite://:memory:", 2),
        ("", 2),
    ] {
        for arguments in [&[][..], &["jobs", "produce", "1"], &["jobs", "consume"]] {
            let mut command = command(&place, arguments);
            let output = command.env("ASIDE_QUEUE", url).output().await.unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{url} {arguments:?}: {said}");
            assert!(said.starts_with("error: ") && said.contains("--queue"), "{said}");
            assert!(said.lines().count() == 1 && !said.contains("s3cret"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_database_that_can_have_no_queue_beside_it_is_refused_under_its_own_name() {
    let place = Place::empty();
    for url in ["nonsense", "sqlite://aside.db?mode=ro", "sqlite://:memory:", ""] {
        for arguments in [&[][..], &["jobs", "produce", "1"], &["jobs", "consume"]] {
            let mut command = command(&place, arguments);
            let output = command.env("ASIDE_DATABASE", url).output().await.unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{url} {arguments:?}: {said}");
            assert!(said.contains("'--database <URL>': it takes sqlite://PATH"), "{said}");
            assert!(said.lines().count() == 1 && !said.contains("--queue"), "{said}");
        }
    }
}

#[tokio::test]
async fn the_file_of_the_users_is_refused_as_that_of_the_queue() {
    let place = Place::seeded().await;
    let before = fs::read(place.database()).unwrap();
    for url in [place.url(), "sqlite://aside.db".to_owned(), "sqlite:./aside.db".to_owned()] {
        for arguments in [&[][..], &["jobs", "produce", "1"], &["jobs", "consume"]] {
            let mut command = command(&place, arguments);
            let output = timeout(PATIENCE, command.env("ASIDE_QUEUE", &url).output());
            let output = output.await.expect("it ends").unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{url} {arguments:?}: {said}");
            assert!(said.contains("it names the file of '--database'"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
    assert!(fs::read(place.database()).unwrap() == before, "the database was written");
}

#[tokio::test]
async fn the_password_of_a_queue_is_written_nowhere() {
    for url in [
        "postgres://ada:s3cret@127.0.0.1:1/jobs?sslmode=disable",
        "redis://ada:s3cret@127.0.0.1:1/0",
    ] {
        let place = Place::seeded().await;
        let mut service = command(&place, &[]);
        service.env("ASIDE_QUEUE", url).env("RUST_LOG", "trace");
        let aside = Aside::run(&place, service).await;
        away(&aside).await;
        let log = aside.log();
        assert!(log.contains("the queue of jobs is away") && !log.contains("s3cret"), "{log}");

        let mut help = command(&place, &["--help"]);
        let help = help.env("ASIDE_QUEUE", url).output().await.unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains("ASIDE_QUEUE") && !help.contains("s3cret"), "{help}");

        let mut produce = command(&place, &["jobs", "produce", "1"]);
        let produce = produce.env("ASIDE_QUEUE", url).output().await.unwrap();
        let said = String::from_utf8(produce.stderr).unwrap();
        assert_eq!(produce.status.code(), Some(1), "{said}");
        assert!(said.contains("127.0.0.1:1") && !said.contains("s3cret"), "{said}");
    }
}
