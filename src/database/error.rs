//! SQLite's errors told apart, for those who open the database or load from it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{migrate::MigrateError, postgres::PgDatabaseError, sqlite::SqliteError};

use crate::cache::LoadError;

/// Longest time for which [`Database::open`](super::Database::open) tries a file that another process has locked. Past it, opening fails.
pub(super) const OPEN_WAIT: Duration = Duration::from_secs(10);

/// Primary result codes of SQLite (<https://sqlite.org/rescode.html>).
pub(super) mod code {
    pub(crate) const ERROR: u32 = 1;
    pub(crate) const PERMISSION: u32 = 3;
    pub(crate) const BUSY: u32 = 5;
    pub(crate) const LOCKED: u32 = 6;
    pub(crate) const READ_ONLY: u32 = 8;
    pub(crate) const INTERRUPT: u32 = 9;
    pub(crate) const IO_ERROR: u32 = 10;
    pub(crate) const CORRUPT: u32 = 11;
    pub(crate) const FULL: u32 = 13;
    pub(crate) const CANNOT_OPEN: u32 = 14;
    pub(crate) const NOT_A_DATABASE: u32 = 26;
}

/// The primary result code of SQLite in `error`: the low byte of the extended one.
pub(super) fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    let error = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    let extended: u32 = sqlx::error::DatabaseError::code(error)?.parse().ok()?;
    Some(extended & 0xff)
}

/// SQLSTATE of PostgreSQL for a statement that was cancelled, as one past its deadline is.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const CANCELLED: &str = "57014";

/// The SQLSTATE of PostgreSQL in `error`.
pub(super) fn postgres_state(error: &sqlx::Error) -> Option<&str> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    Some(error.code())
}

/// True if the PostgreSQL server, or the way to it, is what failed: the same may succeed later, there or on another.
/// 08 is a connection, 25006 a server that only reads, 40 a conflict that others won, 53 a want of room or connections,
/// 55P03 a lock, 57 an operator's doing, 58 the system.
pub(super) fn may_pass(error: &sqlx::Error) -> bool {
    const CLASSES: [&str; 7] = ["08", "25006", "40", "53", "55P03", "57", "58"];
    match (postgres_state(error), error) {
        (Some(state), _) => CLASSES.iter().any(|class| state.starts_with(class)),
        (None, error) => {
            use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
            matches!(
                error,
                Io(_) | PoolClosed | PoolTimedOut | Protocol(_) | Tls(_) | WorkerCrashed
            )
        }
    }
}

/// True if the connection is gone: the server has ended it, or the way to the server has.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_))
        || matches!(postgres_state(error), Some("57P01" | "57P02" | "57P03"))
}

/// True if another process holds what is asked for.
pub(crate) fn is_locked(error: &sqlx::Error) -> bool {
    matches!(sqlite_code(error), Some(code::BUSY | code::LOCKED))
}

/// The database could not be opened. One line, fit for a terminal: control characters are escaped.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the database {path:?}: {reason}")]
pub struct OpenError {
    /// The file, or the whole setting if that names none.
    pub path: PathBuf,
    /// The fault of it.
    pub reason: OpenFailure,
}

/// The reason why a database can't be opened. A file that is not ours is never changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenFailure {
    /// The setting is no URL of a database.
    #[error("it is not of the form sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    NotAUrl,
    /// An in-memory or temporary database: each connection would have one of its own.
    #[error("a database in memory is not supported; name a file, as in sqlite://aside.db")]
    NotAFile,
    /// The directory of the file does not exist; only the file itself is ever created.
    #[error("its directory does not exist")]
    MissingDirectory,
    /// The path is that of a directory.
    #[error("it is a directory")]
    Directory,
    /// A PostgreSQL server before version 13.
    #[error("its server is PostgreSQL {0}, and Aside takes 13 or later")]
    TooOld(String),
    /// The file is something else.
    #[error("the file is not an SQLite database")]
    NotADatabase,
    /// The file was an SQLite database once.
    #[error("the database is corrupt")]
    Corrupt,
    /// An SQLite database whose tables are not ours.
    #[error("it has another schema: {0}")]
    OtherSchema(String),
    /// Our tables, but made by a newer version, or by migrations that were edited since.
    #[error("its schema is of another version of this program: {0}")]
    OtherVersion(String),
    /// The file or its directory cannot be read and written.
    #[error("no permission to read and write the file and its directory: {0}")]
    Permission(String),
    /// Someone else held the write lock for as long as opening waits.
    #[error("another process kept it locked for {OPEN_WAIT:?}")]
    Locked,
    /// Anything else, in SQLite's words.
    #[error("{0}")]
    Other(String),
}

impl OpenError {
    /// Says where it failed, and tells apart what SQLite has only one code for.
    pub(super) fn new(path: &Path, reason: OpenFailure) -> Self {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let reason = match reason {
            OpenFailure::Permission(_) if path.is_dir() => OpenFailure::Directory,
            OpenFailure::Permission(_) if directory.is_some_and(|parent| !parent.is_dir()) => {
                OpenFailure::MissingDirectory
            }
            reason => reason,
        };
        Self { path: path.to_owned(), reason }
    }
}

impl From<sqlx::Error> for OpenFailure {
    fn from(error: sqlx::Error) -> Self {
        match sqlite_code(&error) {
            Some(code::BUSY | code::LOCKED) => Self::Locked,
            Some(code::NOT_A_DATABASE) => Self::NotADatabase,
            Some(code::CORRUPT) => Self::Corrupt,
            Some(code::PERMISSION | code::READ_ONLY | code::CANNOT_OPEN) => {
                Self::Permission(said(&error))
            }
            // "No such table" and the like: opening runs no statement that is wrong in itself.
            Some(code::ERROR) => Self::OtherSchema(said(&error)),
            _ => Self::Other(said(&error)),
        }
    }
}

impl From<MigrateError> for OpenFailure {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            MigrateError::VersionMissing(_)
            | MigrateError::VersionMismatch(_)
            | MigrateError::Dirty(_) => Self::OtherVersion(one_line(&error)),
            error => Self::Other(one_line(&error)),
        }
    }
}

/// A failed load as its caller sees it. The text is for the log.
impl From<sqlx::Error> for LoadError {
    fn from(error: sqlx::Error) -> Self {
        let why = said(&error).into();
        match sqlite_code(&error) {
            // Only the deadline's handler interrupts.
            Some(code::INTERRUPT) => Self::Timeout,
            None if postgres_state(&error) == Some(CANCELLED) => Self::Timeout,
            Some(code::BUSY | code::LOCKED | code::CANNOT_OPEN) => Self::Unavailable(why),
            None if may_pass(&error) => Self::Unavailable(why),
            _ => Self::Failed(why),
        }
    }
}

/// SQLite quotes names out of the file in its messages; none of them may end a line of the log.
pub(super) fn one_line(error: &impl ToString) -> String {
    error.to_string().replace(char::is_control, " ")
}

/// An error in the database's own words, in one line. In sqlx's, one of PostgreSQL names the line of the server's source.
pub(super) fn said(error: &sqlx::Error) -> String {
    let said = error.as_database_error().map(|error| error.message().to_owned());
    one_line(&said.unwrap_or_else(|| error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_error_is_one_line_whatever_the_path_and_the_message() {
        let message = one_line(&"no such table: a\r\nb\u{1b}[31m");
        let error = OpenError::new(Path::new("a\nb.db"), OpenFailure::OtherSchema(message));
        let text = error.to_string();
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(text.contains(r#""a\nb.db""#), "{text:?}");
    }
}
