//! How the service ends, and what it writes while it lives.

use rustix::process::Signal;
use support::{
    answer::Answer,
    aside::{Aside, command},
    memcached::Memcached,
    raw::RawClient,
};
use tokio::net::TcpStream;

/// A load takes so long that a busy machine can do meanwhile what has to be done.
const SLOW: &[&str] = &["--slow-query", "3s", "--query-timeout", "60s"];

#[tokio::test]
async fn on_sigterm_requests_under_way_finish_and_the_exit_status_is_0() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let mut aside = Aside::start(&[&["--memcached", &address], SLOW].concat()).await;
    let get = aside.client.get(format!("http://{}/users/7", aside.address));
    let under_way = tokio::spawn(Answer::to(get));
    memcached.is_loading("user:7").await;
    let status = aside.terminate().await;
    under_way.await.unwrap().unwrap().user(7);
    assert_eq!(status.code(), Some(0));
    assert!(TcpStream::connect(aside.address).await.is_err(), "it still listens");
}

#[tokio::test]
async fn a_second_sigterm_ends_it_at_once() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let slow = ["--memcached", &address, "--slow-query", "60s", "--query-timeout", "60s"];
    let mut aside = Aside::start(&slow).await;
    let get = aside.client.get(format!("http://{}/users/7", aside.address));
    let under_way = tokio::spawn(Answer::to(get));
    memcached.is_loading("user:7").await;
    aside.signal(Signal::TERM);
    support::eventually("it drains", async || aside.log().contains("shutting down").then_some(()))
        .await;
    let status = aside.terminate().await;
    assert!(!status.success());
    assert!(under_way.await.unwrap().is_err());
}

#[tokio::test]
async fn while_it_drains_it_is_not_ready() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let mut aside = Aside::start(&[&["--memcached", &address], SLOW].concat()).await;
    // Both requests are sent at once: the second is read when the first is answered, after the signal.
    let mut client = RawClient::connect(aside.address).await;
    let requests = "GET /users/7 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    client.send(requests).await;
    memcached.is_loading("user:7").await;
    let status = aside.terminate().await;
    let answers = client.read_to_end().await;
    assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
    // The connection may be closed after the answer that was under way; ready it must not be.
    assert!(!answers.contains("\"ready\":true"), "{answers}");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn for_the_shutdown_delay_it_serves_on_but_is_not_ready() {
    let mut aside = Aside::start(&["--shutdown-delay", "1h", "--slow-query", "0s"]).await;
    aside.signal(Signal::TERM);
    let draining = async || {
        let answer = aside.get("/readyz").await;
        (answer.status == 503).then(|| answer.problem(503))
    };
    let said = support::eventually("it is not ready", draining).await;
    assert_eq!(said, "The service is shutting down.");
    // On a connection that it accepts now.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let late = client.get(format!("http://{}/users/7", aside.address));
    Answer::to(late).await.unwrap().user(7);
    assert_eq!(aside.terminate().await.code(), Some(1), "a second signal ends it at once");

    let mut aside = Aside::start(&["--shutdown-delay", "100ms"]).await;
    assert_eq!(aside.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn the_log_is_plain_lines_or_json_and_no_colours() {
    for format in ["text", "json"] {
        let mut aside = Aside::start(&["--log-format", format]).await;
        aside.terminate().await;
        let log = aside.log();
        assert!(log.lines().count() >= 2 && !log.contains('\u{1b}'), "{log}");
        if format == "json" {
            for line in log.lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
            }
        }
    }
}

#[tokio::test]
async fn the_healthcheck_asks_the_service() {
    let mut aside = Aside::start(&[]).await;
    let address = aside.address.to_string();
    let check = async || {
        let mut command = command(&aside.place, &["healthcheck"]);
        command.env("ASIDE_LISTEN", &address).output().await.unwrap().status.code()
    };
    assert_eq!(check().await, Some(0));
    aside.terminate().await;
    let mut command = command(&aside.place, &["healthcheck"]);
    let gone = command.env("ASIDE_LISTEN", &address).output().await.unwrap();
    assert_eq!(gone.status.code(), Some(1));
    assert_eq!(String::from_utf8(gone.stderr).unwrap().lines().count(), 1);
}
