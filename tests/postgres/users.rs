//! The same users as in SQLite.

use std::time::Duration;

use aside::database::Database;
use sqlx::Row;
use support::{
    aside::{Aside, Place},
    memcached::Memcached,
    servers::{new_database, shared_postgres},
};
use tokio::task::JoinSet;

use crate::home::{connect, serve};

#[tokio::test]
async fn the_users_are_the_same_to_the_byte() {
    let server = shared_postgres().await;
    let url = server.url_of(&new_database(&server, "template0").await);
    let [there, here] = [serve(&url, &["--slow-query", "0s"]).await, {
        let place = Place::in_file().await;
        Aside::start_at(&place, &["--slow-query", "0s"]).await
    }];
    for id in [1, 2, 3, 42, 4_999, 9_999, 10_000] {
        let path = format!("/users/{id}");
        let (there, here) = (there.get(&path).await, here.get(&path).await);
        assert_eq!(there.user(id).body, here.body);
        assert_eq!(there.header("etag"), here.header("etag"));
    }
    there.get("/users/10001").await.problem(404);
    // All of them: the files' own bytes.
    const ALL: &str = "SELECT id, name, email, created_at, updated_at FROM users ORDER BY id";
    let ours = sqlx::query(ALL).fetch_all(&mut here.place.connect().await).await.unwrap();
    let theirs = sqlx::query(ALL).fetch_all(&mut connect(&url).await).await.unwrap();
    assert_eq!((ours.len(), theirs.len()), (10_000, 10_000));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours.get::<i64, _>(0), theirs.get::<i64, _>(0));
        for column in 1..5 {
            assert_eq!(ours.get::<String, _>(column), theirs.get::<String, _>(column));
        }
    }
}

#[tokio::test]
async fn replicas_that_start_at_once_on_an_empty_database_make_it_once() {
    let server = shared_postgres().await;
    let url = server.url_of(&new_database(&server, "template0").await);
    let mut opening = JoinSet::new();
    for _ in 0..6 {
        let url = url.clone();
        opening.spawn(async move {
            Database::open(&url, Duration::ZERO, 1).await.unwrap().close().await;
        });
    }
    opening.join_all().await;
    let count = "SELECT count(*) FROM users";
    let users: i64 = sqlx::query_scalar(count).fetch_one(&mut connect(&url).await).await.unwrap();
    assert_eq!(users, 10_000);
}

#[tokio::test]
async fn a_thousand_requests_for_one_cold_user_over_three_replicas_are_one_query() {
    let (server, memcached) = (shared_postgres().await, Memcached::start().await);
    let url = server.url_of(&new_database(&server, "template0").await);
    let address = memcached.address().to_string();
    let arguments = ["--memcached", &address, "--slow-query", "300ms"];
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(serve(&url, &arguments).await);
    }
    let mut asked = JoinSet::new();
    for number in 0..1_000 {
        let replica = &replicas[number % 3];
        let request = replica.client.get(format!("http://{}/users/42", replica.address));
        asked.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    assert!(asked.join_all().await.iter().all(|status| *status == 200));
    let mut loads = 0;
    for replica in &replicas {
        loads += replica.ledger("loads").await;
    }
    assert_eq!(loads, 1);
}
