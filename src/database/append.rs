//! Writes: what outdates an entry of the cache is appended to the log in the transaction that changes the row.

use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::{
    Database, Outdated, Unwritten,
    statement::{Row, Sql, Value, Writing, in_time, rows},
};
use crate::cache::{Change, Key};

/// A change of the same key that is not forgotten everywhere yet is superseded: the log holds at most one of those for
/// each key.
const APPEND: &str = "UPDATE changes SET missing = 0 WHERE key = $1 AND missing <> 0;
    INSERT INTO changes (key, missing) SELECT $1, coalesce(sum(1 << place), 0) FROM servers
    RETURNING position, (SELECT list FROM serving)";

/// The same for PostgreSQL, in one round trip with the statement that makes the entry of `key` outdated. Those who listen
/// are told, if they may be asleep: `postgres::Ear` says when.
fn appending(written: &str, key: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "WITH written AS ({written}),
            superseded AS (
                UPDATE changes SET missing = 0 FROM written WHERE key = {key} AND missing <> 0),
            appended AS (
                INSERT INTO changes (key, missing)
                SELECT {key}, (SELECT coalesce(bit_or(1::bigint << place::int), 0) FROM servers)
                FROM written RETURNING position)
        SELECT written.*, position, list, (SELECT pg_notify('aside', '')::text WHERE NOT EXISTS (
            SELECT FROM (SELECT at FROM changes ORDER BY position DESC LIMIT 1) AS last
            WHERE clock_timestamp() - at BETWEEN interval '0' AND interval '1 s'))
        FROM written, appended, serving"
    ))
}

impl Writing {
    /// Runs a statement that writes one row, whose first column is its number, and appends to the log that the entry of
    /// that number in `space` is outdated everywhere.
    pub(crate) async fn change(
        &mut self,
        sql: Sql,
        values: &[Value],
        space: &'static str,
    ) -> sqlx::Result<(Row, Outdated)> {
        if let Self::Sqlite(_) = self {
            let row = self.row(sql, values).await?;
            let outdated = self.append(Key::numbered(space, row.get(0)?)).await?;
            return Ok((row, outdated));
        }
        let text = appending(sql.postgres, &format!("'{space}:' || written.id"));
        let row = self.one(text, values).await?;
        let (key, position) = (Key::numbered(space, row.get(0)?), row.len() - 3);
        let outdated = Outdated::read(&row, position, key)?;
        Ok((row, outdated))
    }

    /// Appends to the log by itself that `key` is outdated everywhere.
    async fn append(&mut self, key: Key) -> sqlx::Result<Outdated> {
        let values = [key.as_str().into()];
        let row = match self {
            Self::Sqlite(_) => self.one(APPEND, &values).await?,
            Self::Postgres(_) => self.one(appending("SELECT", "$1"), &values).await?,
        };
        Outdated::read(&row, 0, key)
    }

    async fn one(&mut self, text: impl SqlSafeStr, values: &[Value]) -> sqlx::Result<Row> {
        let found = match self {
            Self::Sqlite(begun) => rows(&mut **begun, text, values, Row::Sqlite).await,
            Self::Postgres(begun) => {
                in_time(rows(begun.connection()?, text, values, Row::Postgres)).await
            }
        };
        found?.pop().ok_or(sqlx::Error::RowNotFound)
    }
}

impl Outdated {
    /// A change of `key` whose position is in this column, and the list in the next.
    fn read(row: &Row, column: usize, key: Key) -> sqlx::Result<Self> {
        let (position, list) = (row.get(column)?, row.get(column + 1)?);
        Ok(Self { change: Change { position, key }, list })
    }
}

impl Database {
    /// Appends to the log, without a write, that the entry of `key` is outdated.
    ///
    /// # Errors
    /// If the database can't be written.
    pub async fn outdate(&self, key: Key) -> Result<Outdated, Unwritten> {
        let mut writing = self.begin().await?;
        let outdated = writing.append(key).await?;
        self.commit(writing).await?;
        Ok(outdated)
    }
}
