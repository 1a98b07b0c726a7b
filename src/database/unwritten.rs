//! The reasons why nothing was written, and how long a write waits before one is given.

use std::time::Duration;

use super::error::{code, may_pass, said, sqlite_code};

/// Longest wait of a write for its turn and for another's lock on the file. Past it, it fails as unavailable.
pub(super) const WRITE_WAIT: Duration = Duration::from_secs(2);

/// The codes of what may pass.
const MAY_PASS: [u32; 6] =
    [code::BUSY, code::LOCKED, code::READ_ONLY, code::FULL, code::IO_ERROR, code::CANNOT_OPEN];

/// A write was not made. Nothing of it is in the database, unless it is [`Unavailable`](Unwritten::Unavailable) and the
/// answer of PostgreSQL to the commit was lost: then all of it may be, its change in the log with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// A value that no two rows may share is another row's.
    #[error("another row has the same value")]
    Taken,
    /// The database is locked, full, read-only, gone or away: the same write may succeed later.
    #[error("the database can't be written: {0}")]
    Unavailable(String),
    /// Anything else, in the database's words, for the log.
    #[error("the write failed: {0}")]
    Failed(String),
}

impl From<sqlx::Error> for Unwritten {
    fn from(error: sqlx::Error) -> Self {
        if error.as_database_error().is_some_and(|error| error.is_unique_violation()) {
            return Self::Taken;
        }
        let may_pass = match sqlite_code(&error) {
            Some(code) => MAY_PASS.contains(&code),
            None => may_pass(&error),
        };
        let why = said(&error);
        if may_pass { Self::Unavailable(why) } else { Self::Failed(why) }
    }
}
