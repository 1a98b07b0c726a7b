//! One line a case: what the service says to a request, read byte by byte.

/// A body that a `PATCH` takes; it is sent with each `PATCH`.
use support::aside::Aside;

const CHANGE: &str = r#"{"name":"Ada"}"#;

/// The status, the request line without its version, and the fields beside those that every case has.
///
/// `Host: localhost` is sent unless the case has a `Host` of its own, or a colon alone for none.
const CASES: &[(u16, &str, &[&str])] = &[
    // RFC 9112 §3.2: the host must be valid.
    (200, "GET /users/1", &["Host: localhost"]),
    (200, "GET /users/1", &["Host: LocalHost.:8080"]),
    (200, "GET /users/1", &["Host: 127.0.0.1:1"]),
    (200, "GET /users/1", &["Host: 127.9.9.9"]),
    (200, "GET /users/1", &["Host: [::1]:80"]),
    (200, "GET /users/1", &["Host: a.localhost"]),
    (200, "GET /users/1", &["Host: localhost:"]),
    (200, "GET http://localhost/users/1", &["Host: localhost"]),
    (200, "GET http://[::1]:80/users/1", &["Host: localhost"]),
    (400, "GET /users/1", &["Host: a b"]),
    (400, "GET /users/1", &["Host: a/b"]),
    (400, "GET /users/1", &["Host: user:pw@localhost"]),
    (400, "GET /users/1", &["Host: evil.example@localhost"]),
    (400, "GET /users/1", &["Host: @localhost"]),
    (400, "GET /users/1", &["Host: localhost:abc"]),
    (400, "GET /users/1", &["Host: localhost:99999"]),
    (400, "GET /users/1", &["Host: localhost:+1"]),
    (400, "GET /users/1", &["Host: :80"]),
    (400, "GET /users/1", &["Host: <script>"]),
    (400, "GET /users/1", &["Host: [::1"]),
    (400, "GET /users/1", &["Host: [::1]x"]),
    (400, "GET /users/1", &["Host: [localhost]"]),
    (400, "GET /users/1", &["Host: ::1"]),
    (400, "GET /users/1", &["Host: localhost, localhost"]),
    (400, "GET /users/1", &["Host: localhost\u{e9}"]),
    (400, "GET /users/1", &["Host: %6cocalhost"]),
    (400, "GET http://user:pw@localhost/users/1", &["Host: localhost"]),
    (400, "GET http://localhost:abc/users/1", &["Host: localhost"]),
    (400, "GET http://[::1/users/1", &["Host: localhost"]),
    (400, "GET http://<script>/users/1", &["Host: localhost"]),
    (400, "GET http:///users/1", &["Host: localhost"]),
    (400, "GET http://localhost/users/1", &["Host: a b"]),
    // On a loopback address without a token it must be this machine's.
    (403, "GET /users/1", &["Host: evil.example"]),
    (403, "GET /users/1", &["Host: localhost.evil.example:80"]),
    (403, "GET /users/1", &["Host: xlocalhost"]),
    (403, "GET /users/1", &["Host: 192.0.2.1"]),
    (403, "GET /users/1", &["Host: [2001:db8::1]"]),
    (403, "GET /users/1", &["Host:"]),
    (403, "GET http://evil.example/users/1", &["Host: localhost"]),
    (403, "GET /stats", &["Host: evil.example"]),
    (403, "GET /metrics", &["Host: evil.example"]),
    (403, "GET /healthz", &["Host: evil.example"]),
    (403, "GET /sessions/current", &["Host: evil.example"]),
    (403, "GET /nothing", &["Host: evil.example"]),
    (403, "PATCH /users/1", &["Host: evil.example"]),
    // RFC 9110 §5.6.1.2: empty elements of a list are ignored.
    (412, "GET /users/1", &[r#"If-Match: "x",,"y""#]),
    (412, "GET /users/1", &[r#"If-Match: , "x" ,"#]),
    (412, "GET /users/1", &["If-Match:"]),
    (412, "GET /users/1", &["If-Match: ,"]),
    (412, "PATCH /users/1", &["If-Match:"]),
    (412, "PATCH /users/1", &[r#"If-Match: "x",,"y""#]),
    (412, "PATCH /users/1", &["If-None-Match: *"]),
    (412, "PATCH /users/1", &["If-None-Match: , *"]),
    (200, "PATCH /users/1", &["If-Match: *,"]),
    (200, "PATCH /users/1", &[r#"If-None-Match: "x",,"y""#]),
    (200, "PATCH /users/1", &["If-None-Match:"]),
    (304, "GET /users/1", &["If-None-Match: , *"]),
    (200, "GET /users/1", &["If-None-Match: ,,"]),
    (400, "PATCH /users/1", &[r#"If-Match: "x" "y""#]),
    (400, "PATCH /users/1", &["If-Match: x"]),
    (400, "PATCH /users/1", &[r#"If-Match: *, "x""#]),
    (400, "PATCH /users/1", &[r#"If-None-Match: w/"x""#]),
    // A length that no parser counts to is malformed, not too large a head.
    (400, "GET /users/1", &["Content-Length: 18446744073709551615"]),
    (400, "GET /users/1", &["Content-Length: 18446744073709551616"]),
    (413, "PATCH /users/1", &["Content-Length: 9223372036854775807"]),
    // What stands in quotes is no directive.
    (504, "GET /users/2", &["Cache-Control: only-if-cached"]),
    (200, "GET /users/2", &[r#"Cache-Control: foo="a, only-if-cached, b""#]),
    (200, "GET /users/3", &[r#"Cache-Control: foo="\", only-if-cached""#]),
    (504, "GET /users/4", &[r#"Cache-Control: foo="a, b", only-if-cached"#]),
    (504, "GET /users/4", &[r#"Cache-Control: foo="a\"", only-if-cached"#]),
];

fn request(line: &str, fields: &[&str]) -> String {
    let has = |name: &str| fields.iter().any(|field| field.starts_with(name));
    let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    if !has("Host:") {
        request.push_str("Host: localhost\r\n");
    }
    let body = if line.starts_with("PATCH") { CHANGE } else { "" };
    if !body.is_empty() {
        request.push_str("Content-Type: application/json\r\n");
        if !has("Content-Length:") {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
    }
    for field in fields {
        request.push_str(&format!("{field}\r\n"));
    }
    request + "\r\n" + body
}

#[tokio::test]
async fn each_raw_request_has_its_status() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let mut wrong = Vec::new();
    for (status, line, fields) in CASES {
        let answer = aside.exchange(request(line, fields)).await;
        let begin = format!("HTTP/1.1 {status} ");
        if !answer.starts_with(&begin) {
            let said = answer.lines().next().unwrap_or("nothing").to_owned();
            wrong.push(format!("{status} expected of {line} {fields:?}, not {said}"));
        } else if *status >= 400 {
            let head = answer.to_ascii_lowercase();
            assert!(head.contains("\r\ncontent-type: application/problem+json"), "{answer}");
            assert!(head.contains("\r\ncache-control: no-store"), "{answer}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_refusal_of_a_foreign_host_names_the_setting_that_allows_it() {
    let aside = Aside::start(&["--host", "cache.example,proxy.example:443"]).await;
    for (status, host) in [
        (200, "cache.example"),
        (200, "CACHE.example.:8443"),
        (200, "proxy.example"),
        (200, "localhost"),
        (403, "x.cache.example"),
        (403, "evil.example"),
    ] {
        let host = format!("Host: {host}");
        let answer = aside.exchange(request("GET /users/1", &[&host])).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
        assert!(status == 200 || answer.contains("--host"), "{answer}");
    }
}

#[tokio::test]
async fn with_a_token_any_valid_host_is_served() {
    let aside = Aside::start(&["--api-token", "secret"]).await;
    let answer = aside.exchange(request("GET /users/1", &["Host: cache.example"])).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn the_titles_of_problems_are_the_phrases_of_the_rfc() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let (long, wrong) = ("Content-Length: 100000", "Content-Length: 2");
    for (line, fields, title) in [
        ("PATCH /users/1", &[long][..], "Content Too Large"),
        ("POST /users", &["Content-Type: application/json", wrong], "Unprocessable Content"),
    ] {
        let answer = aside.exchange(request(line, fields) + "{}").await;
        assert!(answer.contains(&format!(r#""title":"{title}""#)), "{answer}");
    }
}
