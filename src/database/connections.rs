//! The database and its connections, whatever kind it is of.

use std::{ops::Deref, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    error::OpenError,
    last_commit::LastCommit,
    postgres, sqlite,
    statement::{Pool, Pools, Row, Sql, Value},
};
use crate::cache::LoadError;

/// The database: an SQLite file in WAL mode, or a database on a PostgreSQL server. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Database {
    pub(super) pools: Arc<Pools>,
    /// The file, if it is one.
    pub(super) home: Option<sqlite::Home>,
    pub(super) last_commit: Arc<LastCommit>,
    /// The slowness of a query in the database's own measure: slices of a sleep, or milliseconds.
    slowness: i64,
}

impl Deref for Database {
    type Target = Pools;

    fn deref(&self) -> &Pools {
        &self.pools
    }
}

impl Database {
    /// Opens the database that `url` names (`sqlite://PATH`, `postgres://…`), and creates an SQLite file, migrates and
    /// seeds it if need be.
    ///
    /// Any number of processes may do so at once. Each query takes `slow_query` longer than it would, and
    /// at most `max_queries` of them, at least one, run at a time.
    ///
    /// This comes before any other use of the database: one with tables but without ours is refused.
    ///
    /// # Errors
    /// [`OpenError`] names the place and what is wrong with it.
    pub async fn open(
        url: &str,
        slow_query: Duration,
        max_queries: usize,
    ) -> Result<Self, OpenError> {
        if postgres::is_url(url) {
            let pools = postgres::open(url, max_queries).await?;
            let slowness = i64::try_from(slow_query.as_millis()).unwrap_or(i64::MAX);
            return Ok(Self::of(pools, None, slowness));
        }
        let (pools, home, slowness) = sqlite::open(url, slow_query, max_queries).await?;
        Ok(Self::of(pools, Some(home), slowness))
    }

    fn of(pools: Pools, home: Option<sqlite::Home>, slowness: i64) -> Self {
        Self { pools: Arc::new(pools), home, last_commit: Arc::default(), slowness }
    }

    /// The row that a query of a load finds. It ends at `deadline`, in the database, too.
    pub(crate) async fn load(
        &self,
        sql: Sql,
        values: &[Value],
        deadline: Instant,
    ) -> Result<Option<Row>, LoadError> {
        let found = match &self.loads {
            Pool::Sqlite(pool) => sqlite::load(pool, sql.sqlite, values, deadline).await,
            Pool::Postgres(pool) => postgres::load(pool, sql.postgres, values, deadline).await,
        };
        found.map(|mut rows| rows.pop())
    }

    /// True if `query` finds a row for `id`, or can't be asked.
    pub(crate) async fn has(&self, query: Sql, id: i64) -> bool {
        self.log.rows(query, &[id.into()]).await.map_or(true, |rows| !rows.is_empty())
    }

    /// True if changes appear in the log in the order of their positions.
    pub(crate) fn is_in_order(&self) -> bool {
        matches!(self.log, Pool::Sqlite(_))
    }

    /// The parameter by which a query is made slow.
    pub(crate) fn slowness(&self) -> i64 {
        self.slowness
    }

    /// Waits for running queries and closes the database. Loads fail as unavailable from the call on.
    pub async fn close(&self) {
        for pool in [&self.probe, &self.log, &self.writer, &self.loads] {
            pool.close().await;
        }
    }
}
