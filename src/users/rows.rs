//! The rows: each write is one transaction with its change in the log.

use sqlx::SqliteConnection;

use super::{Profile, ProfileChange, SPACE, User, WriteError};
use crate::{
    cache::Key,
    database::{Database, Outdated},
};

const COLUMNS: &str = "id, name, email, created_at, updated_at";

/// The time of a change, as the columns have it.
const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

/// The user as it is after a write, `None` if it was deleted, and what the cache must forget.
type Committed = (Option<User>, Outdated);

/// Adds a user.
pub(super) async fn create(database: &Database, profile: Profile) -> Result<Committed, WriteError> {
    let change = ProfileChange::from(profile);
    change.check()?;
    let mut transaction = database.begin().await?;
    let insert = format!(
        "INSERT INTO users (name, email, created_at, updated_at)
         VALUES (?1, ?2, {NOW}, {NOW}) RETURNING {COLUMNS}"
    );
    let user: User = sqlx::query_as(sqlx::AssertSqlSafe(insert))
        .bind(change.name)
        .bind(change.email)
        .fetch_one(&mut *transaction)
        .await?;
    let outdated = database.commit(transaction, Key::numbered(SPACE, user.id)).await?;
    Ok((Some(user), outdated))
}

/// Changes a user, if `expected` says of the present version that it is the one to be changed. What is there already
/// is no change: `updated_at` stays.
pub(super) async fn update(
    database: &Database,
    id: i64,
    change: ProfileChange,
    expected: impl Fn(&User) -> bool + Send,
) -> Result<Committed, WriteError> {
    change.check()?;
    let mut transaction = database.begin().await?;
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
        .await?;
    let outdated = database.commit(transaction, Key::numbered(SPACE, id)).await?;
    Ok((Some(user), outdated))
}

/// Deletes a user, if `expected` says of the present version that it is the one to be deleted.
pub(super) async fn delete(
    database: &Database,
    id: i64,
    expected: impl Fn(&User) -> bool + Send,
) -> Result<Committed, WriteError> {
    let mut transaction = database.begin().await?;
    find(&mut transaction, id, expected).await?;
    sqlx::query("DELETE FROM users WHERE id = ?1").bind(id).execute(&mut *transaction).await?;
    let outdated = database.commit(transaction, Key::numbered(SPACE, id)).await?;
    Ok((None, outdated))
}

async fn find(
    connection: &mut SqliteConnection,
    id: i64,
    expected: impl Fn(&User) -> bool,
) -> Result<(), WriteError> {
    let select = format!("SELECT {COLUMNS} FROM users WHERE id = ?1");
    let select = sqlx::query_as(sqlx::AssertSqlSafe(select)).bind(id);
    let user: User = select.fetch_optional(connection).await?.ok_or(WriteError::NoSuchUser)?;
    if expected(&user) { Ok(()) } else { Err(WriteError::Changed) }
}
