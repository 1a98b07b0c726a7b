//! `aside init`: a resource for a table, to begin with.

use std::fmt::Write;

use clap::Args;
use tokio::runtime::Builder;
use toml::Value;
use url::Url;

use super::command::{Failed, Result, block_on, print};
use crate::{
    database::{ColumnKind, Foreign, TableColumn},
    resources::{file::NAMES_TAKEN, is_name},
};

/// The table, and where it is.
#[derive(Args, Debug)]
pub(super) struct Init {
    /// Database, sqlite://PATH or postgres://...
    #[arg(value_name = "DATABASE_URL")]
    database: String,
    /// Table, after its schema and a dot if need be
    table: String,
}

impl Init {
    pub(super) fn run(&self) -> Result {
        block_on(Builder::new_current_thread(), async {
            let foreign = Foreign::open(&self.database, 1).await.map_err(Failed::refused)?;
            let columns = foreign.columns(&self.table).await.map_err(Failed::Failure)?;
            if columns.is_empty() {
                return Err(Failed::Failure(format!("there is no table {:?}", self.table)));
            }
            let mut key: Vec<_> = columns.iter().filter(|column| column.key > 0).collect();
            key.sort_by_key(|column| column.key);
            if key.is_empty() {
                let why = format!(
                    "the table {:?} has no primary key, by which its rows would be told apart",
                    self.table
                );
                return Err(Failed::Failure(why));
            }
            if key.iter().any(|it| matches!(it.kind, ColumnKind::Bytes | ColumnKind::Json)) {
                let why = "has JSON or bytes in its primary key, which no parameter takes";
                return Err(Failed::Failure(format!("the table {:?} {why}", self.table)));
            }
            print(self.resource(&columns, &key))
        })
    }

    fn resource(&self, columns: &[TableColumn], key: &[&TableColumn]) -> String {
        let database = word(database_name(&self.database));
        let mut name = word(self.table.rsplit('.').next().unwrap_or_default());
        if NAMES_TAKEN.contains(&&*name) {
            name = format!("{database}_{name}");
        }
        let each = |text: &dyn Fn(&TableColumn) -> String, between: &str| {
            key.iter().map(|column| text(column)).collect::<Vec<_>>().join(between)
        };
        let parameter = |column: &TableColumn| parameter(&column.name);
        let path = each(&|column| format!("{{{}}}", parameter(column)), "/");
        let types = each(&|column| format!("{} = \"{}\"", parameter(column), kind(column)), ", ");
        let told = each(&|column| format!("{} = {}", parameter(column), text(&column.name)), ", ");
        let found: Vec<_> = columns.iter().map(|column| quoted(&column.name)).collect();
        let same =
            each(&|column| format!("{} = :{}", quoted(&column.name), parameter(column)), " AND ");
        let table = self.table.split('.').map(quoted).collect::<Vec<_>>().join(".");
        let query = format!("SELECT {} FROM {table} WHERE {same}", found.join(", "));
        let mut out = String::new();
        // Writing to a string never fails.
        let _ = match has_password(&self.database) {
            true => writeln!(
                out,
                "[database.{database}]\nurl_from = \"{}_DATABASE\"    # a variable of the environment: the URL has a password",
                database.to_uppercase().replace('-', "_")
            ),
            false => writeln!(out, "[database.{database}]\nurl = {}", text(&self.database)),
        };
        let _ = writeln!(
            out,
            "\n[resource.{name}]
path = \"/{name}/{path}\"
parameters = {{ {types} }}
database = \"{database}\"
query = {}
ttl = \"60s\"
changed_by = [{{ table = {}, columns = {{ {told} }} }}]    # aside triggers --install",
            text(&query),
            text(&self.table),
        );
        out
    }
}

/// A text as TOML has it.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}

fn kind(column: &TableColumn) -> &'static str {
    match column.kind {
        ColumnKind::Integer => "integer",
        ColumnKind::Uuid => "uuid",
        _ => "text",
    }
}

/// The name of a column as a statement has it.
fn quoted(name: &str) -> String {
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let is_word =
        name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(is_plain);
    if is_word { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A parameter for a column of this name.
fn parameter(column: &str) -> String {
    let name = column.replace(|it: char| !it.is_ascii_alphanumeric(), "_");
    if is_name(&name) { name } else { format!("p_{}", name.chars().take(30).collect::<String>()) }
}

/// A name that a resource or a database may have.
fn word(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace(|it: char| !it.is_ascii_alphanumeric(), "_");
    let is_sound = name.starts_with(|first: char| first.is_ascii_lowercase());
    if is_sound {
        name.chars().take(30).collect()
    } else {
        format!("t_{}", name.chars().take(28).collect::<String>())
    }
}

/// The last word of a URL: a database, or a file without what is after its dot.
fn database_name(url: &str) -> &str {
    let place = url.split('?').next().unwrap_or_default();
    let last = place.rsplit(['/', ':']).find(|part| !part.is_empty()).unwrap_or("own");
    last.split('.').find(|part| !part.is_empty()).unwrap_or(last)
}

fn has_password(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.password().is_some())
}
