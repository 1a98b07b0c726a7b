//! The URL of an SQLite file, and what every connection to it has in common.

use std::{str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

use crate::database::error::{OpenError, OpenFailure};

/// Longest wait of SQLite for a lock within a statement. Past it, the statement fails as busy. In WAL mode
/// readers need no lock that anybody keeps.
const BUSY_TIMEOUT: Duration = Duration::from_millis(250);

/// The options of every connection. None of them creates the file: made anew under a running
/// service, it would be an empty one.
pub(crate) fn options_of(url: &str) -> Result<SqliteConnectOptions, OpenError> {
    // It may be that of another kind of database, with a password before the host or among the parameters.
    let shown = url.rsplit('@').next().and_then(|rest| rest.split('?').next()).unwrap_or_default();
    let failed = |reason| OpenError { path: shown.into(), reason };
    // Most parameters (mode=ro, cache=shared, vfs) contradict what is set below; the usual one does not.
    let place = url.strip_suffix("?mode=rwc").unwrap_or(url);
    if !place.starts_with("sqlite:") || place.contains('?') {
        return Err(failed(OpenFailure::NotAUrl));
    }
    let options =
        SqliteConnectOptions::from_str(place).map_err(|_| failed(OpenFailure::NotAUrl))?;
    // SQLite takes an empty name for a temporary database, and "file:" for a URL with parameters.
    let name = options.get_filename().to_string_lossy();
    if name.is_empty() || name == ":memory:" || name.starts_with("file:") {
        return Err(failed(OpenFailure::NotAFile));
    }
    Ok(options
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        // A query that is slow by design is no news, and its level is not for the driver to choose.
        .disable_statement_logging())
}
