//! The readiness of the database: the same file as at the start, and it answers.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    Database,
    error::{code, may_pass, sqlite_code},
    sqlite::FileIdentity,
    statement::Sql,
};

/// Longest time for all of [`Database::ready`]. Past it, the database counts as not answering.
const READY_DEADLINE: Duration = Duration::from_secs(1);

/// The last user, and with it the pages on the way there.
const QUERY: Sql =
    Sql::both("SELECT id, name, email, created_at, updated_at FROM users ORDER BY id DESC LIMIT 1");

/// Why the database cannot serve. Fit for a public answer: it says nothing of paths or statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// Nothing is there any more under the file's name. What is still open would lose writes.
    #[error("database file is gone")]
    Gone,
    /// Another file has taken its name.
    #[error("database file was replaced")]
    Replaced,
    /// No answer in time.
    #[error("database does not answer")]
    Silent,
    /// SQLite finds the file damaged.
    #[error("database is corrupt")]
    Corrupt,
    /// Another list of memcached servers is in force, which this process does not use.
    #[error("list of memcached servers was replaced by another")]
    OtherServers,
    /// Any other error, such as a table that is missing.
    #[error("database answers with an error")]
    Failing,
}

impl Database {
    /// Looks whether the file is still the one that was opened, and reads from it, within a second.
    /// It has a connection of its own: queries that keep all others busy do not matter here.
    ///
    /// # Errors
    /// [`NotReady`] says what is wrong.
    pub async fn ready(&self) -> Result<(), NotReady> {
        timeout(READY_DEADLINE, async {
            self.same_file().await?;
            self.readable().await
        })
        .await
        .unwrap_or(Err(NotReady::Silent))
    }

    async fn same_file(&self) -> Result<(), NotReady> {
        let Some(home) = &self.home else { return Ok(()) };
        match FileIdentity::of(&home.path).await {
            Ok(file) if file == home.file => Ok(()),
            Ok(_) => Err(NotReady::Replaced),
            Err(_) => Err(NotReady::Gone),
        }
    }

    async fn readable(&self) -> Result<(), NotReady> {
        let last = self.probe.rows(QUERY, &[]).await;
        let Err(error) = last else { return Ok(()) };
        Err(match sqlite_code(&error) {
            Some(code::CORRUPT | code::NOT_A_DATABASE) => NotReady::Corrupt,
            Some(code::BUSY | code::LOCKED) => NotReady::Silent,
            None if may_pass(&error) => NotReady::Silent,
            _ => NotReady::Failing,
        })
    }
}
