//! What a service on PostgreSQL does not start with.

use sqlx::{AssertSqlSafe, Executor};
use support::{
    aside::{Place, command},
    servers::{new_database, shared_postgres},
};

use crate::home::connect;

/// The one line with which the service refuses `url`.
async fn refusal(url: &str) -> String {
    let output = command(&Place::empty(), &[]).env("ASIDE_DATABASE", url).output().await.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    lines[0].to_owned()
}

#[tokio::test]
async fn a_server_that_is_not_there_or_does_not_let_us_in_is_named_without_the_password() {
    let server = shared_postgres().await;
    let line = refusal("postgres://ada:s3cret@127.0.0.1:1/shop").await;
    assert!(line.contains("postgres://127.0.0.1:1/shop"), "{line}");
    let url = server.url().replace("postgres@", "nobody:s3cret@");
    let line = refusal(&url).await;
    assert!(line.contains("nobody"), "{line}");
    let line = refusal(&server.url_of("nowhere?password=s3cret")).await;
    assert!(line.contains("nowhere"), "{line}");
    for url in [
        "postgres://ada:s3cret@127.0.0.1:port/shop",
        "mysql://ada:s3cret@localhost/shop",
        "sqlite://shop.db?key=s3cret",
    ] {
        refusal(url).await;
    }
}

#[tokio::test]
async fn another_programs_database_is_left_as_it_was() {
    let server = shared_postgres().await;
    let url = server.url_of(&new_database(&server, "template0").await);
    let mut other = connect(&url).await;
    other.execute("CREATE TABLE letters (text TEXT)").await.unwrap();
    let line = refusal(&url).await;
    assert!(line.contains("another program's table") && line.contains("letters"), "{line}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut other).await.unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_role_without_the_right_to_create_tables_is_told_so() {
    let server = shared_postgres().await;
    let name = new_database(&server, "template0").await;
    let url = server.url_of(&name);
    let role = AssertSqlSafe(format!("CREATE ROLE reader_of_{name} LOGIN"));
    let mut other = connect(&url).await;
    sqlx::raw_sql(role).execute(&mut other).await.unwrap();
    other.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC").await.unwrap();
    let line = refusal(&url.replace("postgres@", &format!("reader_of_{name}@"))).await;
    assert!(line.contains("permission denied"), "{line}");
}

#[tokio::test]
async fn migrations_that_this_program_does_not_know_are_refused() {
    for change in [
        "UPDATE aside_migrations SET checksum = 'x' WHERE version = 1",
        "UPDATE aside_migrations SET version = 9999 WHERE version = 2",
    ] {
        let place = Place::seeded_on_server().await;
        place.execute(change).await;
        let line = refusal(&place.url()).await;
        assert!(line.contains("another version"), "{line}");
    }
}
