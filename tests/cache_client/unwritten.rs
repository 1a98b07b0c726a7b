//! Output that can't be written.

use std::{fs::File, io, process::Stdio};

use support::{
    aside::{Place, command},
    memcached::Memcached,
};

use crate::program::{addresses, cache};

/// The program's exit status, and its complaint if that could be read.
async fn run(
    memcached: &str,
    arguments: &[&str],
    stdout: impl Into<Stdio>,
    stderr: impl Into<Stdio>,
) -> (Option<i32>, String) {
    let place = Place::empty();
    let mut command = command(&place, arguments);
    command.env("ASIDE_MEMCACHED", memcached).stdout(stdout).stderr(stderr);
    let output = command.spawn().unwrap().wait_with_output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn full() -> File {
    File::create("/dev/full").unwrap()
}

/// The end of a pipe that nobody reads any more.
fn unread() -> io::PipeWriter {
    io::pipe().unwrap().1
}

#[tokio::test]
async fn what_was_asked_for_and_cant_be_written_is_exit_status_1_unless_nobody_reads_it() {
    let memcached = Memcached::start().await;
    let address = addresses(&[&memcached]);
    cache(&[&memcached], &["set", "a", "x"]).await.succeeded();
    for arguments in [
        &["cache", "get", "a"][..],
        &["cache", "explain", "a"],
        &["cache", "stats"],
        &["cache", "delete", "a"],
        &["demo", "ttl", "--ttl", "2s"],
        &["--help"],
        &["cache", "get", "--help"],
        &["--version"],
        &["completions", "bash"],
        &["man"],
    ] {
        let (code, said) = run(&address, arguments, full(), Stdio::piped()).await;
        assert_eq!((code, said.lines().count()), (Some(1), 1), "{arguments:?}: {said}");
        assert!(said.starts_with("error: standard output can't be written: "), "{said}");
    }
    cache(&[&memcached], &["set", "a", "x"]).await.succeeded();
    for arguments in [&["cache", "get", "a"][..], &["--help"], &["man"]] {
        let got = run(&address, arguments, unread(), Stdio::piped()).await;
        assert_eq!(got, (Some(0), String::new()));
    }
}

#[tokio::test]
async fn a_complaint_that_cant_be_written_leaves_the_exit_status_as_it_is() {
    for (arguments, code) in [
        (&["cache", "get", "a"][..], 1),
        (&["cache", "get", "a b"], 2),
        (&["cache"], 2),
        (&["jobs", "produce"], 2),
        (&["jobs", "produce", "1", "--queue", "sqlite://missing/queue.db"], 1),
        (&["healthcheck", "--listen", "127.0.0.1:1"], 1),
        (&["demo", "ttl"], 1),
    ] {
        for stderr in [Stdio::from(full()), unread().into()] {
            let (ended, _) = run("127.0.0.1:1", arguments, Stdio::null(), stderr).await;
            assert_eq!(ended, Some(code), "{arguments:?}");
        }
    }
}
