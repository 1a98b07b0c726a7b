//! The users: their rows, the rules and the writes of them, and the slow query that makes them a resource.

mod error;
mod profile;
mod source;
#[cfg(test)]
mod tests;
mod write;

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Row, sqlite::SqliteRow};

pub use self::{
    error::WriteError,
    profile::{Profile, ProfileChange, is_name},
    source::UserSource,
    write::{Users, Written},
};
use crate::{
    cache::Policy,
    resources::{AnySource, Definition},
};

/// The name of the resource.
pub const NAME: &str = "users";

/// The first part of every key.
const SPACE: &str = "user";

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

/// The users as a resource.
pub fn definition(policy: Policy) -> Definition {
    Definition {
        name: NAME,
        path: "/users/{id}",
        space: SPACE,
        absent: Some("There is no user with this id."),
        policy,
        open: |database| AnySource::new(UserSource::new(database.clone())),
    }
}
