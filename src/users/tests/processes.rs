//! Several processes and one file: this test binary starts itself again for each of them.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Duration,
};

use sqlx::Executor;

use super::{Place, far, fast};
use crate::{cache::Source, database::Database};

/// The place of the parent's test.
const URL: &str = "ASIDE_TEST_DATABASE_URL";

/// Starts the ignored test `role` of this file in a process of its own.
fn start(role: &str, place: &Place) -> Child {
    let test = format!("{}::{role}", module_path!().split_once("::").unwrap().1);
    Command::new(env::current_exe().unwrap())
        .args(["--exact", &test, "--ignored", "--nocapture"])
        .env(URL, place.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the child has printed `word`.
fn wait_for(word: &str, child: &mut Child) {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(word)), "the child ended without {word:?}");
}

/// Tells the parent, and waits for it to let go of this process's input.
fn tell_and_wait(word: &str) {
    println!("\n{word}");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[tokio::test]
async fn many_processes_may_open_one_new_file_at_once() {
    let place = Place::new();
    let mut children: Vec<Child> = (0..8).map(|_| start("opens_with_the_others", &place)).collect();
    for child in &mut children {
        wait_for("at the line", child);
    }
    let inputs: Vec<_> = children.iter_mut().map(|child| child.stdin.take()).collect();
    drop(inputs);
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let users = fast(&place).await;
    assert!(users.load(10_000, far()).await.unwrap().body.is_some());
}

#[tokio::test]
#[ignore = "one of the processes of many_processes_may_open_one_new_file_at_once"]
async fn opens_with_the_others() {
    let Ok(url) = env::var(URL) else { return };
    tell_and_wait("at the line");
    if let Err(error) = Database::open(&url, Duration::ZERO, 1).await {
        panic!("{error}");
    }
}

#[tokio::test]
async fn a_file_that_another_process_has_locked_is_read_all_the_same() {
    let place = Place::new();
    let users = fast(&place).await;
    let mut child = start("locks", &place);
    wait_for("locked", &mut child);
    assert!(
        place.connect().await.execute("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE").await.is_err()
    );
    assert!(users.load(1, far()).await.unwrap().body.is_some());
    assert_eq!(users.database.ready().await, Ok(()));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
#[ignore = "the other process of a_file_that_another_process_has_locked_is_read_all_the_same"]
async fn locks() {
    let Ok(url) = env::var(URL) else { return };
    let database = Database::open(&url, Duration::ZERO, 1).await.unwrap();
    let mut connection = database.readers().acquire().await.unwrap();
    connection.execute("BEGIN EXCLUSIVE; DELETE FROM users").await.unwrap();
    tell_and_wait("locked");
    connection.execute("ROLLBACK").await.unwrap();
}
