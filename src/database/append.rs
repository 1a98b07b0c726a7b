//! Writes: what outdates an entry of the cache is appended to the log in the transaction that changes the row.

use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::{
    Database, Outdated, Unwritten,
    statement::{Row, Sql, Value, Writing, in_time, rows},
};
use crate::cache::{Change, Key, Places};

/// A change is missed everywhere, whichever servers there are: all bits are set.
const APPEND: &str = "INSERT INTO changes (key, missing) VALUES ($1, -1)
    RETURNING position, (SELECT list FROM serving)";

/// The same of many keys in a JSON array, each with the bits of the places of this list that may still have it.
const APPEND_ALL: Sql = Sql {
    sqlite: "INSERT INTO changes (key, missing)
        SELECT value ->> 0, CASE WHEN list = $2 THEN value ->> 1 ELSE -1 END
        FROM json_each($1), serving
        RETURNING position, (SELECT list FROM serving), key",
    postgres: "INSERT INTO changes (key, missing)
        SELECT value ->> 0, CASE WHEN list = $2 THEN (value ->> 1)::bigint ELSE -1 END
        FROM json_array_elements($1::json), serving
        RETURNING position, (SELECT list FROM serving), key",
};

/// The same as [`APPEND`] for PostgreSQL, in one round trip with the statement that makes the entry of `key` outdated.
fn appending(written: &str, key: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "WITH written AS ({written}),
            appended AS (
                INSERT INTO changes (key, missing) SELECT {key}, -1 FROM written RETURNING position)
        SELECT written.*, position, (SELECT list FROM serving) FROM written, appended"
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
            let key = Key::numbered(space, row.get(0)?);
            let appended = self.one(APPEND, &[key.as_str().into()]).await?;
            return Ok((row, Outdated::read(&appended, 0, key)?));
        }
        let text = appending(sql.postgres, &format!("'{space}:' || written.id"));
        let row = self.one(text, values).await?;
        let (key, position) = (Key::numbered(space, row.get(0)?), row.len() - 2);
        let outdated = Outdated::read(&row, position, key)?;
        Ok((row, outdated))
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
    /// Appends to the log that the entries of these keys, each of which is there once, are outdated, and which places of
    /// `list` may still have them: where another list is in force, all of them.
    ///
    /// # Errors
    /// If the database can't be written.
    pub async fn outdate(
        &self,
        list: i64,
        keys: &[(Key, Places)],
    ) -> Result<Vec<Outdated>, Unwritten> {
        let mut writing = self.begin().await?;
        let keys: Vec<_> = keys.iter().map(|(key, left)| (key.as_str(), left.bits())).collect();
        let keys = serde_json::json!(keys).to_string();
        let rows = writing.rows(APPEND_ALL, &[keys.as_str().into(), list.into()]).await?;
        self.commit(writing).await?;
        let outdated = |row: &Row| {
            let key = Key::new(&row.get::<String>(2)?)
                .map_err(|error| sqlx::Error::Decode(error.into()))?;
            Outdated::read(row, 0, key)
        };
        Ok(rows.iter().map(outdated).collect::<sqlx::Result<_>>()?)
    }
}
