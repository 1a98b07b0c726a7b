//! The users as a source of the cache: a query made slow inside SQLite, so that it holds its connection as a real
//! slow query does.

use tokio::time::Instant;

use super::{SPACE, User};
use crate::{
    cache::{Key, LoadEnd, Source},
    database::Database,
};

/// One comparison under the collation `slow` for each of ?2 slices, and then the user. The work comes
/// first, so that an unknown id takes as long as a known one.
pub(super) const QUERY: &str = "
    WITH RECURSIVE
    slice(n) AS (SELECT 1 WHERE ?2 > 0 UNION ALL SELECT n + 1 FROM slice WHERE n < ?2),
    work(done) AS MATERIALIZED (
        SELECT count(*) FROM slice WHERE CAST(n AS TEXT) <> '' COLLATE slow
    )
    SELECT u.id, u.name, u.email, u.created_at, u.updated_at
    FROM work CROSS JOIN users u
    WHERE u.id = ?1 AND work.done >= 0";

/// The users in a database, each after the time that queries are made to take.
#[derive(Clone, Debug)]
pub struct UserSource {
    pub(super) database: Database,
}

impl UserSource {
    /// The users in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

impl Source for UserSource {
    type Id = i64;

    fn key(&self, id: &i64) -> Key {
        Key::numbered(SPACE, *id)
    }

    async fn load(&self, id: i64, deadline: Instant) -> LoadEnd {
        let mut connection = self.database.reader(deadline).await?;
        let query = sqlx::query_as(QUERY).bind(id).bind(self.database.slices());
        let user: Option<User> = query.fetch_optional(&mut *connection).await?;
        // Strings and a number always serialise.
        Ok(user.map(|user| serde_json::to_vec(&user).unwrap_or_default().into()))
    }

    async fn may_have(&self, id: &i64) -> bool {
        self.database.has("SELECT 1 FROM users WHERE id = ?1", *id).await
    }
}
