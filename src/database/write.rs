//! Transactions that write.

use tokio::time::{Instant, timeout};

use super::{
    Database, Unwritten, postgres, sqlite,
    statement::{Pool, Writing},
    unwritten::WRITE_WAIT,
};

impl Database {
    /// Begins a transaction that writes.
    pub(crate) async fn begin(&self) -> Result<Writing, Unwritten> {
        self.begun(false).await
    }

    /// Begins a transaction beside which nobody writes.
    pub(super) async fn begin_alone(&self) -> Result<Writing, Unwritten> {
        self.begun(true).await
    }

    async fn begun(&self, is_alone: bool) -> Result<Writing, Unwritten> {
        let begun = async {
            match &self.writer {
                // There is never another.
                Pool::Sqlite(pool) => sqlite::begin(pool).await,
                Pool::Postgres(pool) => postgres::begin(pool, is_alone).await,
            }
        };
        // One limit for both waits, for the writes of this process and for the lock of others. A transaction
        // that begins too late is rolled back.
        match timeout(WRITE_WAIT, begun).await {
            Ok(begun) => Ok(begun?),
            Err(_) => Err(Unwritten::Unavailable("it has been locked for too long".to_owned())),
        }
    }

    /// Commits what was written, and with it what it appended to the log. To a file that is gone nothing is written, and
    /// what was while it went is not acknowledged.
    pub(crate) async fn commit(&self, mut writing: Writing) -> Result<(), Unwritten> {
        self.is_kept().await?;
        if !self.last_commit.is_heard() {
            writing.tell().await?;
        }
        let begun_at = Instant::now();
        writing.commit().await?;
        self.last_commit.began(begun_at);
        self.is_kept().await
    }

    async fn is_kept(&self) -> Result<(), Unwritten> {
        match &self.home {
            Some(home) if !home.is_kept().await => {
                Err(Unwritten::Unavailable("the database file is gone".to_owned()))
            }
            _ => Ok(()),
        }
    }
}
