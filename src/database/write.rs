//! Writes: rows and the change in the log are committed in one transaction.

use tokio::time::timeout;

use super::{
    Database, Outdated, Unwritten, changes, connections::Writing, file::FileIdentity,
    unwritten::WRITE_WAIT,
};
use crate::cache::Key;

impl Database {
    /// Begins a transaction that is a writer from its first statement: one that began as a reader and then wrote
    /// would fail at once if another had written in between, whatever the busy timeout.
    pub(crate) async fn begin(&self) -> Result<Writing, Unwritten> {
        // One limit for both waits, for the writes of this process and for the lock of others. A transaction
        // that begins too late is rolled back by sqlx.
        match timeout(WRITE_WAIT, self.writer.begin_with("BEGIN IMMEDIATE")).await {
            Ok(begun) => Ok(begun?),
            Err(_) => Err(Unwritten::Unavailable("it has been locked for too long".to_owned())),
        }
    }

    /// Commits what was written, and with it that the entry of `key` is outdated.
    pub(crate) async fn commit(
        &self,
        mut transaction: Writing,
        key: Key,
    ) -> Result<Outdated, Unwritten> {
        let outdated = changes::append(&mut transaction, key).await?;
        transaction.commit().await?;
        // What is committed to a file that has lost its name is lost with the last connection to it.
        if FileIdentity::of(&self.path).await.is_ok_and(|now| now == self.file) {
            Ok(outdated)
        } else {
            Err(Unwritten::Unavailable("the database file is gone".to_owned()))
        }
    }

    /// Appends to the log by itself, without a write, that the entry of `key` is outdated.
    ///
    /// # Errors
    /// If the database can't be written.
    pub async fn outdate(&self, key: Key) -> Result<Outdated, Unwritten> {
        let transaction = self.begin().await?;
        self.commit(transaction, key).await
    }
}
