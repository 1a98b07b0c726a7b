//! Keys that a committed write has made outdated: what survives a crash between the commit and the
//! forgetting, or a memcached that could not be reached.

use sqlx::{FromRow, SqliteConnection};

use super::{Database, WriteError, write::write_error};
use crate::cache::Key;

/// The intent to forget a key, as a write has committed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// What must be forgotten.
    pub key: Key,
    /// Which write of it this was: a number drawn at random, which no other write of the key has.
    pub version: i64,
}

#[derive(FromRow)]
struct Row {
    key: String,
    version: i64,
}

/// Notes in the open transaction that `key` must be forgotten. A key has one row, however many writes
/// wait for it, so that there are never more rows than users.
///
/// The version is no counter: that would begin again with each new row, and a replica that is slow to
/// remove the row of an earlier write would remove that of a later one.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    key: Key,
) -> Result<Intent, sqlx::Error> {
    let version = fastrand::i64(..);
    sqlx::query(
        "INSERT INTO invalidations (key, version) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET version = excluded.version",
    )
    .bind(key.as_str())
    .bind(version)
    .execute(connection)
    .await?;
    Ok(Intent { key, version })
}

impl Database {
    /// Commits the intent to forget `key` by itself, without a write.
    ///
    /// # Errors
    /// If the database can't be written.
    pub async fn intend(&self, key: Key) -> Result<Intent, WriteError> {
        let mut transaction = self.begin().await?;
        let intent = note(&mut transaction, key).await.map_err(write_error)?;
        transaction.commit().await.map_err(write_error)?;
        Ok(intent)
    }

    /// The first `limit` intents after the key `after`, in the order of their keys.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn intents(&self, after: &str, limit: u32) -> Result<Vec<Intent>, WriteError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT key, version FROM invalidations WHERE key > ?1 ORDER BY key LIMIT ?2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&self.writer)
        .await
        .map_err(write_error)?;
        // Only sound keys are ever noted; another one would be no key of the cache either.
        let intents = rows.into_iter().filter_map(|Row { key, version }| {
            Key::new(&key).ok().map(|key| Intent { key, version })
        });
        Ok(intents.collect())
    }

    /// How many keys have not been forgotten yet.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn intents_count(&self) -> Result<u64, WriteError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM invalidations")
            .fetch_one(&self.writer)
            .await
            .map_err(write_error)?;
        Ok(count.unsigned_abs())
    }

    /// Removes the intents whose keys have been forgotten, unless a later write has noted them again.
    ///
    /// # Errors
    /// If the database can't be written; the keys are then forgotten once more later, which does no harm.
    pub async fn fulfilled(&self, intents: &[Intent]) -> Result<(), WriteError> {
        let mut transaction =
            self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(write_error)?;
        for Intent { key, version } in intents {
            sqlx::query("DELETE FROM invalidations WHERE key = ?1 AND version = ?2")
                .bind(key.as_str())
                .bind(version)
                .execute(&mut *transaction)
                .await
                .map_err(write_error)?;
        }
        transaction.commit().await.map_err(write_error)
    }
}
