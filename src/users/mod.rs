//! The users, in an SQLite file, behind a query that is slow on purpose.

mod changes;
mod checkpoint;
mod database;
mod error;
mod file;
mod migration;
mod profile;
mod ready;
mod servers;
mod slow;
mod slowness;
#[cfg(test)]
mod tests;
mod unwritten;
mod watch;
mod write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Row, sqlite::SqliteRow};
use tokio::time::Instant;

pub use changes::{Change, Extent, Outdated, Page};
pub use database::Database;
pub(crate) use database::{options_of, writer_pool};
pub use error::{OpenError, OpenFailure};
pub(crate) use file::FileIdentity;
pub(crate) use migration::while_locked;
pub use profile::{Profile, ProfileChange, is_name};
pub use ready::NotReady;
pub use servers::{Serving, ServingError};
pub use unwritten::WriteError;
pub use watch::Watch;
pub use write::Written;

use crate::cache::{Key, LoadError, Source};

/// The first part of every key.
pub const SPACE: &str = "user";

/// One user, and the JSON object that clients see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Positive, and never given to anybody else, not even after a deletion.
    pub id: i64,
    /// As the user writes it.
    pub name: String,
    /// No two users have the same.
    pub email: String,
    /// RFC 3339 in UTC with milliseconds, as in `2024-03-05T10:20:30.000Z`.
    pub created_at: String,
    /// Same form; not before `created_at`.
    pub updated_at: String,
}

/// By hand, as sqlx's derive would have all of sqlx and SQLite compiled a second time, for the compiler's own use.
impl FromRow<'_, SqliteRow> for User {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            email: row.try_get("email")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

/// The users as a source of the cache. Clones share the database.
#[derive(Clone, Debug)]
pub struct Users {
    database: Database,
}

impl Users {
    /// The users in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

impl Source for Users {
    type Id = i64;

    fn key(&self, id: &i64) -> Key {
        Key::numbered(SPACE, *id)
    }

    async fn load(&self, id: i64, deadline: Instant) -> Result<Option<Bytes>, LoadError> {
        let user = self.database.load(id, deadline).await?;
        let body = user.map(|user| serde_json::to_vec(&user)).transpose();
        body.map(|body| body.map(Bytes::from))
            .map_err(|error| LoadError::Failed(error::one_line(&error).into()))
    }
}
