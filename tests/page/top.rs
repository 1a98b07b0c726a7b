//! `aside top`.

use std::{fs, process::Stdio};

use support::{
    PATIENCE,
    aside::{Aside, program},
    eventually,
    terminal::in_terminal,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};

#[tokio::test]
async fn without_a_terminal_it_prints_a_line_a_second() {
    let mut aside = Aside::start(&["--slow-query", "0s"]).await;
    let mut top = Command::new(program());
    top.args(["top", "--listen", &aside.address.to_string()]).kill_on_drop(true);
    let mut top = top.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(top.stdout.take().unwrap()).lines();
    let mut next = async || timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert_eq!(next().await, "watching; 0 loads running, 0 waiting");
    aside.get("/users/1").await.user(1);
    loop {
        let line = next().await;
        if line.starts_with("0 requests/s") || line.starts_with("1 requests/s") {
            break;
        }
    }
    aside.terminate().await;
    while next().await != "the service has gone" {}

    let output = Command::new(program()).args(["top", "--listen", "127.0.0.1:1"]).output();
    let output = output.await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("error: the service at 127.0.0.1:1 does not answer"), "{told}");

    let aside = Aside::start(&["--api-token", "t0ken"]).await;
    let (listen, mut top) = (aside.address.to_string(), Command::new(program()));
    let output = top.args(["top", "--listen", &listen, "--api-token", "another"]).output();
    let told = String::from_utf8(output.await.unwrap().stderr).unwrap();
    assert_eq!(told, format!("error: the service at {listen} takes another token\n"));
}

#[tokio::test]
async fn on_a_terminal_it_draws_and_q_ends_it() {
    // Who has no token is told what is missing.
    for (token, drawn) in [(&[][..], "user:77"), (&["--api-token", "t0ken"], "the API token")] {
        let aside = Aside::start(&[&["--slow-query", "0s"], token].concat()).await;
        aside.get("/users/77").await.user(77);
        let listen = aside.address;
        let run = format!("stty rows 50 cols 120; exec '{}' top --listen {listen}", program());
        let mut terminal = in_terminal(&aside.place.file(""), &run).spawn().unwrap();
        let screen = aside.place.file("shown");
        let shown = || String::from_utf8_lossy(&fs::read(&screen).unwrap_or_default()).into_owned();
        eventually("it is drawn", async || shown().contains(drawn).then_some(())).await;
        let mut keyboard = terminal.stdin.take().unwrap();
        keyboard.write_all(b"q").await.unwrap();
        let ended = timeout(PATIENCE, terminal.wait()).await.unwrap().unwrap();
        assert!(ended.success(), "{}", shown());
        // The terminal is as it was: on its own screen, with its cursor.
        assert!(shown().contains("\u{1b}[?1049l"), "{}", shown());
    }
}
