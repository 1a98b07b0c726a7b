//! The address of a queue: what `--queue` takes.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use redis::{Client, ConnectionAddr};
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

use crate::database::options_of;

/// The place of a queue. What it prints leaves out the user and the password.
#[derive(Clone)]
pub enum Address {
    /// An SQLite file.
    Sqlite(SqliteConnectOptions),
    /// A database on a PostgreSQL server.
    Postgres(Box<PgConnectOptions>),
    /// A Redis server.
    Redis(Client),
}

/// The text is no address of a queue. It is not repeated: there may be a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it takes sqlite://PATH, postgres://USER:PASSWORD@HOST:PORT/DATABASE, or redis://:PASSWORD@HOST:PORT/NUMBER (rediss:// for TLS)"
)]
pub struct InvalidAddress;

impl Address {
    /// The file beside the users' database, so that neither waits for the other's writes.
    ///
    /// # Errors
    /// [`InvalidAddress`] if `database` is no URL of an SQLite file.
    pub fn beside(database: &str) -> Result<Self, InvalidAddress> {
        options_of(database).map_err(|_| InvalidAddress)?;
        let place = database.strip_suffix("?mode=rwc").unwrap_or(database);
        format!("{place}-jobs").parse()
    }

    /// True if it is the file of the users' database, by whatever name, be they there or not.
    pub fn is_file_of(&self, database: &str) -> bool {
        let (Self::Sqlite(queue), Ok(database)) = (self, options_of(database)) else {
            return false;
        };
        resolved(queue.get_filename()) == resolved(database.get_filename())
    }
}

/// The path without links. Of a file that is not there, its folder counts.
fn resolved(path: &Path) -> PathBuf {
    let in_its_folder = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(in_its_folder).unwrap_or_else(|| path.to_owned())
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let address = match text.split_once(':') {
            Some(("sqlite", _)) => options_of(text).ok().map(Self::Sqlite),
            Some(("postgres" | "postgresql", _)) => {
                text.parse().ok().map(Box::new).map(Self::Postgres)
            }
            Some(("redis" | "rediss", _)) => Client::open(text).ok().map(Self::Redis),
            _ => None,
        };
        address.ok_or(InvalidAddress)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(options) => {
                let path = options.get_filename().to_string_lossy();
                write!(f, "sqlite://{}", path.escape_debug())
            }
            Self::Postgres(options) => {
                let database = options.get_database().unwrap_or_default();
                write!(f, "postgres://{}:{}/{database}", options.get_host(), options.get_port())
            }
            Self::Redis(client) => {
                let place = client.get_connection_info();
                let is_tls = matches!(place.addr(), ConnectionAddr::TcpTls { .. });
                let scheme = if is_tls { "rediss" } else { "redis" };
                write!(f, "{scheme}://{}/{}", place.addr(), place.redis_settings().db())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Address>().unwrap().to_string()
    }

    #[test]
    fn what_is_shown_has_neither_user_nor_password() {
        assert_eq!(
            shown("postgres://ada:s3cret@db.example:5433/jobs"),
            "postgres://db.example:5433/jobs"
        );
        assert_eq!(shown("redis://ada:s3cret@cache.example/3"), "redis://cache.example:6379/3");
        assert_eq!(shown("rediss://:s3cret@cache.example:6380"), "rediss://cache.example:6380/0");
        assert_eq!(shown("sqlite://a/b.db"), "sqlite://a/b.db");
    }

    #[test]
    fn the_file_beside_a_database_has_a_name_of_its_own() {
        for database in ["sqlite://aside.db", "sqlite://aside.db?mode=rwc", "sqlite:aside.db"] {
            let beside = Address::beside(database).unwrap();
            assert_eq!(beside.to_string(), "sqlite://aside.db-jobs");
        }
        for none in ["sqlite://", "sqlite://:memory:", "sqlite://a.db?mode=ro", "redis://host/0"] {
            assert!(Address::beside(none).is_err(), "{none}");
        }
    }

    #[test]
    fn a_file_is_known_by_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        let is_same = |queue: &str, database: &str| {
            url(queue).parse::<Address>().unwrap().is_file_of(&url(database))
        };
        // Before the file is there, and then.
        for _ in 0..2 {
            assert!(is_same("a.db", "a.db") && is_same("./a.db", "a.db?mode=rwc"));
            assert!(!is_same("a.db-jobs", "a.db") && !is_same("b/a.db", "a.db"));
            std::fs::write(folder.path().join("a.db"), "").unwrap();
        }
        std::os::unix::fs::symlink("a.db", folder.path().join("link")).unwrap();
        assert!(is_same("link", "a.db") && is_same("a.db", "link"));
        let relative = "sqlite:a.db".parse::<Address>().unwrap();
        assert!(relative.is_file_of("sqlite://a.db") && relative.is_file_of("sqlite://./a.db"));
        assert!(!relative.is_file_of(&url("a.db")) && !relative.is_file_of("redis://a.db"));
        assert!(!"redis://host/0".parse::<Address>().unwrap().is_file_of("sqlite://host/0"));
    }

    #[test]
    fn anything_else_is_no_address() {
        for text in [
            "",
            "aside.db",
            "sqlite://",
            "sqlite://:memory:",
            "sqlite://a.db?mode=ro",
            "mysql://s3cret@localhost/jobs",
            "redis://host:99999",
            "postgres://host:99999/jobs",
            "http://localhost",
        ] {
            let refused = text.parse::<Address>().err().unwrap();
            assert!(!refused.to_string().contains("s3cret"), "{text}");
        }
    }
}
