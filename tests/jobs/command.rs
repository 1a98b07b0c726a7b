//! `aside jobs produce` and `aside jobs consume`, as somebody at a shell meets them.

use std::{fs, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::{
    PATIENCE,
    aside::{Aside, Place, command},
    memcached::Memcached,
    terminal::in_terminal,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
    task::JoinSet,
    time::{Duration, timeout},
};

use crate::service::{IDLE, NOWHERE, counted, jobs};

/// `aside jobs consume`, and the lines that it writes.
struct Consume {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Consume {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        // As the service has it; `--delay` is its other name.
        let mut arguments = [&["jobs", "consume", "--job-delay", "0s"], arguments].concat();
        if !arguments.contains(&"--memcached") {
            arguments.extend(["--memcached", NOWHERE]);
        }
        let mut process = command(place, &arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("a line").unwrap().expect("a line before the end")
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().unwrap().cast_signed()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    async fn exit_code(&mut self) -> Option<i32> {
        timeout(PATIENCE, self.process.wait()).await.unwrap().unwrap().code()
    }
}

/// Runs `aside jobs produce` to its end: its status, and what it wrote.
async fn produce(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output =
        command(place, &[&["jobs", "produce"], arguments].concat()).output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// The output of a run that put so many jobs on the queue of `place`.
fn queued(place: &Place, count: u64) -> (Option<i32>, String) {
    (Some(0), format!("queued {count} on {}-jobs\n", place.url()))
}

#[tokio::test]
async fn things_of_any_resource_are_put_on_the_queue_and_of_no_other() {
    let aside = Aside::start(&["--work-jobs", "false"]).await;
    let place = &aside.place;
    let sums = ["--resource", "calculations", "7"];
    assert_eq!(produce(place, &sums).await, queued(place, 1));
    let (status, said) = produce(place, &["--resource", "calculation", "7"]).await;
    assert_eq!(status, Some(2));
    assert!(said.contains("'calculation'") && said.contains("users or calculations"), "{said}");
    counted(&aside, "waiting", 1).await;
}

#[tokio::test]
async fn what_one_process_puts_on_the_queue_another_works_in_order() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let aside = Aside::start(&["--work-jobs", "false", "--memcached", &address]).await;
    let place = &aside.place;
    assert_eq!(produce(place, &["3", "1", "2"]).await, queued(place, 3));
    let both = ["99999", "--range", "4..=5"];
    assert_eq!(produce(place, &both).await, queued(place, 3));
    let mut consume = Consume::start(place, &["--memcached", &address]);
    assert!(consume.line().await.starts_with("working sqlite://"));
    for id in ["3", "1", "2"] {
        let line = consume.line().await;
        assert!(line.starts_with(&format!("users/{id} warmed in ")), "{line}");
    }
    let line = consume.line().await;
    assert!(line.starts_with("users/99999 does not exist, known in "), "{line}");
    for id in ["4", "5"] {
        let line = consume.line().await;
        assert!(line.starts_with(&format!("users/{id} warmed in ")), "{line}");
    }
    counted(&aside, "done", 6).await;
    for id in 1..=5 {
        assert_eq!(aside.get(&format!("/users/{id}")).await.user(id).x_cache(), "HIT");
    }
    consume.signal(Signal::INT);
    assert_eq!(consume.line().await, "stopping");
    assert_eq!(consume.line().await, "worked 6 jobs, 0 given up");
    assert_eq!(consume.exit_code().await, Some(0));
}

#[tokio::test]
async fn what_is_no_user_is_refused_and_nothing_is_queued() {
    let aside = Aside::start(IDLE).await;
    for arguments in [
        &[][..],
        &["0"],
        &["-1"],
        &["1", "x"],
        &["9223372036854775808"],
        &["--range", "1..3"],
        &["--range", "3..=1"],
        &["--range", "1..=1000001"],
        &["--range"],
    ] {
        let (code, said) = produce(&aside.place, arguments).await;
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{said}");
    }
    assert_eq!(jobs(&aside).await["waiting"], 0);
}

#[tokio::test]
async fn a_queue_that_cant_be_written_is_exit_status_1() {
    let place = Place::empty();
    let nowhere = format!("sqlite://{}", place.file("missing/queue.db").display());
    let (code, said) = produce(&place, &["1", "--queue", &nowhere]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("error: the queue is unavailable"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[tokio::test]
async fn a_range_is_queued_whole() {
    let aside = Aside::start(IDLE).await;
    let place = &aside.place;
    assert_eq!(produce(place, &["--range", "1..=25000"]).await, queued(place, 25_000));
    assert_eq!(jobs(&aside).await["waiting"], 25_000);
}

#[tokio::test]
async fn four_processes_may_create_the_queue_at_once() {
    let place = Place::seeded().await;
    let mut producers = JoinSet::new();
    for _ in 0..4 {
        let place = place.clone();
        producers.spawn(async move { produce(&place, &["--range", "1..=10"]).await });
    }
    for produced in producers.join_all().await {
        assert_eq!(produced, queued(&place, 10));
    }
    let aside = Aside::start_at(&place, IDLE).await;
    assert_eq!(jobs(&aside).await["waiting"], 40);
}

#[tokio::test]
async fn a_consumer_that_is_killed_in_the_middle_of_a_job_loses_nothing() {
    let aside = Aside::start(IDLE).await;
    produce(&aside.place, &["1", "2", "3"]).await;
    let lease = ["--job-lease", "3s"];
    let slow = [&lease[..], &["--slow-query", "1h", "--query-timeout", "1h"]].concat();
    let mut killed = Consume::start(&aside.place, &slow);
    counted(&aside, "running", 1).await;
    killed.signal(Signal::KILL);
    assert_eq!(killed.exit_code().await, None);
    let mut consume = Consume::start(&aside.place, &lease);
    let jobs = counted(&aside, "done", 3).await;
    assert_eq!((jobs["dead"].as_u64(), jobs["running"].as_u64()), (Some(0), Some(0)));
    consume.signal(Signal::TERM);
    assert_eq!(consume.exit_code().await, Some(0));
}

#[tokio::test]
async fn on_sigterm_the_job_under_way_is_finished_and_a_second_one_does_not_wait() {
    let aside = Aside::start(IDLE).await;
    produce(&aside.place, &["1", "2"]).await;
    let slow = ["--slow-query", "3s", "--query-timeout", "60s"];
    let mut consume = Consume::start(&aside.place, &slow);
    counted(&aside, "running", 1).await;
    consume.signal(Signal::TERM);
    assert_eq!(consume.exit_code().await, Some(0));
    let left = jobs(&aside).await;
    assert_eq!((left["done"].as_u64(), left["waiting"].as_u64()), (Some(1), Some(1)));

    let slow = ["--slow-query", "1h", "--query-timeout", "1h"];
    let mut consume = Consume::start(&aside.place, &slow);
    counted(&aside, "running", 1).await;
    consume.signal(Signal::TERM);
    while consume.line().await != "stopping" {}
    consume.signal(Signal::TERM);
    assert_eq!(consume.exit_code().await, Some(1));
}

#[tokio::test]
async fn a_failed_attempt_and_a_job_that_is_given_up_are_told() {
    let aside = Aside::start(IDLE).await;
    produce(&aside.place, &["7"]).await;
    let fails = ["--query-timeout", "1ms", "--slow-query", "1s", "--job-retry", "0s"];
    let mut consume = Consume::start(&aside.place, &fails);
    consume.line().await;
    let why = "the source did not answer within its deadline";
    for number in 1..=4 {
        let expected = format!("users/7 failed, attempt {number} of 5: {why}");
        assert_eq!(consume.line().await, expected);
    }
    assert_eq!(consume.line().await, format!("users/7 given up: {why}"));
}

#[tokio::test]
async fn a_consumer_that_waits_does_not_spin() {
    let aside = Aside::start(IDLE).await;
    produce(&aside.place, &["1"]).await;
    let mut consume = Consume::start(&aside.place, &[]);
    counted(&aside, "done", 1).await;
    let stat = format!("/proc/{}/stat", consume.process.id().unwrap());
    // User and system time, in hundredths of a second: the 14th and 15th field.
    let cpu = || {
        let stat = fs::read_to_string(&stat).unwrap();
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum::<u64>()
    };
    let before = cpu();
    // It must not end by itself meanwhile.
    timeout(Duration::from_secs(3), consume.process.wait()).await.unwrap_err();
    let spent = cpu() - before;
    assert!(spent < 60, "{spent} hundredths of a second in three");
    produce(&aside.place, &["2"]).await;
    counted(&aside, "done", 2).await;
}

#[tokio::test]
async fn on_a_terminal_there_is_a_bar() {
    let aside = Aside::start(IDLE).await;
    produce(&aside.place, &["1", "2", "3"]).await;
    let plain = command(&aside.place, &[]);
    // `exec`, and one shell for all: whether a shell outlives Ctrl-C differs from one to another.
    let aside_itself = env!("CARGO_BIN_EXE_aside");
    let run =
        format!("stty cols 100; exec {aside_itself} jobs consume --delay 0s --memcached {NOWHERE}");
    let mut terminal = in_terminal(&aside.place.file(""), &run)
        .envs(plain.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))))
        .spawn()
        .unwrap();
    counted(&aside, "done", 3).await;
    // Ctrl-C, as the terminal sends it.
    let mut keyboard = terminal.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut keyboard, b"\x03").await.unwrap();
    let ended = timeout(PATIENCE, terminal.wait()).await.unwrap().unwrap();
    let shown = String::from_utf8_lossy(&fs::read(aside.place.file("shown")).unwrap()).into_owned();
    assert!(ended.success(), "{shown}");
    assert!(shown.contains('█') && shown.contains("3/3"), "{shown}");
    assert!(shown.contains("worked 3 jobs, 0 given up"), "{shown}");
    let is_a_line =
        |rest: &str| rest.split_once(" ms").is_some_and(|(_, next)| next.starts_with("\r\n"));
    assert!(!shown.split("users/1 warmed").skip(1).any(is_a_line), "a bar, no lines: {shown}");
}
