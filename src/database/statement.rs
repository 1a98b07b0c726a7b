//! The boundary between the databases: a statement is written in the words of each, and runs on a connection to either.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Decode, Encode, Executor, IntoArguments, PgConnection, PgPool, Postgres,
    SqlSafeStr, Sqlite, SqlitePool, Transaction, Type, postgres::PgRow, sqlite::SqliteRow,
};
use tokio::time::timeout;

use super::{
    error::is_lost,
    lent::{Lent, others},
};

/// The longest that PostgreSQL may take for a statement that is no load, the wait for a connection included. Past it, the
/// statement fails as one whose database is away. SQLite has its own waits.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// Wakes those who listen, with the commit of the transaction that it is in.
const TELL: &str = "SELECT pg_notify('aside', '')";

/// A statement. Its parameters are `$1`, `$2` and so on, and each of them is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl Sql {
    /// A statement that reads the same in both.
    pub(crate) const fn both(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }
}

/// A parameter of a statement. It is bound, never pasted.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Number(Option<i64>),
    Text(Option<String>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

/// A row of either.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A type that a column of either may have.
pub(crate) trait Column:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl<T> Column for T where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl Row {
    /// The value in the column of this number, from 0.
    pub(crate) fn get<T: Column>(&self, column: usize) -> sqlx::Result<T> {
        match self {
            Self::Sqlite(row) => sqlx::Row::try_get(row, column),
            Self::Postgres(row) => sqlx::Row::try_get(row, column),
        }
    }

    /// The number of columns.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Sqlite(row) => sqlx::Row::len(row),
            Self::Postgres(row) => sqlx::Row::len(row),
        }
    }
}

/// Connections to either.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// All connections of one process, by what they are for.
#[derive(Debug)]
pub struct Pools {
    /// One for each query that may run at once.
    pub(crate) loads: Pool,
    /// For all writes; to SQLite one, which has one writer at a time anyway.
    pub(crate) writer: Pool,
    /// For those who follow the log of changes: they wait neither for a query nor for a writer.
    pub(crate) log: Pool,
    /// One at a time for the question of readiness alone, so that a busy service stays ready.
    pub(crate) probe: Pool,
}

/// A transaction that is a writer from its first statement.
pub(crate) enum Writing {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Lent),
}

impl Pool {
    /// All rows of a statement.
    pub(crate) async fn rows(&self, sql: Sql, values: &[Value]) -> sqlx::Result<Vec<Row>> {
        match self {
            Self::Sqlite(pool) => rows(pool, sql.sqlite, values, Row::Sqlite).await,
            Self::Postgres(pool) => in_time(only(pool, sql.postgres, values)).await,
        }
    }

    /// The one row of a statement that always has one.
    pub(crate) async fn row(&self, sql: Sql, values: &[Value]) -> sqlx::Result<Row> {
        self.rows(sql, values).await?.pop().ok_or(sqlx::Error::RowNotFound)
    }

    /// Waits for running statements and closes the connections.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Writing {
    /// All rows of a statement.
    pub(crate) async fn rows(&mut self, sql: Sql, values: &[Value]) -> sqlx::Result<Vec<Row>> {
        match self {
            Self::Sqlite(begun) => rows(&mut **begun, sql.sqlite, values, Row::Sqlite).await,
            Self::Postgres(begun) => {
                let connection = begun.connection()?;
                in_time(rows(connection, sql.postgres, values, Row::Postgres)).await
            }
        }
    }

    /// The one row of a statement that always has one.
    pub(crate) async fn row(&mut self, sql: Sql, values: &[Value]) -> sqlx::Result<Row> {
        self.rows(sql, values).await?.pop().ok_or(sqlx::Error::RowNotFound)
    }

    /// Tells those who listen of the commit, with it. On SQLite they see it by themselves.
    pub(super) async fn tell(&mut self) -> sqlx::Result<()> {
        let Self::Postgres(begun) = self else { return Ok(()) };
        in_time(begun.connection()?.execute(TELL)).await.map(|_| ())
    }

    /// Commits what was written.
    pub(crate) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(begun) => begun.commit().await,
            Self::Postgres(begun) => in_time(begun.commit()).await,
        }
    }
}

/// The rows that the first and only statement on a connection of `pool` finds.
pub(super) async fn only(pool: &PgPool, text: &str, values: &[Value]) -> sqlx::Result<Vec<Row>> {
    let mut others = others(pool);
    loop {
        let mut lent = Lent::of(pool).await?;
        match rows(lent.connection()?, AssertSqlSafe(text), values, Row::Postgres).await {
            Err(error) if is_lost(&error) && others.next().is_some() => lent.close(),
            found => {
                lent.give_back();
                return found;
            }
        }
    }
}

/// A connection on which `lock` was had, and that has it until it is dropped; `None` if another connection has it, or the
/// database is not PostgreSQL.
pub(super) async fn hold(pool: &Pool, lock: &'static str) -> sqlx::Result<Option<PgConnection>> {
    let Pool::Postgres(pool) = pool else { return Ok(None) };
    in_time(async {
        let mut lent = Lent::of(pool).await?;
        let has: bool = sqlx::query_scalar(lock).fetch_one(lent.connection()?).await?;
        Ok(if has { lent.keep() } else { None })
    })
    .await
}

/// The answer of PostgreSQL, if it comes in time.
pub(super) async fn in_time<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(ANSWER_WAIT, answer).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// The rows of `text` on a connection to a database of one kind.
pub(super) async fn rows<'e, D, E>(
    on: E,
    text: impl SqlSafeStr,
    values: &[Value],
    row: fn(D::Row) -> Row,
) -> sqlx::Result<Vec<Row>>
where
    D: sqlx::Database,
    E: Executor<'e, Database = D>,
    D::Arguments: IntoArguments<D>,
    for<'q> Option<i64>: Encode<'q, D> + Type<D>,
    for<'q> Option<String>: Encode<'q, D> + Type<D>,
{
    let mut query = sqlx::query(text);
    for value in values {
        query = match value {
            Value::Number(number) => query.bind(*number),
            Value::Text(text) => query.bind(text.clone()),
        };
    }
    Ok(query.fetch_all(on).await?.into_iter().map(row).collect())
}
