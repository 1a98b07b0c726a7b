//! A server that wants TLS and a password: what is given is used, as libpq does, and is said nowhere.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    process::Command,
};

use reqwest::Method;
use serde_json::json;
use support::{
    aside::{Aside, Place, command},
    eventually,
    servers::Server,
};

use crate::home::{connect, server};

const PASSWORD: &str = "s3cret of Ada";

/// A server with a certificate of its own, which lets `ada` in over TLS, with her password.
async fn secured() -> Server {
    let server = server().await;
    let data = server.data();
    let [certificate, key] = ["server.crt", "server.key"].map(|name| data.join(name));
    self_sign(&certificate, &key);
    let rules = "hostssl all ada 127.0.0.1/32 scram-sha-256\n\
                 hostnossl all ada 127.0.0.1/32 reject\n\
                 host all postgres 127.0.0.1/32 trust\n";
    fs::write(data.join("pg_hba.conf"), rules).unwrap();
    let mut owner = connect(&server.url()).await;
    for statement in [
        "CREATE ROLE ada LOGIN SUPERUSER PASSWORD 's3cret of Ada'",
        "ALTER SYSTEM SET ssl = on",
        "SELECT pg_reload_conf()",
    ] {
        sqlx::raw_sql(statement).execute(&mut owner).await.unwrap();
    }
    eventually("it speaks TLS", async || {
        let mut owner = connect(&server.url()).await;
        let on: String = sqlx::query_scalar("SHOW ssl").fetch_one(&mut owner).await.unwrap();
        (on == "on").then_some(())
    })
    .await;
    server
}

fn self_sign(certificate: &Path, key: &Path) {
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=aside",
    ]);
    openssl
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-out",
        ])
        .arg(certificate);
    let output = openssl.arg("-keyout").arg(key).output().expect("openssl comes with PostgreSQL");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::set_permissions(key, PermissionsExt::from_mode(0o600)).unwrap();
    // To whom the data belongs.
    let owner = fs::metadata(key.parent().unwrap()).unwrap();
    for file in [certificate, key] {
        chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
}

/// The URL for `ada`, with this beside her name and these parameters.
fn url(server: &Server, password: &str, parameters: &str) -> String {
    format!("postgres://ada{password}@{}/postgres?{parameters}", server.address())
}

/// Starts with `variables`, reads a user, and holds that the password is nowhere to be read.
async fn serves(url: &str, variables: &[(&str, &str)]) {
    let place = Place::empty();
    let mut command = command(&place, &["--slow-query", "0s"]);
    command.env("ASIDE_DATABASE", url).envs(variables.iter().copied()).env("RUST_LOG", "debug");
    let aside = Aside::run(&place, command).await;
    // A connection takes many hashes and a handshake, which a busy machine may have no time for at once.
    eventually("a user", async || (aside.get("/users/1").await.status == 200).then_some(())).await;
    eventually("a write", async || {
        let name = json!({ "name": "Ada" });
        let write = aside.send_json(Method::PATCH, "/users/1", &name).await;
        (write.status == 200).then_some(())
    })
    .await;
    for path in ["/stats", "/readyz", "/metrics", "/openapi.json"] {
        says_nothing(&String::from_utf8_lossy(&aside.get(path).await.body));
    }
    says_nothing(&aside.log());
}

fn says_nothing(text: &str) {
    assert!(!text.contains("s3cret"), "{text}");
}

/// The line with which it does not start.
async fn refusal(url: &str) -> String {
    let output = command(&Place::empty(), &[]).env("ASIDE_DATABASE", url).output().await.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    says_nothing(&text);
    text
}

#[tokio::test]
async fn a_password_comes_from_the_url_the_environment_or_a_file() {
    let server = secured().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwords");
    fs::write(&file, format!("127.0.0.1:*:*:ada:{PASSWORD}\n")).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    serves(&url(&server, ":s3cret%20of%20Ada", "sslmode=require"), &[]).await;
    let bare = url(&server, "", "sslmode=require");
    serves(&bare, &[("PGPASSWORD", PASSWORD)]).await;
    serves(&bare, &[("PGPASSFILE", file.to_str().unwrap())]).await;
    let text = refusal(&url(&server, ":s3cret%20of%20Eve", "sslmode=require")).await;
    assert!(text.contains("ada"), "{text}");
}

#[tokio::test]
async fn tls_is_as_strict_as_the_mode_says() {
    let server = secured().await;
    let with = |parameters: &str| url(&server, ":s3cret%20of%20Ada", parameters);
    let own = server.data().join("server.crt");
    let other = tempfile::tempdir().unwrap();
    let [foreign, key] = ["root.crt", "root.key"].map(|name| other.path().join(name));
    self_sign(&foreign, &key);
    let verified =
        |root: &Path| with(&format!("sslmode=verify-full&sslrootcert={}", root.display()));
    serves(&with("sslmode=prefer"), &[]).await;
    serves(&verified(&own), &[]).await;
    refusal(&verified(&foreign)).await;
    let text = refusal(&with("sslmode=disable")).await;
    assert!(text.contains("pg_hba.conf"), "{text}");
}
