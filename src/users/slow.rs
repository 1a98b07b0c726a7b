//! The query, made slow: inside SQLite, so that it holds its connection as a real slow query does.

use tokio::time::{Instant, timeout_at};

use super::{Database, User, error::load_error};
use crate::cache::LoadError;

/// Instructions of SQLite's virtual machine between two looks at the clock: fewer than a slice takes.
const INSTRUCTIONS_PER_LOOK: i32 = 10;

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

impl Database {
    /// The user `id`, or `None`, after the time that queries are made to take.
    ///
    /// The statement is interrupted at `deadline`; this returns only when SQLite has let go of it. If the
    /// future is dropped, the statement still ends at `deadline`, and its connection is free after that.
    pub(super) async fn load(&self, id: i64, deadline: Instant) -> Result<Option<User>, LoadError> {
        let mut connection = timeout_at(deadline, self.readers.acquire())
            .await
            .map_err(|_| LoadError::Timeout)?
            .map_err(load_error)?;
        // The pool takes the handler off again when the connection comes back (`database.rs`).
        connection
            .lock_handle()
            .await
            .map_err(load_error)?
            .set_progress_handler(INSTRUCTIONS_PER_LOOK, move || Instant::now() < deadline);
        sqlx::query_as(QUERY)
            .bind(id)
            .bind(self.slowness.slices)
            .fetch_optional(&mut *connection)
            .await
            .map_err(load_error)
    }
}
