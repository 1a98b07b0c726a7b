//! Writes: the row and its line in the log are committed in one transaction, the entry is forgotten, and then the write
//! is acknowledged.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{Profile, ProfileChange, SPACE, User, WriteError};
use crate::{
    cache::Key,
    database::{Database, Writing},
    delivery::Delivery,
};

/// A write that was made, or the reason why not.
type Result<T = Written, E = WriteError> = std::result::Result<T, E>;

const COLUMNS: &str = "id, name, email, created_at, updated_at";

/// The time of a change, as the columns have it.
const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

/// The users as they are written. Clones share the database.
#[derive(Clone)]
pub struct Users {
    database: Database,
    delivery: Delivery,
}

/// A write that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The user as it is now; `None` if it was deleted.
    pub user: Option<User>,
    /// The key of its entry.
    pub key: Key,
    /// True if the cache has forgotten the entry everywhere; else that is still to be delivered.
    pub is_forgotten: bool,
}

/// A write that is dropped half-way may be committed, and its entry then lives until the change is delivered: each is
/// for a task of its own, which goes on when a client leaves.
impl Users {
    /// The users in `database`, whose entries `delivery` forgets.
    pub fn new(database: Database, delivery: Delivery) -> Self {
        Self { database, delivery }
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was written.
    pub async fn create(self, profile: Profile) -> Result {
        let change = ProfileChange::from(profile);
        change.check()?;
        let mut transaction = self.database.begin().await?;
        let insert = format!(
            "INSERT INTO users (name, email, created_at, updated_at)
             VALUES (?1, ?2, {NOW}, {NOW}) RETURNING {COLUMNS}"
        );
        let insert = sqlx::query_as(AssertSqlSafe(insert)).bind(change.name).bind(change.email);
        let user: User = insert.fetch_one(&mut *transaction).await?;
        self.finish(transaction, user.id, Some(user)).await
    }

    /// Changes a user, if `expected` says of the present version that it is the one to be changed. What is there already
    /// is no change: `updated_at` stays.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was written.
    pub async fn update(
        self,
        id: i64,
        change: ProfileChange,
        expected: impl Fn(&User) -> bool + Send,
    ) -> Result {
        change.check()?;
        let mut transaction = self.database.begin().await?;
        find(&mut transaction, id, expected).await?;
        let update = format!(
            "UPDATE users SET name = coalesce(?2, name), email = coalesce(?3, email),
             updated_at = CASE WHEN name = coalesce(?2, name) AND email = coalesce(?3, email)
                 THEN updated_at ELSE max({NOW}, updated_at) END
             WHERE id = ?1 RETURNING {COLUMNS}"
        );
        let update = sqlx::query_as(AssertSqlSafe(update)).bind(id).bind(change.name);
        let user: User = update.bind(change.email).fetch_one(&mut *transaction).await?;
        self.finish(transaction, id, Some(user)).await
    }

    /// Deletes a user, if `expected` says of the present version that it is the one to be deleted.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was written.
    pub async fn delete(self, id: i64, expected: impl Fn(&User) -> bool + Send) -> Result {
        let mut transaction = self.database.begin().await?;
        find(&mut transaction, id, expected).await?;
        sqlx::query("DELETE FROM users WHERE id = ?1").bind(id).execute(&mut *transaction).await?;
        self.finish(transaction, id, None).await
    }

    async fn finish(self, transaction: Writing, id: i64, user: Option<User>) -> Result {
        let key = Key::numbered(SPACE, id);
        let outdated = self.database.commit(transaction, key.clone()).await?;
        Ok(Written { user, key, is_forgotten: self.delivery.carry_out(outdated).await })
    }
}

async fn find(
    connection: &mut SqliteConnection,
    id: i64,
    expected: impl Fn(&User) -> bool,
) -> Result<()> {
    let select = format!("SELECT {COLUMNS} FROM users WHERE id = ?1");
    let select = sqlx::query_as(AssertSqlSafe(select)).bind(id);
    let user: User = select.fetch_optional(connection).await?.ok_or(WriteError::NoSuchUser)?;
    if expected(&user) { Ok(()) } else { Err(WriteError::Changed) }
}
