//! A query of somebody else's as a source: its database runs it and makes JSON of what it finds.

mod json;
mod statement;

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use self::{json::made_json, statement::Statement};
use crate::{
    cache::{Key, LoadEnd, LoadError, Source},
    database::{ColumnKind, Foreign, Found, Noting, ParameterType, TableColumn, Value},
    resources::{
        Argument, Arguments, Definition, Kind,
        file::{At, ChangedBy, Fault, QueryDeclared},
    },
};

/// A query of a resource.
pub struct Query {
    database: Foreign,
    /// Finds one text: the value.
    text: Arc<str>,
    space: Arc<str>,
}

impl Query {
    /// Prepares the query of a resource in its database.
    ///
    /// # Errors
    /// [`Fault`], with what the database says of it.
    pub async fn prepare(
        declared: &QueryDeclared,
        definition: &Definition,
        database: Foreign,
    ) -> Result<Self, Fault> {
        let refused = |why: String| declared.at.fault(format_args!("query: {why}"));
        let parameters = definition.signature.parameters();
        let names: Vec<_> = parameters.iter().map(|it| &*it.name).collect();
        let statement = Statement::read(&declared.text, &names).map_err(refused)?;
        let is_postgres = database.is_postgres();
        let text = statement.text(|number| match (is_postgres, parameters[number].kind) {
            (true, Kind::Uuid) => format!("${}::uuid", number + 1),
            (true, _) => format!("${}", number + 1),
            (false, _) => format!("?{}", number + 1),
        });
        let types: Vec<_> = parameters.iter().map(|it| parameter_type(it.kind)).collect();
        let columns = database.prepare(&text, &types).await.map_err(refused)?;
        names_are_sound(&columns, &statement).map_err(refused)?;
        if is_postgres && !declared.json.is_empty() {
            return Err(refused(
                "json is for SQLite; on PostgreSQL a column is cast, as in items::json".to_owned(),
            ));
        }
        let mut is_json = vec![false; columns.len()];
        for (column, is_json) in columns.iter().zip(&mut is_json) {
            *is_json =
                declared.json.contains(&column.name) || is_declared_json(column, &database).await;
        }
        if let Some(name) =
            declared.json.iter().find(|name| !columns.iter().any(|it| it.name == **name))
        {
            return Err(refused(format!("json names {name}, and it finds no such column")));
        }
        let names: Vec<_> =
            columns.iter().map(|column| column.name.as_str()).zip(is_json).collect();
        let text = made_json(&text, &names, declared.has_all_rows, is_postgres);
        database.prepare(&text, &types).await.map_err(refused)?;
        Ok(Self { database, text: text.into(), space: definition.space.clone() })
    }
}

impl Source for Query {
    type Id = Arguments;

    fn key(&self, id: &Arguments) -> Key {
        id.key(&self.space)
    }

    async fn load(&self, id: Arguments, deadline: Instant) -> LoadEnd {
        let value = |argument: &Argument| match argument {
            Argument::Integer(number) => Value::from(*number),
            Argument::Text(text) => Value::from(&**text),
        };
        let values: Vec<_> = id.values().iter().map(value).collect();
        let rows = self.database.load(&self.text, &values, deadline).await?;
        let failed =
            |why: &str| LoadError::Failed(format!("resource {}: {why}", self.space).into());
        match &rows[..] {
            [] => Ok(None.into()),
            [row] => match row.get::<Option<String>>(0)? {
                Some(body) => Ok(Some(Bytes::from(body)).into()),
                None => Err(failed("what its query finds is longer than 16 MiB")),
            },
            _ => Err(failed("its query finds more than one row, and rows is not \"all\"")),
        }
    }
}

fn parameter_type(kind: Kind) -> ParameterType {
    match kind {
        Kind::Integer { .. } => ParameterType::Integer,
        Kind::Text | Kind::Uuid => ParameterType::Text,
    }
}

/// Refuses columns that would be fields without a name of somebody's choice, or two of one name.
fn names_are_sound(columns: &[Found], statement: &Statement) -> Result<(), String> {
    if columns.is_empty() {
        return Err("it finds no columns".to_owned());
    }
    for (number, column) in columns.iter().enumerate() {
        let name = &column.name;
        // PostgreSQL calls a column without a name so; SQLite gives it the text of its expression.
        let is_word = name.starts_with(|it: char| it.is_alphabetic() || it == '_')
            && name.chars().all(|it| it.is_alphanumeric() || "_$".contains(it));
        if name == "?column?" || !is_word && !statement.quotes(name) {
            return Err(format!(
                "its column {} has no name: it takes one, as in count(*) AS count",
                number + 1
            ));
        }
        if columns[..number].iter().any(|other| other.name == *name) {
            return Err(format!("it has two columns of the name {name}"));
        }
    }
    Ok(())
}

/// True of a column that its table declares to be JSON. PostgreSQL knows that by itself.
async fn is_declared_json(column: &Found, database: &Foreign) -> bool {
    let Some((table, name)) = &column.origin else { return false };
    let columns = database.columns(table).await.unwrap_or_default();
    columns.iter().any(|it| it.name == *name && it.kind == ColumnKind::Json)
}

/// The notes that the triggers of a table make for a resource.
///
/// # Errors
/// [`Fault`]: the table or a column is not there, or its values can't be told by those of a parameter.
pub async fn noting(
    changed_by: &ChangedBy,
    definition: &Definition,
    database: &Foreign,
) -> Result<Noting, Fault> {
    let ChangedBy { table, columns, at } = changed_by;
    let there =
        database.columns(table).await.map_err(|why| at.fault(format_args!("changed_by: {why}")))?;
    if there.is_empty() {
        return Err(at.fault(format_args!("changed_by: there is no table {table:?}")));
    }
    let mut values = Vec::new();
    for (name, parameter) in columns.iter().zip(definition.signature.parameters()) {
        let column = there.iter().find(|column| column.name == *name);
        let column = column.ok_or_else(|| {
            let names: Vec<_> = there.iter().map(|it| it.name.as_str()).collect();
            at.fault(format_args!(
                "changed_by: the table {table:?} has no column {name:?}; it has {}",
                names.join(", ")
            ))
        })?;
        is_told(column, parameter.kind, at)?;
        values.push((name.clone(), parameter_type(parameter.kind)));
    }
    Ok(Noting { resource: definition.name.to_string(), table: table.clone(), columns: values })
}

/// Refuses a column that has equal values of more than one spelling: their keys would be forgotten by one of them only.
fn is_told(column: &TableColumn, kind: Kind, at: &At) -> Result<(), Fault> {
    let takes = match (kind, column.kind) {
        (Kind::Integer { .. }, ColumnKind::Integer)
        | (Kind::Uuid, ColumnKind::Uuid | ColumnKind::Other)
        | (Kind::Text, ColumnKind::Other) => return Ok(()),
        (_, ColumnKind::Integer) => "integer",
        (_, ColumnKind::Uuid) => "uuid",
        (_, ColumnKind::Other) => "text",
        (_, ColumnKind::Json | ColumnKind::Bytes) => {
            let why = "JSON or bytes, which no parameter takes";
            return Err(
                at.fault(format_args!("changed_by: the column {:?} has {why}", column.name))
            );
        }
    };
    let why = format_args!("the column {:?} takes a parameter of the type {takes}", column.name);
    Err(at.fault(format_args!("changed_by: {why}")))
}
