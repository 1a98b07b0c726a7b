//! An email address belongs to one user, however its domain is written.

use reqwest::Method;
use serde_json::json;
use sqlx::{
    Connection, SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::SqliteConnectOptions,
};
use support::aside::{Aside, Place};

use crate::request::number;

#[tokio::test]
async fn the_case_of_a_domain_makes_no_other_address_and_that_of_the_rest_does() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    for (status, email) in [
        (201, "case1@Example.com"),
        (409, "case1@example.com"),
        (409, "case1@EXAMPLE.COM"),
        (201, "Case1@example.com"),
        (422, ".x@example.com"),
        (422, "x..y@example.com"),
        (422, "x@127.0.0.1"),
        (422, "x@[127.0.0.1]"),
    ] {
        let user = json!({ "name": "Ada", "email": email });
        let answer = aside.send_json(Method::POST, "/users", &user).await;
        assert_eq!(answer.status, status, "{email}: {answer:?}");
        assert!(status != 201 || answer.json()["email"] == email, "it is kept as it was given");
    }
    let copy = json!({ "email": "CASE1@example.com" });
    aside.send_json(Method::PATCH, "/users/1", &copy).await.user(1);
    let copy = json!({ "email": "CASE1@EXAMPLE.com" });
    aside.send_json(Method::PATCH, "/users/2", &copy).await.problem(409);
    aside.send_json(Method::PATCH, "/users/1", &copy).await.user(1);
}

/// A place whose database is as it was before domains were compared without case, with users of these addresses.
async fn before_the_migration(emails: &[&str]) -> Place {
    let place = Place::empty();
    let options = SqliteConnectOptions::new().filename(place.database()).create_if_missing(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let before = [
        (1, "create users", include_str!("../../migrations/0001_create_users.sql")),
        (2, "seed users", include_str!("../../migrations/0002_seed_users.sql")),
        (3, "create invalidations", include_str!("../../migrations/0003_create_invalidations.sql")),
        (4, "create changes", include_str!("../../migrations/0004_create_changes.sql")),
    ];
    let before = before.map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(before.into());
    migrator.dangerous_set_table_name("aside_migrations");
    migrator.run_direct(None, &mut connection, false).await.unwrap();
    for email in emails {
        let insert = "INSERT INTO users (name, email, created_at, updated_at)
            VALUES ('Ada', ?1, '2024-03-05T10:20:30.000Z', '2024-03-05T10:20:30.000Z')";
        sqlx::query(insert).bind(email).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    place
}

#[tokio::test]
async fn users_who_have_come_to_have_one_address_keep_it_until_they_change_it() {
    let place =
        before_the_migration(&["ada@example.com", "ada@EXAMPLE.com", "b@Example.com"]).await;
    let aside = Aside::start_at(&place, &["--slow-query", "0s"]).await;
    for (id, email) in
        [(10_001, "ada@example.com"), (10_002, "ada@EXAMPLE.com"), (10_003, "b@Example.com")]
    {
        let user = aside.get(&format!("/users/{id}")).await;
        assert_eq!(user.user(id).json()["email"], email);
    }
    let patch = async |id: i64, change: serde_json::Value| {
        aside.send_json(Method::PATCH, &format!("/users/{id}"), &change).await.status
    };
    assert_eq!(patch(10_002, json!({ "name": "Grace" })).await, 200, "the address is left alone");
    assert_eq!(patch(10_002, json!({ "email": "ada@Example.com" })).await, 200, "still the same");
    assert_eq!(patch(10_003, json!({ "email": "ada@EXAMPLE.COM" })).await, 409);
    assert_eq!(patch(10_002, json!({ "email": "B@example.com" })).await, 200);
    assert_eq!(patch(10_002, json!({ "email": "b@example.com" })).await, 409);
    assert_eq!(patch(10_002, json!({ "email": "ada@EXAMPLE.com" })).await, 409, "it was given up");
    assert_eq!(number(&place, "SELECT count(*) FROM users WHERE shares_address").await, 0);
}
