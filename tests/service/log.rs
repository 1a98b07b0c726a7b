//! The log: a line is one event, whatever came from outside.

use reqwest::Method;
use serde_json::json;
use support::{
    answer::Answer,
    aside::{Aside, Place, command},
    eventually,
    memcached::Memcached,
    proxy::{Proxy, Step},
    terminal::{shown_by, terminal},
};

/// Letters that a terminal would obey, or that would begin a line; each way in puts its own name before it.
const FORGED: &str = "\r2026-11-21T00:00:00Z  INFO forged\u{1b}[31m\u{202e}\u{2028}";

/// Asserts that each line is an event's, and that nothing in it is obeyed.
fn assert_sound(log: &str) {
    for line in log.lines() {
        assert!(line.starts_with("20") && !line.contains("Z  INFO forged\u{1b}"), "{line:?}");
        let obeyed = ['\r', '\u{1b}', '\u{202e}', '\u{2028}'];
        assert!(!line.contains(obeyed), "{line:?}");
    }
}

/// The way to a memcached that answers every look for a user with a forged error.
fn forging(server: &Memcached) -> Proxy {
    let proxy = Proxy::start(&server.address());
    proxy.meddle(|_, bytes| {
        let forged = format!("SERVER_ERROR by-memcached{FORGED}\r\n");
        bytes.starts_with(b"mg user:").then(|| vec![Step::Answer(forged.into())])
    });
    proxy
}

#[tokio::test]
async fn what_comes_from_outside_begins_no_line_and_colours_nothing() {
    let place = Place::seeded().await;
    let server = Memcached::start().await;
    let way = forging(&server);
    let memcached = way.address().to_string();
    let queue = format!("sqlite://{}", place.file("by-setting\r\n\u{1b}[31m\u{202e}").display());
    let arguments = ["--memcached", &memcached, "--queue", &queue, "--work-jobs", "false"];
    let aside = Aside::start_at(&place, &arguments).await;
    let post = async |path: &str, body: serde_json::Value| {
        let request = aside.client.post(format!("http://{}{path}", aside.address));
        Answer::to(request.json(&body)).await.unwrap().status
    };
    // SQLite's messages repeat what is in the file.
    let forged = FORGED.replace('\'', "''");
    let trigger = |table: &str, what: &str| {
        format!(
            "CREATE TRIGGER forge BEFORE INSERT ON {table} BEGIN
             SELECT RAISE(ABORT, '{what}{forged}\n'); END"
        )
    };
    place.execute(trigger("users", "by-database").leak()).await;
    // The queue is made when it is first used.
    assert_eq!(post("/jobs/warm-ups", json!({ "ids": [1] })).await, 202);
    let mut queue = <sqlx::SqliteConnection as sqlx::Connection>::connect(&queue).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(trigger("aside_jobs", "by-queue")))
        .execute(&mut queue)
        .await
        .unwrap();

    let ada = json!({ "name": "Ada", "email": "ada@example.com" });
    assert_eq!(post("/users", ada).await, 500);
    assert_eq!(post("/jobs/warm-ups", json!({ "ids": [1] })).await, 503);
    post(&format!("/by-request%0d{}", "%1b"), json!({ "by-request": FORGED })).await;
    aside.send(Method::GET, "/users/1", &[("user-agent", "by-request\u{202e}")]).await;
    let seen = ["by-database", "by-queue", "by-memcached", "by-setting"];
    eventually("all are in the log", async || {
        aside.get("/users/1").await;
        let log = aside.log();
        seen.iter().all(|word| log.contains(word)).then_some(())
    })
    .await;
    assert_sound(&aside.log());
}

#[tokio::test]
async fn a_setting_is_repeated_in_one_line_that_no_terminal_obeys() {
    let place = Place::empty();
    let text = "x\u{1b}[31m\u{202e}\u{2028}";
    for arguments in [
        &["--ttl", text][..],
        &["--host", text],
        &["--memcached", text],
        &["--database", text],
        &["cache", "get", text],
        &["jobs", "produce", "1", "--queue", &format!("sqlite://{text}/x")],
    ] {
        let output = command(&place, arguments).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.starts_with("error: "), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!said.contains(['\u{1b}', '\u{202e}', '\u{2028}']), "{said:?}");
    }
}

/// The text that a terminal is shown of a service that starts with a warning and is refused then.
async fn shown(variables: &[(&str, &str)]) -> String {
    let (keeper, screen) = terminal();
    let place = Place::empty();
    let slow = ["--slow-query", "6s", "--database", "sqlite://missing/aside.db"];
    let mut command = command(&place, &slow);
    command.envs(variables.iter().copied()).stderr(screen);
    let mut child = command.spawn().unwrap();
    // Its end of the terminal must not stay open here.
    drop(command);
    let shown = shown_by(keeper).await;
    assert_eq!(child.wait().await.unwrap().code(), Some(2), "{shown:?}");
    shown
}

#[tokio::test]
async fn a_terminal_has_colours_unless_no_color_is_set() {
    for (variables, has_colours) in
        [(&[][..], true), (&[("NO_COLOR", "")], true), (&[("NO_COLOR", "1")], false)]
    {
        let shown = shown(variables).await;
        assert!(shown.contains("WARN"), "{shown:?}");
        assert_eq!(shown.contains('\u{1b}'), has_colours, "{variables:?}: {shown:?}");
    }
}

#[tokio::test]
async fn a_query_that_is_slower_than_its_deadline_is_warned_of_once() {
    for (slow, warned) in [("6s", 1), ("5s", 1), ("4s", 0)] {
        let aside = Aside::start(&["--slow-query", slow]).await;
        let log = aside.log();
        assert_eq!(log.matches("slower than a load may take").count(), warned, "{slow}: {log}");
    }
}
