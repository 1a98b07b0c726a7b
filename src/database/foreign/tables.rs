//! The tables of somebody else's database, as far as keys are told from them.

use super::{Foreign, quoted_table, said};
use crate::database::statement::{Sql, Value};

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// The kind of its values.
    pub kind: ColumnKind,
    /// Its place in the primary key, from 1; 0 if it is not in that.
    pub key: i64,
}

/// The kind of the values of a column, as far as keys are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers.
    Integer,
    /// UUIDs.
    Uuid,
    /// JSON.
    Json,
    /// Bytes.
    Bytes,
    /// Anything else.
    Other,
}

/// The name, the type and the place in the primary key of each column.
const COLUMNS: Sql = Sql {
    sqlite: "SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid",
    postgres: "SELECT attname::text, format_type(atttypid, NULL),
            coalesce(array_position(indkey::int2[], attnum), -1)::bigint + 1
        FROM pg_attribute LEFT JOIN pg_index ON indrelid = attrelid AND indisprimary
        WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
};

impl Foreign {
    /// The columns of a table; none if there is no such table.
    ///
    /// # Errors
    /// In the database's words.
    pub async fn columns(&self, table: &str) -> Result<Vec<TableColumn>, String> {
        let (text, name) = if self.is_postgres() {
            (COLUMNS.postgres, quoted_table(table, true))
        } else {
            (COLUMNS.sqlite, table.to_owned())
        };
        let rows = self.read(text, &[Value::from(name.as_str())]).await;
        let column = |row: &super::Row| {
            let (name, kind, key): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(TableColumn { name, kind: self.kind(&kind), key })
        };
        rows.and_then(|rows| rows.iter().map(column).collect()).map_err(|error| said(&error))
    }

    /// The kind of a type. SQLite goes by parts of its name (<https://sqlite.org/datatype3.html#determination_of_column_affinity>).
    fn kind(&self, name: &str) -> ColumnKind {
        let name = name.to_ascii_lowercase();
        match &*name {
            "smallint" | "integer" | "bigint" => ColumnKind::Integer,
            "uuid" => ColumnKind::Uuid,
            "json" | "jsonb" => ColumnKind::Json,
            "bytea" | "blob" => ColumnKind::Bytes,
            name if !self.is_postgres() && name.contains("int") => ColumnKind::Integer,
            _ => ColumnKind::Other,
        }
    }
}
