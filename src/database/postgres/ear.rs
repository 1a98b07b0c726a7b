//! Being told by PostgreSQL that the log of changes has something new.
//!
//! A transaction that appends to the log sends a notification with its commit, unless the last commit of its process is less
//! than a second old (`last_commit`): commits that notify wait for each other, which a busy writer would pay for. So a process
//! that has heard of a change stays awake and looks by itself, until nobody can be left who relies on that: nothing was new
//! for longer than that, and each transaction that was under way then has ended.
//! `tests/hearing_model.rs` walks through it.
//!
//! A notification is a hint. One that is lost with its connection is made up for by the look that comes next anyway.

use std::time::Duration;

use sqlx::{PgPool, postgres::PgListener};
use tokio::time::{Instant, sleep, timeout};

use super::pool;
use crate::database::{
    UnderWay,
    statement::{ANSWER_WAIT, Row, Sql, Value, in_time, rows},
};

/// Pause between two looks while changes are being made: what one of them may go unnoticed for.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// The same while nobody makes any and the server will tell of the first.
const POLL_PAUSE: Duration = Duration::from_secs(1);

/// Time for which it stays awake without news: longer than a commit spares the next its notification, one second. That is
/// decided when the next has a number already, so that it is under way for those who look then.
pub(in crate::database) const AWAKE_MIN: Duration = Duration::from_secs(2);

/// The channel of the notifications.
const CHANNEL: &str = "aside";

/// The way in which a change would be noticed without a notification.
#[derive(Clone, Copy, Debug)]
enum Awake {
    /// It looks by itself: there was something new, or might have been, at this moment.
    Since(Instant),
    /// It still does: these transactions may rely on it.
    Until(UnderWay),
    /// It waits to be told.
    No,
}

/// A connection that looks, and is told when to.
pub(in crate::database) struct Ear {
    pool: PgPool,
    listener: Option<PgListener>,
    awake: Awake,
    has_looked: bool,
    /// True if the connection is not the one of an earlier look.
    is_another: bool,
}

impl Ear {
    /// An ear at the server of `pool`, with a connection of its own; it is awake.
    pub(in crate::database) fn at(pool: &PgPool) -> Self {
        Self {
            pool: pool.clone(),
            listener: None,
            awake: Awake::Since(Instant::now()),
            has_looked: false,
            is_another: false,
        }
    }

    /// Waits until a look is due.
    pub(in crate::database) async fn due(&mut self) {
        match self.awake {
            Awake::No => drop(timeout(POLL_PAUSE, self.told()).await),
            _ => sleep(LOOK_PAUSE).await,
        }
    }

    /// Waits until it is told of a change. Cancel-safe.
    pub(in crate::database) async fn told(&mut self) {
        if let Some(listener) = &mut self.listener
            && !matches!(listener.try_recv().await, Ok(Some(_)))
        {
            self.listener = None;
        }
        self.awake = Awake::Since(Instant::now());
    }

    /// The one row of a look.
    pub(in crate::database) async fn look(
        &mut self,
        sql: Sql,
        values: &[Value],
    ) -> sqlx::Result<Row> {
        // One that gives no answer is given up with its connection.
        let mut listener = match self.listener.take() {
            Some(listener) => listener,
            None => {
                self.is_another = self.has_looked;
                in_time(self.listen()).await?
            }
        };
        let found = in_time(rows(&mut listener, sql.postgres, values, Row::Postgres)).await?;
        while listener.next_buffered().is_some() {
            self.awake = Awake::Since(Instant::now());
        }
        self.listener = Some(listener);
        self.has_looked = true;
        found.into_iter().next().ok_or(sqlx::Error::RowNotFound)
    }

    async fn listen(&mut self) -> sqlx::Result<PgListener> {
        self.awake = Awake::Since(Instant::now());
        let own = pool(1, ANSWER_WAIT).connect_lazy_with((*self.pool.connect_options()).clone());
        let mut listener = PgListener::connect_with(&own).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }

    /// True, once, if the connection was lost: it may be to another server now, which has not all that the one before had.
    pub(in crate::database) fn is_another(&mut self) -> bool {
        std::mem::take(&mut self.is_another)
    }

    /// Takes note of what a look has found: whether anything `is_new`, and what was `under_way` then.
    pub(in crate::database) fn found(&mut self, is_new: bool, under_way: UnderWay) {
        self.awake = match self.awake {
            _ if is_new => Awake::Since(Instant::now()),
            Awake::Since(moment) if moment.elapsed() > AWAKE_MIN => Awake::Until(under_way),
            Awake::Until(earlier) if earlier.have_ended(under_way) => Awake::No,
            awake => awake,
        };
    }

    #[cfg(test)]
    pub(in crate::database) fn is_asleep(&self) -> bool {
        matches!(self.awake, Awake::No)
    }
}
