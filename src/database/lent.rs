//! A connection to PostgreSQL that never stays lost: whatever becomes of its user, it is soon usable again or closed.

use std::time::Duration;

use sqlx::{Executor, PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::{runtime::Handle, time::timeout};

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
    /// A connection of `pool`, in a transaction that `begin` begins.
    pub(super) async fn of(pool: &PgPool, begin: Option<&'static str>) -> sqlx::Result<Self> {
        let connection = Some(pool.acquire().await?);
        let mut lent = Self { connection, is_in_transaction: begin.is_some() };
        if let Some(begin) = begin {
            lent.connection()?.execute(begin).await?;
        }
        Ok(lent)
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

    /// Closes it, whatever is under way.
    pub(super) fn close(mut self) {
        drop(self.connection.take().map(PoolConnection::detach));
    }
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
