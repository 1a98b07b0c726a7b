//! Writes: the row and its line in the log are committed in one transaction, the entry is forgotten, and then the write
//! is acknowledged.

use super::{Profile, ProfileChange, SPACE, User, WriteError};
use crate::{
    cache::Key,
    database::{Database, Outdated, Sql, Writing},
    delivery::Delivery,
};

/// A write that was made, or the reason why not.
type Result<T = Written, E = WriteError> = std::result::Result<T, E>;

const INSERT: Sql = Sql {
    sqlite: "INSERT INTO users (name, email, created_at, updated_at)
        VALUES ($1, $2, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        RETURNING id, name, email, created_at, updated_at",
    postgres: "INSERT INTO users (name, email, created_at, updated_at) VALUES ($1, $2, aside_now(), aside_now())
        RETURNING id, name, email, created_at, updated_at",
};

const UPDATE: Sql = Sql {
    sqlite: "UPDATE users SET name = coalesce($2, name), email = coalesce($3, email),
        updated_at = CASE WHEN name = coalesce($2, name) AND email = coalesce($3, email)
            THEN updated_at ELSE max(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), updated_at) END
        WHERE id = $1 RETURNING id, name, email, created_at, updated_at",
    postgres: "UPDATE users SET name = coalesce($2, name), email = coalesce($3, email),
        updated_at = CASE WHEN name = coalesce($2, name) AND email = coalesce($3, email)
            THEN updated_at ELSE greatest(aside_now(), updated_at) END
        WHERE id = $1 RETURNING id, name, email, created_at, updated_at",
};

const DELETE: Sql = Sql::both("DELETE FROM users WHERE id = $1 RETURNING id");

/// The user as they are until this transaction ends: SQLite has one writer at a time.
const FIND: Sql = Sql {
    sqlite: "SELECT id, name, email, created_at, updated_at FROM users WHERE id = $1",
    postgres: "SELECT id, name, email, created_at, updated_at FROM users WHERE id = $1 FOR UPDATE",
};

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
        let mut writing = self.database.begin().await?;
        let values = [change.name.into(), change.email.into()];
        let (row, outdated) = writing.change(INSERT, &values, SPACE).await?;
        self.finish(writing, outdated, Some(User::read(&row)?)).await
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
        let mut writing = self.database.begin().await?;
        find(&mut writing, id, expected).await?;
        let values = [id.into(), change.name.into(), change.email.into()];
        let (row, outdated) = writing.change(UPDATE, &values, SPACE).await?;
        self.finish(writing, outdated, Some(User::read(&row)?)).await
    }

    /// Deletes a user, if `expected` says of the present version that it is the one to be deleted.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was written.
    pub async fn delete(self, id: i64, expected: impl Fn(&User) -> bool + Send) -> Result {
        let mut writing = self.database.begin().await?;
        find(&mut writing, id, expected).await?;
        let (_, outdated) = writing.change(DELETE, &[id.into()], SPACE).await?;
        self.finish(writing, outdated, None).await
    }

    async fn finish(self, writing: Writing, outdated: Outdated, user: Option<User>) -> Result {
        self.database.commit(writing).await?;
        let key = outdated.change.key.clone();
        Ok(Written { user, key, is_forgotten: self.delivery.carry_out(outdated).await })
    }
}

async fn find(writing: &mut Writing, id: i64, expected: impl Fn(&User) -> bool) -> Result<()> {
    let found = writing.rows(FIND, &[id.into()]).await?.pop();
    let user = User::read(&found.ok_or(WriteError::NoSuchUser)?)?;
    if expected(&user) { Ok(()) } else { Err(WriteError::Changed) }
}
