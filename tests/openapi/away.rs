//! Requests to a service that lacks something.

use std::{fs, time::Duration};

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use support::{
    aside::{Aside, Place},
    eventually,
    memcached::Memcached,
};
use tokio::time::timeout;

use crate::document::Document;

fn login() -> Value {
    json!({ "user_id": 1, "username": "Ada" })
}

/// Asserts that each operation on sessions is refused.
async fn sessions(document: &Document, aside: &Aside) {
    let begun = aside.send_json(Method::POST, "/sessions", &login()).await;
    document.check("create_session", &begun).problem(503);
    let id = "A".repeat(43);
    let (path, cookie) = (format!("/sessions/{id}"), format!("aside_session={id}"));
    for (verb, method) in [("show", Method::GET), ("delete", Method::DELETE)] {
        let by_id = aside.send(method.clone(), &path, &[]).await;
        document.check(&format!("{verb}_session"), &by_id).problem(503);
        let own = aside.send(method, "/sessions/current", &[("cookie", &cookie)]).await;
        document.check(&format!("{verb}_current_session"), &own).problem(503);
    }
}

pub(crate) async fn sessions_without_memcached(document: &Document, aside: &Aside) {
    sessions(document, aside).await;
    document.check("show_session", &aside.get("/sessions/x").await).problem(404);
}

pub(crate) async fn memcached(document: &Document) {
    let mut memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    memcached.kill();
    document.check("explain_user", &aside.get("/cache/users/5").await).problem(503);
    let calculation = aside.get("/cache/calculations/5").await;
    document.check("explain_calculation", &calculation).problem(503);
    let forgotten = aside.send(Method::DELETE, "/cache", &[]).await;
    document.check("forget_all", &forgotten).problem(503);
    document.check("show_user", &aside.get("/users/5").await).user(5);
    document.check("show_statistics", &aside.get("/stats").await);
    document.check("explain_user", &aside.get("/cache/users/5").await);
    sessions(document, &aside).await;
    // What can be neither forgotten nor noted.
    aside.place.execute("DROP TABLE changes").await;
    let forgotten = aside.send(Method::DELETE, "/cache/users/5", &[]).await;
    document.check("forget_user", &forgotten).problem(503);
    let forgotten = aside.send(Method::DELETE, "/cache/calculations/5", &[]).await;
    document.check("forget_calculation", &forgotten).problem(503);
}

/// Waits until the service is not ready.
async fn not_ready(document: &Document, aside: &Aside) {
    eventually("it is not ready", async || {
        let answer = aside.get("/readyz").await;
        document.check("show_readiness", &answer);
        (answer.status == 503).then_some(())
    })
    .await;
}

pub(crate) async fn database(document: &Document) {
    let aside = Aside::start(&[]).await;
    fs::remove_file(aside.place.database()).unwrap();
    for (id, method, path) in [
        ("create_user", Method::POST, "/users"),
        ("replace_user", Method::PUT, "/users/1"),
        ("change_user", Method::PATCH, "/users/1"),
        ("delete_user", Method::DELETE, "/users/1"),
    ] {
        // What was not acknowledged may be there all the same.
        let ada = json!({ "name": "Ada", "email": format!("{id}@example.com") });
        document.check(id, &aside.send_json(method, path, &ada).await).problem(503);
    }
    not_ready(document, &aside).await;

    let aside = Aside::start(&[]).await;
    let copy = aside.place.file("copy.db");
    fs::copy(aside.place.database(), &copy).unwrap();
    fs::rename(copy, aside.place.database()).unwrap();
    not_ready(document, &aside).await;
}

pub(crate) async fn tables(document: &Document) {
    let aside = Aside::start(&[]).await;
    aside.place.execute("DROP TABLE users; DROP TABLE changes").await;
    document.check("show_user", &aside.get("/users/1").await).problem(500);
    document.check("show_jobs", &aside.get("/jobs").await).problem(503);
    not_ready(document, &aside).await;
}

pub(crate) async fn time_and_room(document: &Document) {
    let hasty = Aside::start(&["--slow-query", "1m", "--query-timeout", "10ms"]).await;
    document.check("show_user", &hasty.get("/users/1").await).problem(504);
    let begun = hasty.send_json(Method::POST, "/sessions", &login()).await;
    document.check("create_session", &begun).problem(504);

    let narrow = ["--max-queries", "1", "--max-waiting", "1", "--slow-query", "1m"];
    let aside = Aside::start(&[&narrow[..], &["--query-timeout", "2m"]].concat()).await;
    let mut id = 1;
    let refused = eventually("it is full", async || {
        id += 1;
        // A load goes on when its caller has left.
        timeout(Duration::from_millis(100), aside.get(&format!("/users/{id}"))).await.ok()
    });
    document.check("show_user", &refused.await).problem(503);
    let begun = aside.send_json(Method::POST, "/sessions", &login()).await;
    document.check("create_session", &begun).problem(503);
}

pub(crate) async fn queue(document: &Document) {
    let place = Place::seeded().await;
    fs::create_dir(place.file("aside.db-jobs")).unwrap();
    let aside = Aside::start_at(&place, &[]).await;
    let pushed = aside.send_json(Method::POST, "/jobs/warm-ups", &json!({ "ids": [1] })).await;
    document.check("warm_up", &pushed).problem(503);
    document.check("show_jobs", &aside.get("/jobs").await).problem(503);
}

/// A service that is about to end.
pub(crate) async fn service(document: &Document) {
    let aside = Aside::start(&["--shutdown-delay", "1h"]).await;
    aside.signal(Signal::TERM);
    not_ready(document, &aside).await;
}
