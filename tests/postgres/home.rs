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

/// Connections of loads in this state: `active` is at a query, `idle` has ended one.
pub(crate) async fn loading(connection: &mut PgConnection, state: &str) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity
        WHERE state = $1 AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
    sqlx::query_scalar(count).bind(state).fetch_one(connection).await.unwrap()
}
