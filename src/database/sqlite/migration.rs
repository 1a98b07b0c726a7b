//! Brings the file to the schema of this program, whoever else is doing the same.

use sqlx::{ConnectOptions, Connection, SqlSafeStr, SqliteConnection};
use sqlx::{
    migrate::{Migration, MigrationType::Simple, Migrator},
    sqlite::SqliteConnectOptions,
};
use tokio::time::{Duration, Instant, sleep};

use crate::database::error::{OpenFailure, one_line};

/// The table in which sqlx notes our migrations that have run. Not its default, `_sqlx_migrations`, by which a file would
/// look like that of any other program that uses sqlx.
const MIGRATIONS_TABLE: &str = "aside_migrations";

/// The version, the description and the statements of each migration. sqlx notes the SHA-384 of the statements, and a
/// file that a migration with another one has made is refused: one that is here is never edited.
pub(in crate::database) const MIGRATIONS: [(i64, &str, &str); 6] = [
    (1, "create users", include_str!("../../../migrations/0001_create_users.sql")),
    (2, "seed users", include_str!("../../../migrations/0002_seed_users.sql")),
    (3, "create invalidations", include_str!("../../../migrations/0003_create_invalidations.sql")),
    (4, "create changes", include_str!("../../../migrations/0004_create_changes.sql")),
    (
        5,
        "compare domains without case",
        include_str!("../../../migrations/0005_compare_domains_without_case.sql"),
    ),
    (6, "lighten changes", include_str!("../../../migrations/0006_lighten_changes.sql")),
];

/// Pause before a locked file is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Reads all columns that we use: one that is missing is an error.
const PROBE: &str = "SELECT id, name, email, created_at, updated_at FROM users LIMIT 1";

/// Creates, migrates and seeds what `options` name, and returns the connection that did it.
///
/// A file that others have locked is tried again for `wait`; past it, this fails as locked. A file that is
/// not ours is left as it was.
pub(in crate::database) async fn migrate(
    options: &SqliteConnectOptions,
    wait: Duration,
) -> Result<SqliteConnection, OpenFailure> {
    let is_locked = |failure: &OpenFailure| *failure == OpenFailure::Locked;
    while_locked(wait, || try_migrate(options), is_locked).await
}

/// Tries again, for `wait`, what fails because others have locked the file. SQLite's own busy timeout does not cover
/// the change to WAL, which several processes may want of a new file at once.
pub(crate) async fn while_locked<T, E, F: Future<Output = Result<T, E>>>(
    wait: Duration,
    attempt: impl Fn() -> F,
    is_locked: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let give_up = Instant::now() + wait;
    loop {
        match attempt().await {
            Err(error) if is_locked(&error) && Instant::now() < give_up => sleep(RETRY_PAUSE).await,
            outcome => return outcome,
        }
    }
}

async fn try_migrate(options: &SqliteConnectOptions) -> Result<SqliteConnection, OpenFailure> {
    let mut connection = options.clone().create_if_missing(true).connect().await?;
    // sqlx has no migration lock for SQLite: of two that begin together, both would see an empty file,
    // and one would fail. So the look and the change are one transaction, under SQLite's write lock.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    refuse_a_foreign_file(&mut transaction).await?;
    // Not `run`: it is generic over `Acquire`, and a future that awaits it cannot be spawned.
    migrator().run_direct(None, &mut *transaction, false).await?;
    sqlx::query(PROBE).fetch_optional(&mut *transaction).await?;
    transaction.commit().await?;
    // WAL is a property of the file. It comes last, as a file that is refused must not be changed.
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode = WAL").fetch_one(&mut connection).await?;
    if mode == "wal" {
        Ok(connection)
    } else {
        Err(OpenFailure::Other("its file system does not support SQLite's WAL mode".to_owned()))
    }
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, description, statements)| {
        Migration::new(version, description.into(), Simple, statements.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    migrator
}

/// Our tables are not added to somebody else's: a file with tables must have our migrations among them.
async fn refuse_a_foreign_file(connection: &mut SqliteConnection) -> Result<(), OpenFailure> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .fetch_all(connection)
            .await?;
    if tables.is_empty() || tables.iter().any(|table| table == MIGRATIONS_TABLE) {
        Ok(())
    } else {
        let first = one_line(&tables[0]);
        Err(OpenFailure::OtherSchema(format!("it holds another program's table {first:?}")))
    }
}
