//! A PostgreSQL for one test, which may be killed, and services on it.

use std::time::Duration;

use aside::database::Database;
use sqlx::{Connection, PgConnection};
use support::{
    aside::{Aside, Place, command},
    servers::{Kind, Server},
};

/// A server with a database of users.
pub(crate) async fn server() -> Server {
    let server = Server::start(Kind::Postgres).await;
    Database::open(&server.url(), Duration::ZERO, 1).await.unwrap().close().await;
    server
}

/// A service on `url`.
pub(crate) async fn serve(url: &str, arguments: &[&str]) -> Aside {
    let place = Place::empty();
    let mut command = command(&place, arguments);
    command.env("ASIDE_DATABASE", url);
    Aside::run(&place, command).await
}

/// Another program's connection.
pub(crate) async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// Queries of loads that the server is at.
pub(crate) async fn active(connection: &mut PgConnection) -> i64 {
    let active = "SELECT count(*) FROM pg_stat_activity
        WHERE state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
    sqlx::query_scalar(active).fetch_one(connection).await.unwrap()
}
