//! Who may know whom: the table of ARCHITECTURE.md, held against the sources.

use std::{fs, path::Path};

/// The rooms in the order of the house: each needs only rooms below it.
const ROOMS: &[&str] = &[
    "cli",
    "app",
    "http",
    "demo",
    "jobs",
    "operator",
    "sessions",
    "sources",
    "users",
    "resources",
    "delivery",
    "database",
    "memcached",
    "cache",
    "telemetry",
    "config",
    "cores",
    "metrics",
    "escape",
];

/// A room, and the words that no line of its code may contain.
const NEVER_SAYS: &[(&str, &[&str])] = &[
    ("cli", &["async_memcached", "sqlx"]),
    ("app", &["async_memcached", "sqlx"]),
    ("http", &["sqlx", "memcached::", "crate::app"]),
    ("demo", &["axum", "sqlx", "async_memcached", "crate::config"]),
    ("jobs", &["axum", "memcached::"]),
    ("operator", &["axum", "sqlx", "async_memcached", "crate::users"]),
    ("sessions", &["axum", "sqlx", "async_memcached", "cookie", "Database", "Fallback", "tracing"]),
    ("sources", &["axum", "memcached::", "crate::users"]),
    ("users", &["axum", "memcached::"]),
    ("resources", &["axum", "sqlx", "memcached::", "SELECT"]),
    ("delivery", &["axum", "memcached::", "User", "SELECT"]),
    ("database", &["axum", "memcached::", "User"]),
    ("memcached", &["axum", "sqlx", "User", "crate::config"]),
    ("cache", &["axum", "sqlx", "async_memcached", "User", "crate::config"]),
    ("telemetry", &[]),
    ("config", &["crate::"]),
    ("cores", &["crate::"]),
    ("metrics", &["crate::"]),
    ("escape", &["crate::"]),
];

/// The code of a file: without comments, and without the tests at its end.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .map(|line| line.split("//").next().unwrap().to_owned())
        .enumerate()
        .collect()
}

fn files(path: &Path) -> Vec<std::path::PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| files(&path)).collect()
}

fn module(name: &str) -> Vec<std::path::PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (file, folder) = (source.join(format!("{name}.rs")), source.join(name));
    [file, folder].iter().filter(|path| path.exists()).flat_map(|path| files(path)).collect()
}

#[test]
fn no_module_says_what_it_must_not_know() {
    let mut trespasses = Vec::new();
    for (name, words) in NEVER_SAYS {
        let files = module(name);
        assert!(!files.is_empty(), "{name} is gone; mend the table");
        for path in files {
            for (number, line) in code(&path) {
                for word in words.iter().filter(|word| line.contains(**word)) {
                    trespasses.push(format!("{}:{}: {word}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(trespasses.is_empty(), "{}", trespasses.join("\n"));
}

#[test]
fn no_room_needs_one_above_it() {
    let mut trespasses = Vec::new();
    for (floor, name) in ROOMS.iter().enumerate() {
        for path in module(name) {
            let mut is_listing = false;
            for (number, line) in code(&path) {
                is_listing = line.starts_with("use crate::{") || is_listing && line != "};";
                let above = ROOMS[..floor].iter().filter(|above| says(&line, is_listing, above));
                let place = format!("{}:{}", path.display(), number + 1);
                trespasses.extend(above.map(|above| format!("{place}: {above}")));
            }
        }
    }
    assert!(trespasses.is_empty(), "{}", trespasses.join("\n"));
}

/// True if a line takes something from `room`: by `crate::room`, or by `room` in a list of imports of the crate.
fn says(line: &str, is_listing: bool, room: &str) -> bool {
    let is_whole =
        |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    let listed = is_listing && line.trim_start().strip_prefix(room).is_some_and(is_whole);
    listed
        || line.split("crate::").skip(1).any(|rest| rest.strip_prefix(room).is_some_and(is_whole))
}

#[test]
fn every_room_stands_in_the_order_and_has_a_row() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if ["lib", "main"].contains(&name.as_str()) {
            continue;
        }
        assert!(ROOMS.contains(&name.as_str()), "{name} has no place");
        assert!(NEVER_SAYS.iter().any(|(room, _)| *room == name), "{name} has no row");
    }
}
