//! Somebody else's database: what of it is served is read, and what its triggers note is taken. Nothing is created in it
//! but the triggers and what they write to, and those only when that is asked for.

mod inbox;
mod tables;
mod triggers;

use std::{io, sync::Arc};

use sqlx::{AssertSqlSafe, Column as _, Executor, SqlSafeStr, Statement};
use tokio::time::{Instant, timeout_at};

pub use self::{
    inbox::{Inbox, Noted, SEEN_MAX},
    tables::{ColumnKind, TableColumn},
    triggers::{Noting, Triggers},
};
use super::{
    error::{OpenError, said},
    postgres, sqlite,
    statement::{Pool, Row, Sql, Value, in_time, only, rows},
};
use crate::cache::LoadError;

/// The error of a file that is not where it was.
const LOST: &str =
    "its file is gone, or another has taken its name: put it back, or start the service again";

/// Somebody else's database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Foreign(Arc<Pools>);

#[derive(Debug)]
struct Pools {
    /// For queries: nothing can be written by them.
    loads: Pool,
    writer: Pool,
    /// The file, and the name under which it is to stay; `None` on PostgreSQL.
    home: Option<sqlite::Home>,
}

/// A column of what a statement finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// The table and the column that it comes from, if it is not computed. SQLite alone tells.
    pub origin: Option<(String, String)>,
}

/// A parameter of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// 64 bits.
    Integer,
    /// Text of any kind.
    Text,
}

impl Foreign {
    /// Opens the database that `url` names (`sqlite://PATH`, `postgres://…`), which must be there.
    ///
    /// At most `loads_max` queries run at a time.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(url: &str, loads_max: usize) -> Result<Self, OpenError> {
        let pools = if postgres::is_url(url) {
            let (loads, writer) = postgres::open_foreign(url, loads_max).await?;
            Pools { loads, writer, home: None }
        } else {
            let (loads, writer, home) = sqlite::open_foreign(url, loads_max).await?;
            Pools { loads, writer, home: Some(home) }
        };
        Ok(Self(Arc::new(pools)))
    }

    /// True if it is on PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self.0.loads, Pool::Postgres(_))
    }

    /// Prepares a statement with parameters of these types, and tells what columns it finds. It may be run, too.
    ///
    /// # Errors
    /// In the database's words.
    pub async fn prepare(
        &self,
        text: &str,
        parameters: &[ParameterType],
    ) -> Result<Vec<Found>, String> {
        let explain = format!("EXPLAIN {text}");
        let text = AssertSqlSafe(text.to_owned()).into_sql_str();
        match &self.0.loads {
            Pool::Sqlite(pool) => {
                let mut connection = pool.acquire().await.map_err(|error| said(&error))?;
                let statement = connection.prepare(text).await.map_err(|error| said(&error))?;
                let column = |column: &sqlx::sqlite::SqliteColumn| Found {
                    name: column.name().to_owned(),
                    origin: column
                        .origin()
                        .table_column()
                        .map(|it| (it.table.to_string(), it.name.to_string())),
                };
                Ok(statement.columns().iter().map(column).collect())
            }
            Pool::Postgres(pool) => {
                let types: Vec<_> = parameters.iter().map(|it| it.postgres()).collect();
                let statement = in_time(async {
                    let mut connection = pool.acquire().await?;
                    connection.prepare_with(text, &types).await
                });
                let statement = statement.await.map_err(|error| said(&error))?;
                // If the role may read it is seen only by what would run it.
                let nulls: Vec<_> = parameters.iter().map(|it| it.null()).collect();
                self.read(&explain, &nulls).await.map_err(|error| said(&error))?;
                let column = |column: &sqlx::postgres::PgColumn| Found {
                    name: column.name().to_owned(),
                    origin: None,
                };
                Ok(statement.columns().iter().map(column).collect())
            }
        }
    }

    /// The rows that a query of a load finds. It ends at `deadline`, in the database, too.
    pub(crate) async fn load(
        &self,
        text: &Arc<str>,
        values: &[Value],
        deadline: Instant,
    ) -> Result<Vec<Row>, LoadError> {
        timeout_at(deadline, self.kept()).await.map_err(|_| LoadError::Timeout)??;
        let text = AssertSqlSafe(text.clone());
        match &self.0.loads {
            Pool::Sqlite(pool) => sqlite::load(pool, text, values, deadline).await,
            Pool::Postgres(pool) => postgres::load(pool, text, values, deadline).await,
        }
    }

    /// Makes sure that what is read is what others write: a file that has lost its name stays as it was.
    async fn kept(&self) -> sqlx::Result<()> {
        match &self.0.home {
            Some(home) if !home.is_kept().await => Err(io::Error::other(LOST).into()),
            _ => Ok(()),
        }
    }

    /// A statement in its words.
    fn of(&self, sql: Sql) -> &'static str {
        if self.is_postgres() { sql.postgres } else { sql.sqlite }
    }

    /// All rows of a statement that only reads.
    async fn read(&self, text: &str, values: &[Value]) -> sqlx::Result<Vec<Row>> {
        all(&self.0.loads, text, values).await
    }

    /// All rows of a statement that may write.
    async fn write(&self, text: &str, values: &[Value]) -> sqlx::Result<Vec<Row>> {
        all(&self.0.writer, text, values).await
    }
}

async fn all(pool: &Pool, text: &str, values: &[Value]) -> sqlx::Result<Vec<Row>> {
    match pool {
        Pool::Sqlite(pool) => rows(pool, AssertSqlSafe(text), values, Row::Sqlite).await,
        Pool::Postgres(pool) => in_time(only(pool, text, values)).await,
    }
}

impl ParameterType {
    fn postgres(self) -> sqlx::postgres::PgTypeInfo {
        match self {
            Self::Integer => <i64 as sqlx::Type<sqlx::Postgres>>::type_info(),
            Self::Text => <String as sqlx::Type<sqlx::Postgres>>::type_info(),
        }
    }

    fn null(self) -> Value {
        match self {
            Self::Integer => Value::Number(None),
            Self::Text => Value::Text(None),
        }
    }
}

/// A name as a statement has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table as a statement has it: on PostgreSQL, what is before a dot is its schema.
fn quoted_table(name: &str, is_postgres: bool) -> String {
    if is_postgres {
        name.split('.').map(quoted).collect::<Vec<_>>().join(".")
    } else {
        quoted(name)
    }
}

/// A text as a statement has it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
