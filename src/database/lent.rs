//! A connection to PostgreSQL that never stays lost: whatever becomes of its user, it is soon usable again or closed.

use std::{ops::Range, time::Duration};

use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::{runtime::Handle, time::timeout};

use super::error::is_lost;

/// The longest that a connection whose user has left in the middle may take to be in order again. Past it, it is closed: the
/// server or the way to it may have gone without a word.
const ORDER_WAIT: Duration = Duration::from_secs(1);

/// A connection of a pool, for one use.
#[derive(Debug)]
pub(crate) struct Lent {
    /// `None` once it was given back.
    connection: Option<PoolConnection<Postgres>>,
    is_in_transaction: bool,
}

impl Lent {
    /// A connection of `pool`.
    pub(super) async fn of(pool: &PgPool) -> sqlx::Result<Self> {
        Ok(Self { connection: Some(pool.acquire().await?), is_in_transaction: false })
    }

    /// A connection of `pool`, after this first statement: after `BEGIN`, in a transaction.
    pub(super) async fn after(pool: &PgPool, first: &str) -> sqlx::Result<Self> {
        let mut others = others(pool);
        loop {
            let mut lent = Self::of(pool).await?;
            lent.is_in_transaction = first.starts_with("BEGIN");
            match lent.connection()?.execute(AssertSqlSafe(first)).await {
                Ok(_) => return Ok(lent),
                Err(error) if is_lost(&error) && others.next().is_some() => lent.close(),
                Err(error) => return Err(error),
            }
        }
    }

    /// The connection itself.
    pub(super) fn connection(&mut self) -> sqlx::Result<&mut PgConnection> {
        self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Commits, and gives it back.
    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        self.connection()?.execute("COMMIT").await?;
        self.give_back();
        Ok(())
    }

    /// Gives it back: nothing is under way on it.
    pub(super) fn give_back(mut self) {
        self.is_in_transaction = false;
        drop(self.connection.take());
    }

    /// Keeps it for as long as its user likes, and the pool has room for another one.
    pub(super) fn keep(mut self) -> Option<PgConnection> {
        self.connection.take().map(PoolConnection::detach)
    }

    /// Closes it, whatever is under way.
    pub(super) fn close(self) {
        drop(self.keep());
    }
}

/// The connections that may be lost as well. That a server has ended one is found out with its first use, which costs
/// less than to ask before each; nothing was done then, and the next one is tried.
pub(super) fn others(pool: &PgPool) -> Range<u32> {
    0..pool.options().get_max_connections()
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let order = if self.is_in_transaction { "ROLLBACK" } else { "SELECT" };
        let Ok(runtime) = Handle::try_current() else {
            drop(connection.detach());
            return;
        };
        runtime.spawn(async move {
            if !matches!(timeout(ORDER_WAIT, connection.execute(order)).await, Ok(Ok(_))) {
                drop(connection.detach());
            }
        });
    }
}
