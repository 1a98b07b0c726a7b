//! Why a write was not made, and how long one waits before that is said.

use std::time::Duration;

use super::error::{code, one_line, sqlite_code};

/// How long a write waits for its turn and for another's lock on the file. Past it, it fails as unavailable.
pub(super) const WRITE_WAIT: Duration = Duration::from_secs(2);

/// Why a write was not made. Nothing of it is in the database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A field is no good; the text names it and what it takes.
    #[error("{0}")]
    Invalid(&'static str),
    /// There is no user with this id.
    #[error("no such user")]
    NoSuchUser,
    /// Another user has this email address.
    #[error("the email address is taken")]
    EmailTaken,
    /// The user is not the version that the client expects.
    #[error("the user has changed")]
    Changed,
    /// The file is locked, full, read-only or gone: the same write may succeed later.
    #[error("the database can't be written: {0}")]
    Unavailable(String),
    /// Anything else, in SQLite's words, for the log.
    #[error("the write failed: {0}")]
    Failed(String),
}

/// What a failed write is to its caller.
pub(super) fn write_error(error: sqlx::Error) -> WriteError {
    if error.as_database_error().is_some_and(|error| error.is_unique_violation()) {
        return WriteError::EmailTaken;
    }
    let may_pass =
        [code::BUSY, code::LOCKED, code::READ_ONLY, code::FULL, code::IO_ERROR, code::CANNOT_OPEN];
    match (sqlite_code(&error), &error) {
        (Some(code), _) if may_pass.contains(&code) => WriteError::Unavailable(one_line(&error)),
        (None, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => {
            WriteError::Unavailable(one_line(&error))
        }
        _ => WriteError::Failed(one_line(&error)),
    }
}
