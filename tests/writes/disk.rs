//! A database that can't be written to, or that is not there any more.

use std::{env, fs};

use reqwest::Method;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use support::{
    aside::{Aside, Place, command},
    eventually,
};
use tokio::process::Command;

use crate::request::number;

/// Starts a service to which a full disk is an error, as always, and not also a signal: the limit on
/// the size of files, which stands in for the disk, sends one.
async fn start() -> (Aside, Pid) {
    let place = Place::seeded().await;
    let plain = command(&place, &[]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", r#"trap '' XFSZ && echo $$ >pid && exec "$0" --slow-query 0s"#])
        .arg(env!("CARGO_BIN_EXE_aside"))
        .current_dir(place.file(""))
        .kill_on_drop(true)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap())
        .envs(plain.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let aside = Aside::run(&place, shell).await;
    let pid = fs::read_to_string(place.file("pid")).unwrap().trim().parse().unwrap();
    (aside, Pid::from_raw(pid).unwrap())
}

/// Lets the files that the process writes grow to so many bytes.
fn limit_files(process: Pid, bytes_max: Option<u64>) {
    let limit = Rlimit { current: bytes_max, maximum: None };
    prlimit(Some(process), Resource::Fsize, limit).unwrap();
}

#[tokio::test]
async fn when_the_disk_is_full_reads_go_on_and_writes_are_refused_until_there_is_room() {
    let (aside, process) = start().await;
    aside.rename(1, "Ada").await;
    for round in 0..3 {
        limit_files(process, Some(4096));
        for id in 1..=5 {
            let path = format!("/users/{id}");
            let answer = aside.send_json(Method::PATCH, &path, &json!({ "name": "Eve" })).await;
            assert_eq!(answer.status, 503, "{answer:?}{}", aside.log());
            answer.problem(503);
            assert_eq!(answer.header("retry-after"), "1");
            assert_ne!(aside.name(id).await, "Eve");
        }
        let cold = 100 + round;
        aside.get(&format!("/users/{cold}")).await.user(cold);
        limit_files(process, None);
        let new = format!("Grace {round}");
        aside.rename(1, &new).await;
        assert_eq!(aside.name(1).await, new, "it heals by itself");
    }
    let eves = "SELECT count(*) FROM users WHERE name = 'Eve'";
    assert_eq!(number(&aside.place, eves).await, 0);
}

#[tokio::test]
async fn a_write_to_a_file_that_was_removed_is_not_acknowledged() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let before = aside.name(1).await;
    aside.rename(2, "Ada").await;
    fs::remove_file(aside.place.database()).unwrap();
    for id in 1..=3 {
        let path = format!("/users/{id}");
        let answer = aside.send_json(Method::PATCH, &path, &json!({ "name": "Eve" })).await;
        let said = answer.problem(503);
        assert!(!said.contains("aside.db"), "{said}");
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(aside.name(1).await, before, "what is cached is still served");
    eventually("not ready", async || (aside.get("/readyz").await.status == 503).then_some(()))
        .await;
    let new = json!({ "name": "Ada", "email": "ada@example.com" });
    aside.send_json(Method::POST, "/users", &new).await.problem(503);
}

#[tokio::test]
async fn a_write_to_a_file_that_took_anothers_name_is_not_acknowledged() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let copy = aside.place.file("copy.db");
    fs::copy(aside.place.database(), &copy).unwrap();
    fs::rename(copy, aside.place.database()).unwrap();
    aside.send_json(Method::PATCH, "/users/1", &json!({ "name": "Eve" })).await.problem(503);
    eventually("not ready", async || (aside.get("/readyz").await.status == 503).then_some(()))
        .await;
}
