//! The users: their rows, the rules and the writes of them, and the slow query that makes them a resource.

mod error;
mod profile;
mod source;
#[cfg(test)]
mod tests;
mod write;

use serde::{Deserialize, Serialize};

pub use self::{
    error::WriteError,
    profile::{Profile, ProfileChange, is_name},
    source::UserSource,
    write::{Users, Written},
};
use crate::{cache::Policy, database::Row, resources::Definition};

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

impl User {
    /// The user in a row of `id`, `name`, `email`, `created_at` and `updated_at`.
    fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            email: row.get(2)?,
            created_at: row.get(3)?,
            updated_at: row.get(4)?,
        })
    }
}

/// The users as a resource.
pub fn definition(policy: Policy) -> Definition {
    Definition {
        absent: Some("There is no user with this id.".into()),
        ..Definition::numbered(NAME, SPACE, "/users/{id}", "User", policy)
    }
}
