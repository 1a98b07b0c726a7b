//! PostgreSQL: the connections to a server, and what bounds them.

mod ear;
mod migration;

use std::time::Duration;

use sqlx::{
    ConnectOptions, Connection, Executor, PgPool, SqlSafeStr,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::{Instant, sleep_until, timeout_at};

pub(super) use self::ear::Ear;
use self::migration::{CONNECT_WAIT, migrate};
#[cfg(test)]
pub(super) use self::{ear::AWAKE_MIN, migration::MIGRATIONS};
use super::{
    error::{OpenError, OpenFailure},
    lent::Lent,
    statement::{ANSWER_WAIT, Pool, Pools, Row, Value, Writing, in_time, rows},
};
use crate::cache::LoadError;

/// Connections for writes. More of those that write at once wait for each other.
const WRITERS: u32 = 8;

/// Connections that read the log of changes: for the process's own memory, for the sweeps, and for a server that
/// comes back. More of those wait for each other.
const LOG_READERS: u32 = 3;

/// Connections to somebody else's database by which what its triggers have noted is taken.
const FOREIGN_WRITERS: u32 = 2;

/// The longest wait of a load for a connection, which may have to be made. Past it, what was kept stands in.
const LOAD_WAIT: Duration = Duration::from_secs(1);

/// The time after its deadline in which a query is told by the server that it was cancelled. Past it, the server may be
/// gone without a word: its connection is closed.
const CANCEL_GRACE: Duration = Duration::from_millis(50);

/// Asked of the server for each connection. It ends transactions and queries whose client is gone: a client may vanish
/// from the network without a word, and others must not wait for its locks.
const SETTINGS: [(&str, &str); 6] = [
    ("idle_in_transaction_session_timeout", "10s"),
    ("lock_timeout", "2s"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10s"),
];

/// Asked of the server for the connections that write, and that read the log: each of their statements is planned once, and
/// reads by an index, also with a plan that was made while the log was short.
const PLANNED_ONCE: [(&str, &str); 4] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("jit", "off"),
];

/// Ends queries for which nobody waits any more, where the server can (version 14).
const CHECK_CLIENT: &str = "SELECT set_config('client_connection_check_interval', '1s', false)
    WHERE current_setting('server_version_num')::int >= 140000";

/// Lets what triggers write to be found by a role that does not find it by itself, if there is one place for it: anybody may
/// have a schema, and nobody's is to come before what the role finds.
const FIND_NOTED: &str = "SELECT set_config('search_path', concat_ws(', ',
        nullif(current_setting('search_path'), ''), string_agg(quote_ident(nspname), ', ')), FALSE)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = 'aside_outdated' AND relkind = 'r' AND to_regclass('aside_outdated') IS NULL
    HAVING count(*) = 1";

/// The longest that `statement_timeout` takes.
const MILLISECONDS_MAX: u128 = i32::MAX as u128;

/// Writers share a lock that who replaces the list of servers has alone: so that is done when nobody has read the old one.
/// The number is any that other programs on the database do not use.
const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock_shared(71933263373651)";
const BEGIN_ALONE: &str = "BEGIN; SELECT pg_advisory_xact_lock(71933263373651)";

/// True if `url` names a database on a PostgreSQL server.
pub(crate) fn is_url(url: &str) -> bool {
    matches!(url.split_once(':'), Some(("postgres" | "postgresql", _)))
}

/// Opens the database, and creates and seeds our tables in it if need be.
pub(super) async fn open(url: &str, max_queries: usize) -> Result<Pools, OpenError> {
    let failed = |place: &str, reason| OpenError { path: place.into(), reason };
    let options: PgConnectOptions =
        url.parse().map_err(|_| failed("postgres://…", OpenFailure::NotAUrl))?;
    let options = options.application_name("aside").options(SETTINGS);
    let options = options.disable_statement_logging();
    let place = shown(&options);
    migrate(&options).await.map_err(|reason| failed(&place, reason))?;
    let max_queries = u32::try_from(max_queries.max(1)).unwrap_or(u32::MAX);
    let planned_once = options.clone().options(PLANNED_ONCE);
    let open = |pool: PgPoolOptions, options: &PgConnectOptions| {
        Pool::Postgres(pool.connect_lazy_with(options.clone()))
    };
    Ok(Pools {
        loads: open(pool(max_queries, LOAD_WAIT), &options),
        writer: open(pool(WRITERS, ANSWER_WAIT), &planned_once),
        log: open(pool(LOG_READERS, ANSWER_WAIT), &planned_once),
        probe: open(pool(1, ANSWER_WAIT), &options),
    })
}

/// The database without its user and password.
fn shown(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_default();
    format!("postgres://{}:{}/{database}", options.get_host(), options.get_port())
}

fn pool(connections: u32, wait: Duration) -> PgPoolOptions {
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(wait);
    // That one is lost is found out with its first use.
    let pool = pool.test_before_acquire(false);
    pool.after_connect(|connection, _| {
        Box::pin(async move {
            connection.execute(CHECK_CLIENT).await?;
            connection.execute(FIND_NOTED).await.map(|_| ())
        })
    })
}

/// Opens somebody else's database, to read from it, and to write what triggers ask for. Nothing in it is created.
pub(super) async fn open_foreign(url: &str, loads_max: usize) -> Result<(Pool, Pool), OpenError> {
    let failed = |place: &str, reason| OpenError { path: place.into(), reason };
    let options: PgConnectOptions =
        url.parse().map_err(|_| failed("postgres://…", OpenFailure::NotAUrl))?;
    let options = options.application_name("aside").options(SETTINGS).disable_statement_logging();
    // What is wrong is said by the server, or by the way to it; a pool would only say that it has waited.
    let late = |_| Err(sqlx::Error::PoolTimedOut);
    let first = timeout_at(Instant::now() + CONNECT_WAIT, options.connect()).await;
    let first =
        first.unwrap_or_else(late).map_err(|error| failed(&shown(&options), error.into()))?;
    drop(first.close().await);
    let loads_max = u32::try_from(loads_max.max(1)).unwrap_or(u32::MAX);
    let reading = options.clone().options([("default_transaction_read_only", "on")]);
    let reading = pool(loads_max, LOAD_WAIT).connect_lazy_with(reading);
    let writing = pool(FOREIGN_WRITERS, ANSWER_WAIT).connect_lazy_with(options);
    Ok((Pool::Postgres(reading), Pool::Postgres(writing)))
}

/// The rows that a query of a load finds. The server cancels it at `deadline`.
pub(super) async fn load(
    pool: &PgPool,
    text: impl SqlSafeStr,
    values: &[Value],
    deadline: Instant,
) -> Result<Vec<Row>, LoadError> {
    let left_ms = deadline.saturating_duration_since(Instant::now()).as_millis();
    let bound = format!("SET statement_timeout = {}", left_ms.clamp(1, MILLISECONDS_MAX));
    let lent = timeout_at(deadline, Lent::after(pool, &bound)).await;
    let mut lent = lent.map_err(|_| LoadError::Timeout)??;
    let found = async { rows(lent.connection()?, text, values, Row::Postgres).await };
    tokio::select! {
        found = found => {
            lent.give_back();
            Ok(found?)
        }
        () = sleep_until(deadline + CANCEL_GRACE) => {
            lent.close();
            Err(LoadError::Timeout)
        }
    }
}

/// Begins a transaction: one of many, or one beside which nobody writes.
pub(super) async fn begin(pool: &PgPool, is_alone: bool) -> sqlx::Result<Writing> {
    let begin = if is_alone { BEGIN_ALONE } else { BEGIN };
    in_time(Lent::after(pool, begin)).await.map(Writing::Postgres)
}
