//! Who may know whom: the table of ARCHITECTURE.md, held against the sources.

use std::{fs, path::Path};

/// A module, and the words that no line of its code may contain.
const NEVER_SAYS: &[(&str, &[&str])] = &[
    (
        "cache",
        &[
            "sqlx",
            "async_memcached",
            "axum",
            "User",
            "crate::memcached",
            "crate::users",
            "crate::http",
            "crate::app",
            "crate::config",
        ],
    ),
    (
        "memcached",
        &["User", "axum", "sqlx", "crate::users", "crate::http", "crate::app", "crate::config"],
    ),
    ("users", &["axum", "async_memcached", "crate::memcached", "crate::http", "crate::app"]),
    (
        "calculations",
        &[
            "axum",
            "sqlx",
            "async_memcached",
            "crate::memcached",
            "crate::http",
            "crate::app",
            "crate::users",
        ],
    ),
    (
        "sessions",
        &[
            "axum",
            "sqlx",
            "async_memcached",
            "cookie",
            "Database",
            "Fallback",
            "crate::http",
            "crate::app",
            "crate::config",
            "crate::metrics",
            "tracing",
        ],
    ),
    ("http", &["sqlx", "async_memcached", "crate::memcached", "crate::app", "crate::cli"]),
    (
        "jobs",
        &["axum", "async_memcached", "crate::memcached", "crate::http", "crate::app", "crate::cli"],
    ),
    (
        "demo",
        &[
            "axum",
            "sqlx",
            "async_memcached",
            "crate::http",
            "crate::app",
            "crate::cli",
            "crate::config",
        ],
    ),
    (
        "delivery",
        &[
            "axum",
            "async_memcached",
            "crate::memcached",
            "crate::http",
            "crate::app",
            "crate::cli",
            "crate::config",
        ],
    ),
    ("config", &["crate::"]),
    ("escape", &["crate::"]),
    ("metrics", &["crate::"]),
    (
        "statistics",
        &[
            "axum",
            "sqlx",
            "async_memcached",
            "crate::memcached",
            "crate::http",
            "crate::users",
            "crate::app",
        ],
    ),
    (
        "telemetry",
        &["crate::cache", "crate::users", "crate::http", "crate::memcached", "crate::app"],
    ),
    ("app", &["async_memcached", "sqlx", "crate::cli"]),
    ("cli", &["async_memcached", "sqlx"]),
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
fn every_module_has_a_row() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let known = NEVER_SAYS.iter().any(|(module, _)| *module == name);
        assert!(known || ["lib", "main"].contains(&name.as_str()), "{name} has no row");
    }
}
