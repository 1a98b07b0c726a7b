//! Writes: the row is changed, its entry is forgotten, and then the write is acknowledged.

use super::{Profile, ProfileChange, User, WriteError, rows};
use crate::{
    cache::Key,
    database::{Database, Outdated, Unwritten},
    delivery::Delivery,
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

/// Each write goes on to its end even if its caller leaves.
impl Users {
    /// The users in `database`, whose entries `delivery` forgets.
    pub fn new(database: Database, delivery: Delivery) -> Self {
        Self { database, delivery }
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was written.
    pub async fn create(&self, profile: Profile) -> Result<Written, WriteError> {
        let database = self.database.clone();
        self.carry_out(async move { rows::create(&database, profile).await }).await
    }

    /// Changes a user, if `expected` says of the present version that it is the one to be changed.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was written.
    pub async fn update(
        &self,
        id: i64,
        change: ProfileChange,
        expected: impl Fn(&User) -> bool + Send + 'static,
    ) -> Result<Written, WriteError> {
        let database = self.database.clone();
        self.carry_out(async move { rows::update(&database, id, change, expected).await }).await
    }

    /// Deletes a user, if `expected` says of the present version that it is the one to be deleted.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was written.
    pub async fn delete(
        &self,
        id: i64,
        expected: impl Fn(&User) -> bool + Send + 'static,
    ) -> Result<Written, WriteError> {
        let database = self.database.clone();
        self.carry_out(async move { rows::delete(&database, id, expected).await }).await
    }

    /// Writes and forgets, in a task of its own: a client that leaves ends neither.
    async fn carry_out(
        &self,
        write: impl Future<Output = Result<(Option<User>, Outdated), WriteError>> + Send + 'static,
    ) -> Result<Written, WriteError> {
        let delivery = self.delivery.clone();
        let task = tokio::spawn(async move {
            let (user, outdated) = write.await?;
            let key = outdated.change.key.clone();
            let is_forgotten = delivery.carry_out(outdated).await;
            Ok(Written { user, key, is_forgotten })
        });
        let panicked = |_| Err(Unwritten::Failed("it panicked".to_owned()).into());
        task.await.unwrap_or_else(panicked)
    }
}
