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
    sqlite: "CREATE TABLE IF NOT EXISTS aside_outdated (
    id INTEGER PRIMARY KEY AUTOINCREMENT, resource TEXT NOT NULL, arguments TEXT NOT NULL, taken INTEGER,
    forgotten INTEGER NOT NULL DEFAULT 0);\n",
    postgres: "SELECT set_config('search_path', string_agg(quote_ident(name), ', ') || ', pg_temp', TRUE)
    FROM unnest(current_schemas(FALSE)) AS name;
CREATE TABLE IF NOT EXISTS aside_outdated (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, resource TEXT NOT NULL, arguments TEXT NOT NULL,
    taken TIMESTAMPTZ, forgotten INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS aside_listening (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1), until TIMESTAMPTZ NOT NULL, alive TIMESTAMPTZ NOT NULL);
INSERT INTO aside_listening VALUES (1, '-infinity', '-infinity') ON CONFLICT DO NOTHING;\n",
};

/// The names of the triggers, and on PostgreSQL of the functions, that are installed.
const INSTALLED: Sql = Sql {
    sqlite: "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'aside!_on!_%' ESCAPE '!'",
    postgres: "SELECT proname::text FROM pg_proc JOIN pg_class ON relnamespace = pronamespace
        WHERE pg_class.oid = to_regclass('aside_outdated') AND proname LIKE 'aside!_on!_%' ESCAPE '!'",
};

/// The rights that a role lacks by which it would take what triggers note.
const LACKING: &str = "SELECT kind || ' ' || name FROM (VALUES
        ('SELECT', 'aside_outdated'), ('UPDATE', 'aside_outdated'), ('DELETE', 'aside_outdated'),
        ('SELECT', 'aside_listening'), ('UPDATE', 'aside_listening')) AS needed (kind, name)
    WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name), kind)";

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
        let is_postgres = self.foreign.is_postgres();
        let each = self.named().map(|(name, noting)| {
            if is_postgres { of_postgres(&name, noting) } else { of_sqlite(&name, noting) }
        });
        self.foreign.of(TABLES).to_owned() + &each.collect::<String>()
    }

    /// Each with its name, which says whether it is still the one that is wanted.
    fn named(&self) -> impl Iterator<Item = (String, &Noting)> {
        self.notings.iter().map(|noting| {
            let hash = xxhash_rust::xxh3::xxh3_64(format!("{noting:?}").as_bytes()) >> 32;
            let resource: String = noting.resource.chars().take(RESOURCE_LETTERS).collect();
            (format!("{PREFIX}{resource}_{hash:08x}"), noting)
        })
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

/// The values of the parameters in `row`, a JSON array, and a condition that all are there.
fn arguments(row: &str, noting: &Noting, as_text: &str, array: &str) -> (String, String) {
    let column = |name: &str| format!("{row}.{}", quoted(name));
    let value = |(name, kind): &(String, ParameterType)| match kind {
        ParameterType::Integer => column(name),
        ParameterType::Text => format!("CAST({} AS {as_text})", column(name)),
    };
    let values: Vec<_> = noting.columns.iter().map(value).collect();
    let is_there =
        noting.columns.iter().map(|(name, _)| format!(" AND {} IS NOT NULL", column(name)));
    (format!("{array}({})", values.join(", ")), format!("TRUE{}", is_there.collect::<String>()))
}

fn of_sqlite(name: &str, noting: &Noting) -> String {
    let (table, resource) = (quoted(&noting.table), literal(&noting.resource));
    let noted = |row| {
        let (arguments, condition) = arguments(row, noting, "TEXT", "json_array");
        format!("SELECT {resource}, {arguments} WHERE {condition}")
    };
    let (new, old) = (noted("NEW"), noted("OLD"));
    let both = format!("{new}\n        UNION {old}");
    [("insert", &new), ("update", &both), ("delete", &old)]
        .map(|(event, noted)| {
            format!(
                "CREATE TRIGGER {} AFTER {} ON {table} BEGIN
    INSERT INTO aside_outdated (resource, arguments)
        {noted};
END;\n",
                quoted(&format!("{name}_{event}")),
                event.to_uppercase()
            )
        })
        .concat()
}

fn of_postgres(name: &str, noting: &Noting) -> String {
    let (table, resource) = (quoted_table(&noting.table, true), literal(&noting.resource));
    let noted = |rows: &str| {
        let (arguments, condition) = arguments("changed", noting, "text", "json_build_array");
        format!("SELECT {resource}, {arguments}::text FROM {rows} AS changed WHERE {condition}")
    };
    let (new, old) = (noted("aside_new"), noted("aside_old"));
    let branch = |event: &str, noted: &str| {
        format!(
            "IF TG_OP = '{event}' THEN
        INSERT INTO aside_outdated (resource, arguments)
            {noted};
    END IF;"
        )
    };
    let branches = [
        branch("INSERT", &new.replacen("SELECT", "SELECT DISTINCT", 1)),
        branch("UPDATE", &format!("{new}\n            UNION {old}")),
        branch("DELETE", &old.replacen("SELECT", "SELECT DISTINCT", 1)),
        branch("TRUNCATE", &noted(&table).replacen("SELECT", "SELECT DISTINCT", 1)),
    ];
    let function = quoted(name);
    let trigger = |event: &str, when: &str, referencing: &str| {
        format!(
            "CREATE TRIGGER {} {when} {} ON {table} {referencing}FOR EACH STATEMENT EXECUTE FUNCTION {function}();\n",
            quoted(&format!("{name}_{event}")),
            event.to_uppercase()
        )
    };
    format!(
        "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $aside$
BEGIN
    {}
    PERFORM pg_notify('aside', '') FROM aside_listening
        WHERE until < clock_timestamp() AND alive > clock_timestamp() - interval '1 min';
    RETURN NULL;
END $aside$;\n{}{}{}{}",
        branches.join("\n    "),
        trigger("insert", "AFTER", "REFERENCING NEW TABLE AS aside_new "),
        trigger("update", "AFTER", "REFERENCING OLD TABLE AS aside_old NEW TABLE AS aside_new "),
        trigger("delete", "AFTER", "REFERENCING OLD TABLE AS aside_old "),
        trigger("truncate", "BEFORE", ""),
    )
}
