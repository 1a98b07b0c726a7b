//! `aside jobs produce` where what it says can't be written: the jobs are stored all the same.

use std::{fs::File, io, process::Stdio};

use support::aside::{Aside, command};

use crate::service::{IDLE, jobs};

fn full() -> File {
    File::create("/dev/full").unwrap()
}

/// The end of a pipe that nobody reads any more.
fn unread() -> io::PipeWriter {
    io::pipe().unwrap().1
}

#[tokio::test]
async fn a_script_is_not_led_to_queue_jobs_twice() {
    let aside = Aside::start(IDLE).await;
    let produce = async |stdout: Stdio, stderr: Stdio| {
        let mut produce = command(&aside.place, &["jobs", "produce", "1"]);
        let output = produce.stdout(stdout).stderr(stderr).spawn().unwrap().wait_with_output();
        let output = output.await.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(produce(unread().into(), Stdio::piped()).await, (Some(0), String::new()));
    assert_eq!(produce(unread().into(), unread().into()).await.0, Some(0));
    assert_eq!(produce(full().into(), full().into()).await.0, Some(0));
    let (code, said) = produce(full().into(), Stdio::piped()).await;
    assert_eq!((code, said.lines().count()), (Some(0), 1), "{said}");
    assert!(said.starts_with("error: standard output can't be written: "), "{said}");
    assert!(said.contains("; queued 1 on sqlite://"), "{said}");
    assert_eq!(jobs(&aside).await["waiting"], 4);
}
