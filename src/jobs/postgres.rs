//! The queue in a PostgreSQL database.

use sqlx::{
    ConnectOptions, Connection, PgPool, Postgres,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{sync::OnceCell, time::timeout};

use super::{
    error::{QueueError, WAIT},
    table::{CONNECTIONS_MAX, Engine},
};

/// The server ends a transaction that its client has left open for so long. The client may have vanished from
/// the network, and the others that push must not wait for that to be found out.
const LEFT_OPEN: (&str, &str) = ("idle_in_transaction_session_timeout", "10s");

/// One transaction.
const CREATE: &str = include_str!("postgres.sql");

/// The queue in a table of the first schema on the search path.
pub(super) struct PostgresDatabase {
    options: PgConnectOptions,
    pool: OnceCell<PgPool>,
}

impl PostgresDatabase {
    /// The queue in the database at `url`; `None` if that is none.
    pub(super) fn new(url: &str) -> Option<Self> {
        let options: PgConnectOptions = url.parse().ok()?;
        let options = options.application_name("aside").options([LEFT_OPEN]);
        let options = options.disable_statement_logging();
        Some(Self { options, pool: OnceCell::new() })
    }

    /// Creates the table, over a connection of its own: the pool would try a server that refuses again and again,
    /// and in the end say that it has waited.
    async fn open(&self) -> Result<PgPool, QueueError> {
        let connected = timeout(WAIT, self.options.connect()).await;
        let mut connection = connected.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        sqlx::raw_sql(CREATE).execute(&mut connection).await?;
        connection.close().await?;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(WAIT);
        Ok(pool.connect_lazy_with(self.options.clone()))
    }
}

impl Engine for PostgresDatabase {
    type Db = Postgres;

    const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock(71933263373649)";
    const NOW: &str = "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)";
    const LISTED: &str = "(SELECT convert_to(text, 'UTF8') AS message, place FROM
        json_array_elements_text(CAST($1 AS JSON)) WITH ORDINALITY AS each (text, place)) AS listed";
    const UNLOCKED: &str = "FOR UPDATE SKIP LOCKED";

    async fn pool(&self) -> Result<PgPool, QueueError> {
        self.pool.get_or_try_init(|| self.open()).await.cloned()
    }
}
