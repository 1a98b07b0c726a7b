//! The statement around a query that makes JSON of what it finds, in the database.

use std::fmt::Write;

/// Most bytes of a value.
const VALUE_BYTES_MAX: usize = 16 << 20;

/// The statement that finds one text: all rows of `text` as an array, or its row as an object, if it has one; of two it finds
/// two. `columns` are its columns, and whether each is JSON already. A text that is too long is no text.
pub(super) fn made_json(
    text: &str,
    columns: &[(&str, bool)],
    has_all_rows: bool,
    is_postgres: bool,
) -> String {
    // A comment at its end must not take in what comes after it.
    let found = format!("(\n{text}\n) AS found");
    let made = match (is_postgres, has_all_rows) {
        (true, true) => {
            format!("SELECT coalesce(json_agg(found), '[]')::text AS value FROM {found}")
        }
        (true, false) => format!("SELECT row_to_json(found)::text AS value FROM {found} LIMIT 2"),
        (false, true) => {
            format!("SELECT json_group_array({}) AS value FROM {found}", object(columns))
        }
        (false, false) => format!("SELECT {} AS value FROM {found} LIMIT 2", object(columns)),
    };
    let length = if is_postgres { "octet_length(value)" } else { "length(CAST(value AS BLOB))" };
    format!("SELECT CASE WHEN {length} <= {VALUE_BYTES_MAX} THEN value END FROM ({made}) AS made")
}

/// The call by which SQLite makes an object of a row. It has no JSON for bytes: they are written as PostgreSQL does.
fn object(columns: &[(&str, bool)]) -> String {
    let mut call = "json_object(".to_owned();
    for (number, (name, is_json)) in columns.iter().enumerate() {
        let comma = if number == 0 { "" } else { ", " };
        let field = name.replace('\'', "''");
        let column = format!("found.\"{}\"", name.replace('"', "\"\""));
        // Writing to a string never fails.
        let _ = match is_json {
            true => write!(call, "{comma}'{field}', json({column})"),
            false => write!(
                call,
                "{comma}'{field}', CASE typeof({column}) WHEN 'blob' THEN '\\x' || lower(hex({column})) ELSE {column} END"
            ),
        };
    }
    call + ")"
}
