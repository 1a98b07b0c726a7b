//! Triggers by which a database itself notes, in the transaction of a change, which entries that outdates.
//!
//! On PostgreSQL there is one function a table, which sees all changed rows of a statement at once; it runs with the rights
//! of whoever has installed it, so that those who write need none. On SQLite there are triggers for each row.
//! <https://www.postgresql.org/docs/current/sql-createtrigger.html>, <https://sqlite.org/lang_createtrigger.html>

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Connection, Executor};

use super::{Foreign, ParameterType, literal, quoted, quoted_table, said};
use crate::database::statement::{Pool, Sql};

/// The beginning of the names of all that is installed.
const PREFIX: &str = "aside_on_";

/// Letters of the resource's name in that of a trigger: PostgreSQL takes names of 63 bytes.
const RESOURCE_LETTERS: usize = 32;

/// The table that triggers write to, and on PostgreSQL until when somebody has promised to look, and when anybody was there at
/// all: nobody else need be told. There,
/// functions find what they name where it is now, and nobody can put a temporary table in its place.
const TABLES: Sql = Sql {
    sqlite: include_str!("sql/tables.sqlite.sql"),
    postgres: include_str!("sql/tables.postgres.sql"),
};

/// The triggers of one table, with names in braces where the table and the resource differ. `changed`, `new` and `old` are
/// the values of the parameters in a row, and `is_…` says that all of them are there.
const TRIGGERS: Sql = Sql {
    sqlite: include_str!("sql/triggers.sqlite.sql"),
    postgres: include_str!("sql/triggers.postgres.sql"),
};

/// The names of the triggers, and on PostgreSQL of the functions, that are installed.
const INSTALLED: Sql = Sql {
    sqlite: include_str!("sql/installed.sqlite.sql"),
    postgres: include_str!("sql/installed.postgres.sql"),
};

/// The rights that a role lacks by which it would take what triggers note.
const LACKING: &str = include_str!("sql/lacking.postgres.sql");

/// A table whose changes outdate entries of a resource.
#[derive(Clone, Debug)]
pub struct Noting {
    /// The resource.
    pub resource: String,
    /// The table.
    pub table: String,
    /// The columns that hold the values of its parameters, in their order, and the types of those.
    pub columns: Vec<(String, ParameterType)>,
}

/// The triggers of one database.
#[derive(Clone, Debug)]
pub struct Triggers {
    foreign: Foreign,
    notings: Vec<Noting>,
}

impl Triggers {
    /// The triggers that note what outdates entries in `foreign`.
    pub fn of(foreign: Foreign, notings: Vec<Noting>) -> Self {
        Self { foreign, notings }
    }

    /// The resources that they are for, in their order.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.notings.iter().map(|noting| noting.resource.as_str())
    }

    /// The statements that install them.
    pub fn statements(&self) -> String {
        let of_one = |(name, noting): (String, &Noting)| self.of_one(&name, noting);
        self.foreign.of(TABLES).to_owned() + &self.named().map(of_one).collect::<String>()
    }

    /// Each with its name, which says whether it is still the one that is wanted.
    fn named(&self) -> impl Iterator<Item = (String, &Noting)> {
        self.notings.iter().map(|noting| {
            let hash = xxhash_rust::xxh3::xxh3_64(format!("{noting:?}").as_bytes()) >> 32;
            let resource: String = noting.resource.chars().take(RESOURCE_LETTERS).collect();
            (format!("{PREFIX}{resource}_{hash:08x}"), noting)
        })
    }

    fn of_one(&self, name: &str, noting: &Noting) -> String {
        let is_postgres = self.foreign.is_postgres();
        // Every second part is a name in braces. What is put in its place is not looked at again.
        let parts = self.foreign.of(TRIGGERS).split(['{', '}']).enumerate();
        let filled = parts.map(|(number, part)| match part {
            _ if number % 2 == 0 => part.to_owned(),
            "function" => quoted(name),
            "table" => quoted_table(&noting.table, is_postgres),
            "resource" => literal(&noting.resource),
            "new" | "old" | "changed" => arguments(part, noting, is_postgres),
            "is_new" | "is_old" | "is_changed" => are_there(&part[3..], noting),
            event => quoted(&format!("{name}_{event}")),
        });
        filled.collect()
    }

    /// Installs them, in place of all that were there: all or none.
    ///
    /// # Errors
    /// In the database's words.
    pub async fn install(&self) -> Result<(), String> {
        let removal = self.removal().await?;
        self.run(removal + &self.statements()).await
    }

    /// Takes all out that are there, and what they have written.
    ///
    /// # Errors
    /// In the database's words.
    pub async fn remove(&self) -> Result<(), String> {
        let removal = self.removal().await?;
        let tables = if self.foreign.is_postgres() {
            ["aside_outdated", "aside_listening"].as_slice()
        } else {
            &["aside_outdated"]
        };
        let tables = tables.iter().map(|table| format!("DROP TABLE IF EXISTS {table};\n"));
        self.run(removal + &tables.collect::<String>()).await
    }

    /// The names of those that are not installed, in the order of the tables: their tables.
    ///
    /// # Errors
    /// In the database's words.
    pub async fn missing(&self) -> Result<Vec<&Noting>, String> {
        let installed: BTreeSet<String> = self.installed().await?.into_iter().collect();
        let end = if self.foreign.is_postgres() { "" } else { "_insert" };
        let missing = self.named().filter(|(name, _)| !installed.contains(&format!("{name}{end}")));
        Ok(missing.map(|(_, noting)| noting).collect())
    }

    /// Checks that this role can take what they note.
    ///
    /// # Errors
    /// The rights that it lacks, or the database's words.
    pub async fn rights(&self) -> Result<(), String> {
        if !self.foreign.is_postgres() {
            return Ok(());
        }
        let rows = self.foreign.read(LACKING, &[]).await.map_err(|error| said(&error))?;
        let lacking: Result<Vec<String>, _> = rows.iter().map(|row| row.get(0)).collect();
        match lacking.map_err(|error| said(&error))? {
            lacking if lacking.is_empty() => Ok(()),
            lacking => Err(format!("this role lacks the right to {}", lacking.join(", "))),
        }
    }

    async fn installed(&self) -> Result<Vec<String>, String> {
        let rows = self.foreign.read(self.foreign.of(INSTALLED), &[]).await;
        rows.and_then(|rows| rows.iter().map(|row| row.get(0)).collect())
            .map_err(|error| said(&error))
    }

    /// The statements that take out what is installed.
    async fn removal(&self) -> Result<String, String> {
        let installed = self.installed().await?;
        let drop = |name: &String| match self.foreign.is_postgres() {
            true => format!("DROP FUNCTION IF EXISTS {} CASCADE;\n", quoted(name)),
            false => format!("DROP TRIGGER IF EXISTS {};\n", quoted(name)),
        };
        Ok(installed.iter().map(drop).collect())
    }

    async fn run(&self, statements: String) -> Result<(), String> {
        let run = async {
            match &self.foreign.0.writer {
                Pool::Sqlite(pool) => {
                    let mut connection = pool.acquire().await?;
                    let mut begun = connection.begin_with("BEGIN IMMEDIATE").await?;
                    begun.execute(sqlx::raw_sql(AssertSqlSafe(statements))).await?;
                    begun.commit().await
                }
                Pool::Postgres(pool) => {
                    let mut begun = pool.begin().await?;
                    begun.execute(sqlx::raw_sql(AssertSqlSafe(statements))).await?;
                    begun.commit().await
                }
            }
        };
        run.await.map_err(|error| said(&error))
    }
}

/// The values of the parameters in `row`, a JSON array.
fn arguments(row: &str, noting: &Noting, is_postgres: bool) -> String {
    let (array, text) =
        if is_postgres { ("json_build_array", "text") } else { ("json_array", "TEXT") };
    let value = |(name, kind): &(String, ParameterType)| match kind {
        ParameterType::Integer => format!("{row}.{}", quoted(name)),
        ParameterType::Text => format!("CAST({row}.{} AS {text})", quoted(name)),
    };
    let values: Vec<_> = noting.columns.iter().map(value).collect();
    format!("{array}({})", values.join(", "))
}

/// The condition that all of them are there.
fn are_there(row: &str, noting: &Noting) -> String {
    let is_there = |(name, _): &(String, _)| format!(" AND {row}.{} IS NOT NULL", quoted(name));
    "TRUE".to_owned() + &noting.columns.iter().map(is_there).collect::<String>()
}
