//! Hearing that the database has changed, without reading it.

use sqlx::{Sqlite, pool::PoolConnection};

use super::Database;

/// A connection that hears of every commit by any other, this process's own included.
pub struct Watch {
    connection: PoolConnection<Sqlite>,
    seen: i64,
}

impl Database {
    /// Begins to watch. The first look says that something has changed.
    ///
    /// # Errors
    /// If there is no connection to be had.
    pub async fn watch(&self) -> sqlx::Result<Watch> {
        Ok(Watch { connection: self.log.acquire().await?, seen: -1 })
    }
}

impl Watch {
    /// True if anything was committed since the last look. <https://sqlite.org/pragma.html#pragma_data_version>
    ///
    /// # Errors
    /// If the database can't be read; a new watch must be begun then.
    pub async fn has_changed(&mut self) -> sqlx::Result<bool> {
        let version: i64 =
            sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *self.connection).await?;
        let seen = std::mem::replace(&mut self.seen, version);
        Ok(seen != version)
    }
}
