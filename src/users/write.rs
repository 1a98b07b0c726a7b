//! Writes: the row and the change in the log are committed in one transaction.

use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::time::timeout;

use super::{
    Database, Outdated, Profile, ProfileChange, SPACE, User, WriteError, changes,
    file::FileIdentity,
    unwritten::{WRITE_WAIT, write_error},
};
use crate::cache::Key;

const COLUMNS: &str = "id, name, email, created_at, updated_at";

/// The time of a change, as the columns have it.
const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

/// A write that is committed, but whose key the cache must still forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The user as it is now; `None` if it was deleted.
    pub user: Option<User>,
    /// What must be forgotten before the write is acknowledged.
    pub outdated: Outdated,
}

impl Database {
    /// Adds a user.
    ///
    /// # Errors
    /// [`WriteError::Invalid`], [`WriteError::EmailTaken`], or that the database can't be written.
    pub async fn create(&self, profile: Profile) -> Result<Written, WriteError> {
        let change = ProfileChange::from(profile);
        change.check()?;
        let mut transaction = self.begin().await?;
        let insert = format!(
            "INSERT INTO users (name, email, created_at, updated_at)
             VALUES (?1, ?2, {NOW}, {NOW}) RETURNING {COLUMNS}"
        );
        let user: User = sqlx::query_as(sqlx::AssertSqlSafe(insert))
            .bind(change.name)
            .bind(change.email)
            .fetch_one(&mut *transaction)
            .await
            .map_err(write_error)?;
        self.commit(transaction, user.id, Some(user)).await
    }

    /// Changes a user, if `expected` says of the present version that it is the one to be changed. What is there already
    /// is no change: `updated_at` stays.
    ///
    /// # Errors
    /// [`WriteError::Invalid`], [`WriteError::NoSuchUser`], [`WriteError::Changed`],
    /// [`WriteError::EmailTaken`], or that the database can't be written.
    pub async fn update(
        &self,
        id: i64,
        change: ProfileChange,
        expected: impl Fn(&User) -> bool + Send,
    ) -> Result<Written, WriteError> {
        change.check()?;
        let mut transaction = self.begin().await?;
        find(&mut transaction, id, expected).await?;
        let update = format!(
            "UPDATE users SET name = coalesce(?2, name), email = coalesce(?3, email),
             updated_at = CASE WHEN name = coalesce(?2, name) AND email = coalesce(?3, email)
                 THEN updated_at ELSE max({NOW}, updated_at) END
             WHERE id = ?1 RETURNING {COLUMNS}"
        );
        let user: User = sqlx::query_as(sqlx::AssertSqlSafe(update))
            .bind(id)
            .bind(change.name)
            .bind(change.email)
            .fetch_one(&mut *transaction)
            .await
            .map_err(write_error)?;
        self.commit(transaction, id, Some(user)).await
    }

    /// Deletes a user, if `expected` says of the present version that it is the one to be deleted.
    ///
    /// # Errors
    /// [`WriteError::NoSuchUser`], [`WriteError::Changed`], or that the database can't be written.
    pub async fn delete(
        &self,
        id: i64,
        expected: impl Fn(&User) -> bool + Send,
    ) -> Result<Written, WriteError> {
        let mut transaction = self.begin().await?;
        find(&mut transaction, id, expected).await?;
        sqlx::query("DELETE FROM users WHERE id = ?1")
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(write_error)?;
        self.commit(transaction, id, None).await
    }

    /// A transaction that is a writer from its first statement: one that began as a reader and then wrote
    /// would fail at once if another had written in between, whatever the busy timeout.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, WriteError> {
        // One limit for both waits, for the writes of this process and for the lock of others. A transaction
        // that begins too late is rolled back by sqlx.
        match timeout(WRITE_WAIT, self.writer.begin_with("BEGIN IMMEDIATE")).await {
            Ok(begun) => begun.map_err(write_error),
            Err(_) => Err(WriteError::Unavailable("it has been locked for too long".to_owned())),
        }
    }

    async fn commit(
        &self,
        mut transaction: Transaction<'static, Sqlite>,
        id: i64,
        user: Option<User>,
    ) -> Result<Written, WriteError> {
        let key = Key::numbered(SPACE, id);
        let outdated = changes::append(&mut transaction, key).await.map_err(write_error)?;
        transaction.commit().await.map_err(write_error)?;
        // What is committed to a file that has lost its name is lost with the last connection to it.
        if FileIdentity::of(&self.path).await.is_ok_and(|now| now == self.file) {
            Ok(Written { user, outdated })
        } else {
            Err(WriteError::Unavailable("the database file is gone".to_owned()))
        }
    }
}

async fn find(
    connection: &mut SqliteConnection,
    id: i64,
    expected: impl Fn(&User) -> bool,
) -> Result<(), WriteError> {
    let select = format!("SELECT {COLUMNS} FROM users WHERE id = ?1");
    let user: Option<User> = sqlx::query_as(sqlx::AssertSqlSafe(select))
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(write_error)?;
    let user = user.ok_or(WriteError::NoSuchUser)?;
    if expected(&user) { Ok(()) } else { Err(WriteError::Changed) }
}
