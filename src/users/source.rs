//! The users as a source of the cache: a query made slow inside SQLite, so that it holds its connection as a real
//! slow query does.

use bytes::Bytes;
use tokio::time::Instant;

use super::{SPACE, User};
use crate::{
    cache::{Key, LoadEnd, Source},
    database::{Database, Sql},
};

/// The work, and then the user: in SQLite, one comparison under the collation `slow` for each of $2 slices; in PostgreSQL,
/// a sleep of $2 milliseconds. The work comes first, so that an unknown id takes as long as a known one.
pub(super) const QUERY: Sql = Sql {
    sqlite: "
    WITH RECURSIVE
    slice(n) AS (SELECT 1 WHERE $2 > 0 UNION ALL SELECT n + 1 FROM slice WHERE n < $2),
    work(done) AS MATERIALIZED (
        SELECT count(*) FROM slice WHERE CAST(n AS TEXT) <> '' COLLATE slow
    )
    SELECT u.id, u.name, u.email, u.created_at, u.updated_at
    FROM work CROSS JOIN users u
    WHERE u.id = $1 AND work.done >= 0",
    postgres: "SELECT id, name, email, created_at, updated_at FROM users
    WHERE id = $1 AND (SELECT pg_sleep($2::bigint / 1000.0)) IS NOT NULL",
};

/// True of an id that a user has.
const HAS: Sql = Sql::both("SELECT 1 FROM users WHERE id = $1");

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
        let values = [id.into(), self.database.slowness().into()];
        let row = self.database.load(QUERY, &values, deadline).await?;
        let user = row.as_ref().map(User::read).transpose()?;
        // Strings and a number always serialise.
        let body = user.map(|user| Bytes::from(serde_json::to_vec(&user).unwrap_or_default()));
        Ok(body.into())
    }

    async fn may_have(&self, id: &i64) -> bool {
        self.database.has(HAS, *id).await
    }
}
