//! Requests that a service refuses that lacks nothing.

use reqwest::Method;
use serde_json::json;
use support::{answer::Answer, aside::Aside, memcached::Memcached};

use crate::{document::Document, routes::example};

/// The operations that take a body.
pub(crate) const TAKE_BODIES: [(&str, Method, &str); 5] = [
    ("create_user", Method::POST, "/users"),
    ("replace_user", Method::PUT, "/users/1"),
    ("change_user", Method::PATCH, "/users/1"),
    ("create_session", Method::POST, "/sessions"),
    ("warm_up", Method::POST, "/jobs/warm-ups"),
];

/// A condition that no version meets, and one that can't be read.
const CONDITIONS: [(&str, u16); 2] = [("\"x\"", 412), ("x", 400)];

pub(crate) async fn reads(document: &Document, aside: &Aside) {
    let check = |id: &str, answer: Answer, status| {
        document.check(id, &answer).problem(status);
    };
    check("show_user", aside.get("/users/007").await, 400);
    check("show_user", aside.get("/users/9223372036854775807").await, 404);
    check("show_user", aside.get_with("/users/5", "only-if-cached").await, 504);
    for (tag, status) in CONDITIONS {
        let read = aside.send(Method::GET, "/users/1", &[("if-match", tag)]).await;
        check("show_user", read, status);
    }
    for (resource, path) in [("user", "/cache/users/x"), ("calculation", "/cache/calculations/x")] {
        check(&format!("explain_{resource}"), aside.get(path).await, 400);
        let forgotten = aside.send(Method::DELETE, path, &[]).await;
        check(&format!("forget_{resource}"), forgotten, 400);
    }
}

/// Takes as long as a calculation.
pub(crate) async fn calculations(document: &Document, aside: &Aside) {
    document.check("show_calculation", &aside.get("/calculations/0").await).problem(400);
    let absent = aside.get_with("/calculations/1", "only-if-cached").await;
    document.check("show_calculation", &absent).problem(504);
    for (tag, status) in CONDITIONS {
        let read = aside.send(Method::GET, "/calculations/1", &[("if-match", tag)]).await;
        document.check("show_calculation", &read).problem(status);
    }
}

pub(crate) async fn writes(document: &Document, aside: &Aside) {
    let taken = aside.get("/users/1").await.json()["email"].clone();
    let ada = json!({ "name": "Ada", "email": taken });
    let write = async |id, method: &Method, path: &str, headers: &[(&str, &str)], status| {
        let url = format!("http://{}{path}", aside.address);
        let mut request = aside.client.request(method.clone(), url);
        if *method != Method::DELETE {
            request = request.json(&ada);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        document.check(id, &Answer::to(request).await.unwrap()).problem(status);
    };
    write("create_user", &Method::POST, "/users", &[], 409).await;
    let of_one = [
        ("replace_user", Method::PUT),
        ("change_user", Method::PATCH),
        ("delete_user", Method::DELETE),
    ];
    for (id, method) in of_one {
        for (tag, status) in CONDITIONS {
            write(id, &method, "/users/2", &[("if-match", tag)], status).await;
        }
        write(id, &method, "/users/0", &[], 400).await;
        write(id, &method, "/users/99999", &[], 404).await;
        if method != Method::DELETE {
            write(id, &method, "/users/2", &[], 409).await;
        }
    }
}

pub(crate) async fn bodies(document: &Document, aside: &Aside) {
    for (id, method, path) in TAKE_BODIES {
        let check = |answer: Answer, status| {
            document.check(id, &answer).problem(status);
        };
        let json = [("content-type", "application/json")];
        check(aside.send(method.clone(), path, &json).await, 400);
        check(aside.send(method.clone(), path, &[]).await, 415);
        check(aside.send_json(method.clone(), path, &json!({ "x": 1 })).await, 422);
        check(aside.send_json(method, path, &json!("x".repeat(70_000))).await, 413);
    }
}

pub(crate) async fn fields(document: &Document, aside: &Aside) {
    let (name, email) = ("Ada", "ada@example.com");
    for (operations, body) in [
        (0..3, json!({ "name": "", "email": email })),
        (0..3, json!({ "name": name, "email": "ada" })),
        (3..4, json!({ "user_id": 0, "username": name })),
        (3..4, json!({ "user_id": 1, "username": "" })),
        (4..5, json!({ "ids": [] })),
        (4..5, json!({ "ids": [0] })),
        (4..5, json!({ "resource": "user", "ids": [1] })),
    ] {
        for (id, method, path) in &TAKE_BODIES[operations] {
            let answer = aside.send_json(method.clone(), path, &body).await;
            document.check(id, &answer).problem(422);
        }
    }
}

pub(crate) async fn sessions(document: &Document) {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    let absent = json!({ "user_id": 99_999, "username": "Ada" });
    let begun = aside.send_json(Method::POST, "/sessions", &absent).await;
    document.check("create_session", &begun).problem(404);
    let id = "A".repeat(43);
    let twice = format!("aside_session={id}; aside_session={id}");
    for method in [Method::GET, Method::DELETE] {
        let verb = if method == Method::GET { "show" } else { "delete" };
        let (by_id, current) = (format!("{verb}_session"), format!("{verb}_current_session"));
        let by_path = aside.send(method.clone(), &format!("/sessions/{id}"), &[]).await;
        document.check(&by_id, &by_path).problem(404);
        let current_path = "/sessions/current";
        let without = aside.send(method.clone(), current_path, &[]).await;
        document.check(&current, &without).problem(404);
        let repeated = aside.send(method, current_path, &[("cookie", &twice)]).await;
        document.check(&current, &repeated).problem(400);
    }
}

/// Callers that have no token, come for another host, or come from elsewhere.
pub(crate) async fn strangers(document: &Document, open: &Aside) {
    let guarded = Aside::start(&["--api-token", "secret"]).await;
    let closed = Aside::start(&["--listen", "0.0.0.0:0"]).await;
    for (path, method, operation) in document.operations() {
        let id = operation["operationId"].as_str().unwrap();
        let method: Method = method.to_uppercase().parse().unwrap();
        let path = example(path);
        let foreign = open.send(method.clone(), &path, &[("host", "evil.example")]).await;
        document.check(id, &foreign).problem(403);
        if operation["security"] == json!([]) {
            continue;
        }
        document.check(id, &closed.send(method.clone(), &path, &[]).await).problem(403);
        if operation["security"] == json!([{ "token": [] }]) {
            document.check(id, &guarded.send(method, &path, &[]).await).problem(401);
        }
    }
}
