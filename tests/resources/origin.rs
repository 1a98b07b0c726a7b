//! A service over HTTP as a source: every status, and every way of not answering.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::Method;
use support::{
    aside::{Aside, Place, command},
    eventually,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

use crate::service::{Asked, Service, answer};

/// The service in front of `service`.
async fn in_front_of(service: &Service, more: &str, arguments: &[&str]) -> Aside {
    let place = Place::in_file().await;
    let address = service.address;
    let file = format!(
        "[resource.weather]\npath = \"/weather/{{city}}\"\norigin = \"http://{address}/v1/{{city}}?of={{city}}\"\n{more}\n"
    );
    fs::write(place.file("aside.toml"), file).unwrap();
    Aside::start_at(&place, arguments).await
}

#[tokio::test]
async fn two_hundred_is_the_value_and_no_header_of_the_client_goes_along() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let service = Service::start(move |asked: Asked, mut socket: TcpStream| {
        seen.lock().unwrap().push(asked);
        async move {
            let fields = "content-type: application/json; charset=utf-8\r\nset-cookie: a=b\r\nx-secret: 1\r\n";
            socket.write_all(answer("200 OK", fields, " [1,\n2] ").as_bytes()).await.unwrap();
            None
        }
    })
    .await;
    let place = Place::in_file().await;
    let file = format!(
        "[resource.weather]\npath = \"/weather/{{city}}\"\norigin = \"http://{}/v1/{{city}}?of={{city}}\"\nheaders = {{ Authorization = {{ from = \"SHOP_TOKEN\" }}, X-Fixed = \"y\" }}\n",
        service.address
    );
    fs::write(place.file("aside.toml"), file).unwrap();
    let mut command = command(&place, &[]);
    command.env("SHOP_TOKEN", "Bearer s3cret").env("RUST_LOG", "trace");
    let aside = Aside::run(&place, command).await;
    let path = "/weather/K%C3%B6ln%2FDeutz%20+";
    let headers = [("cookie", "c=1"), ("authorization", "Bearer client"), ("x-mine", "1")];
    let found = aside.send(Method::GET, path, &headers).await;
    assert_eq!(
        (found.status, &*found.body, found.x_cache()),
        (200, b" [1,\n2] ".as_slice(), "MISS")
    );
    assert_eq!(found.header("content-type"), "application/json");
    assert_eq!((found.header("set-cookie"), found.header("x-secret")), ("", ""));
    assert_eq!(aside.get(path).await.x_cache(), "HIT");
    let asked = asked.lock().unwrap().clone();
    let [Asked { target, fields }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(target, "/v1/K%C3%B6ln%2FDeutz%20%2B?of=K%C3%B6ln%2FDeutz%20%2B");
    let mut names: Vec<_> =
        fields.iter().map(|it| it.split(':').next().unwrap().to_lowercase()).collect();
    names.sort();
    assert_eq!(names, ["accept", "authorization", "host", "user-agent", "x-fixed"]);
    assert!(fields.iter().any(|it| it.ends_with("Bearer s3cret")), "{fields:?}");
    // The secret is nowhere else.
    for text in [
        aside.log(),
        String::from_utf8_lossy(&aside.get("/stats").await.body).into_owned(),
        aside.metrics().await,
    ] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    // A step up is no city.
    assert_eq!(
        aside
            .exchange("GET /weather/.. HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .split(' ')
            .nth(1),
        Some("404")
    );
}

#[tokio::test]
async fn each_status_means_one_thing() {
    let json = "content-type: application/json\r\n";
    for (said, status, again) in [
        (answer("200 OK", json, "{}"), 200, "HIT"),
        (answer("200 OK", "", "{}"), 200, "HIT"),
        (answer("200 OK", "content-type: application/problem+json\r\n", "{}"), 200, "HIT"),
        (answer("200 OK", json, ""), 200, "MISS"),
        (answer("200 OK", "content-type: text/html\r\n", "<p>log in"), 502, "MISS"),
        (answer("404 Not Found", "", "gone"), 404, "HIT"),
        (answer("410 Gone", "", ""), 404, "HIT"),
        (answer("201 Created", json, "{}"), 502, "MISS"),
        (answer("204 No Content", "", ""), 502, "MISS"),
        (answer("206 Partial Content", json, "{}"), 502, "MISS"),
        (answer("302 Found", "location: /v1/other\r\n", ""), 502, "MISS"),
        (answer("304 Not Modified", "", ""), 502, "MISS"),
        (answer("401 Unauthorized", "", ""), 502, "MISS"),
        (answer("418 I'm a teapot", "", ""), 502, "MISS"),
        (answer("500 Internal Server Error", "", ""), 502, "MISS"),
        (answer("503 Service Unavailable", "", ""), 502, "MISS"),
        ("nonsense\r\n\r\n".to_owned(), 502, "MISS"),
        (String::new(), 502, "MISS"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}".to_owned(), 502, "MISS"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{}".to_owned(), 502, "MISS"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}".to_owned(),
            502,
            "MISS",
        ),
    ] {
        let service = Service::saying(said.clone()).await;
        let aside = in_front_of(&service, "", &[]).await;
        let first = aside.get("/weather/a").await;
        assert_eq!((first.status, first.x_cache()), (status, "MISS"), "{said}");
        assert_eq!(aside.get("/weather/a").await.x_cache(), again, "{said}");
    }
}

#[tokio::test]
async fn one_that_is_away_slow_or_without_an_end_is_bounded() {
    let service = Service::saying("").await;
    let aside = in_front_of(&service, "timeout = \"300ms\"", &[]).await;
    drop(service);
    let away = aside.get("/weather/a").await;
    assert_eq!((away.status, away.header("retry-after")), (503, "1"));
    let endless = Service::start(|_, mut socket: TcpStream| async move {
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
            .await
            .ok()?;
        while socket.write_all(&[b' '; 1 << 16]).await.is_ok() {}
        None
    })
    .await;
    let aside = in_front_of(&endless, "timeout = \"30s\"", &[]).await;
    assert_eq!(aside.get("/weather/a").await.status, 502, "it is too long");
    assert!(aside.log().contains("its body is longer than 16 MiB"), "{}", aside.log());
    let silent = Service::start(|_, mut socket: TcpStream| async move {
        // Until the other side gives up.
        let _ = socket.read(&mut [0]).await;
        None
    })
    .await;
    let aside = in_front_of(&silent, "timeout = \"300ms\"", &[]).await;
    assert_eq!(aside.get("/weather/a").await.status, 504);
}

#[tokio::test]
async fn a_failure_is_stood_in_for_and_a_refusal_is_not() {
    let status = Arc::new(Mutex::new("200 OK"));
    let said = status.clone();
    let service = Service::start(move |_, mut socket: TcpStream| {
        let said = *said.lock().unwrap();
        async move {
            socket.write_all(answer(said, "", "{}").as_bytes()).await.ok();
            None
        }
    })
    .await;
    let aside = in_front_of(&service, "ttl = \"1s\"\nstale_while_revalidate = \"0s\"", &[]).await;
    assert_eq!(aside.get("/weather/a").await.x_cache(), "MISS");
    *status.lock().unwrap() = "500 Oh";
    let stale = eventually("it has lapsed", async || {
        let answer = aside.get("/weather/a").await;
        (answer.x_cache() == "STALE").then_some(answer)
    })
    .await;
    assert_eq!((stale.status, &stale.body[..]), (200, b"{}".as_slice()));
    *status.lock().unwrap() = "403 No";
    // Once the retry of what failed is due.
    eventually("the refusal", async || (aside.get("/weather/a").await.status == 502).then_some(()))
        .await;
}

#[tokio::test]
async fn what_is_private_is_nobody_elses_and_what_is_short_lived_lives_shortly() {
    let asked = Arc::new(AtomicUsize::new(0));
    for (fields, is_kept) in [
        ("cache-control: private\r\n", false),
        ("cache-control: no-store\r\n", false),
        ("cache-control: max-age=0\r\n", false),
        ("cache-control: no-cache\r\n", false),
        ("cache-control: max-age=60\r\nage: 60\r\n", false),
        ("cache-control: public, s-maxage=60, max-age=0\r\n", true),
        ("", true),
    ] {
        let count = asked.clone();
        count.store(0, Ordering::Relaxed);
        let gate = Arc::new(Semaphore::new(0));
        let opened = gate.clone();
        let service = Service::start(move |_, mut socket: TcpStream| {
            let (number, gate) = (count.fetch_add(1, Ordering::Relaxed), gate.clone());
            async move {
                let _turn = gate.acquire().await.unwrap();
                socket
                    .write_all(answer("200 OK", fields, &number.to_string()).as_bytes())
                    .await
                    .ok();
                None
            }
        })
        .await;
        let aside = in_front_of(&service, "", &[]).await;
        let together = futures_util::future::join_all((0..5).map(|_| aside.get("/weather/a")));
        let all_have_come = async {
            eventually("a connection of each, and of this question", async || {
                let open = aside.metrics().await;
                let open = open.lines().find_map(|it| it.strip_prefix("aside_connections_open "));
                (open.unwrap().parse::<u32>().unwrap() > 5).then_some(())
            })
            .await;
            opened.add_permits(5);
        };
        let (together, ()) = futures_util::future::join(together, all_have_come).await;
        let mut bodies: Vec<_> = together.iter().map(|it| it.body.clone()).collect();
        bodies.sort();
        bodies.dedup();
        let is_private = fields.contains("private") || fields.contains("no-store");
        assert_eq!(bodies.len(), if is_private { 5 } else { 1 }, "{fields}");
        let stored = is_kept.to_string();
        for answer in &together {
            let status = answer.cache_status();
            assert_eq!(
                status.get("detail").is_some_and(|it| it == "private"),
                is_private,
                "{fields}"
            );
            let kept = if is_private { "no-store" } else { "no-cache" };
            assert_eq!(answer.header("cache-control"), kept, "{fields}");
        }
        let said = together.iter().filter_map(|it| it.cache_status().get("stored").cloned());
        assert!(said.into_iter().all(|it| it == stored), "{fields}");
        assert_eq!(
            aside.get("/weather/a").await.x_cache(),
            if is_kept { "HIT" } else { "MISS" },
            "{fields}"
        );
    }
}

#[tokio::test]
async fn connections_are_used_again_and_another_type_is_what_the_file_says() {
    let service = Service::start(|_, mut socket: TcpStream| async move {
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=latin1\r\ncontent-length: 3\r\n\r\n<p>";
        socket.write_all(answer.as_bytes()).await.ok()?;
        Some(socket)
    })
    .await;
    let aside = in_front_of(&service, "content_type = \"text/html; charset=utf-8\"", &[]).await;
    for city in 0..20 {
        let found = aside.get(&format!("/weather/{city}")).await;
        assert_eq!((found.status, found.header("content-type")), (200, "text/html; charset=utf-8"));
    }
    assert_eq!(service.connections.load(Ordering::Relaxed), 1);
}
