//! Brings a database to the schema of this program, whoever else is doing the same.

use std::time::Duration;

use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection, SqlSafeStr,
    migrate::{Migration, MigrationType::Simple, Migrator},
    postgres::PgConnectOptions,
};
use tokio::time::timeout;

use crate::database::error::{OpenFailure, one_line};

/// The table in which sqlx notes our migrations that have run.
const MIGRATIONS_TABLE: &str = "aside_migrations";

/// The version, the description and the statements of each migration. One that is here is never edited.
pub(in crate::database) const MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "create tables", include_str!("../../../migrations/postgres/0001_create_tables.sql")),
    (2, "seed users", include_str!("../../../migrations/postgres/0002_seed_users.sql")),
    (3, "time changes", include_str!("../../../migrations/postgres/0003_time_changes.sql")),
    (4, "lighten changes", include_str!("../../../migrations/postgres/0004_lighten_changes.sql")),
];

/// The longest that a server may take to connect at the start: its network may be far, and it may be busy.
pub(super) const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// The longest that all of it may take, others' turns included.
const MIGRATE_WAIT: Duration = Duration::from_secs(60);

/// One process at a time, until its connection ends. The number is any that other programs do not use.
const LOCK: &str = "SELECT pg_advisory_lock(71933263373650)";

/// The tables that are in the way of ours, or are ours.
const TABLES: &str = "SELECT tablename::text FROM pg_tables
    WHERE schemaname = current_schema() AND tablename <> 'aside_jobs' ORDER BY tablename";

/// Creates and seeds our tables in the first schema of the search path, if they are not there.
pub(super) async fn migrate(options: &PgConnectOptions) -> Result<(), OpenFailure> {
    let late = |_| OpenFailure::Other("it does not answer".to_owned());
    let options = options.clone().options([("lock_timeout", "60s")]);
    let mut connection = timeout(CONNECT_WAIT, options.connect()).await.map_err(late)??;
    timeout(MIGRATE_WAIT, try_migrate(&mut connection)).await.map_err(late)??;
    Ok(connection.close().await?)
}

async fn try_migrate(connection: &mut PgConnection) -> Result<(), OpenFailure> {
    let version =
        "SELECT current_setting('server_version_num')::bigint, current_setting('server_version')";
    let (number, version): (i64, String) =
        sqlx::query_as(version).fetch_one(&mut *connection).await?;
    if number < 130_000 {
        return Err(OpenFailure::TooOld(version));
    }
    connection.execute(LOCK).await?;
    let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut *connection).await?;
    if !tables.is_empty() && !tables.iter().any(|table| table == MIGRATIONS_TABLE) {
        let first = one_line(&tables[0]);
        let why = format!("it holds another program's table {first:?}");
        return Err(OpenFailure::OtherSchema(why));
    }
    Ok(migrator().run_direct(None, connection, false).await?)
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, description, statements)| {
        Migration::new(version, description.into(), Simple, statements.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    // sqlx's own lock is of the whole database, and ours is held already.
    migrator.set_locking(false);
    migrator
}
