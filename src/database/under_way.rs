//! The transactions under way on PostgreSQL: those that may still add to the log before what is seen in it already.

use super::statement::Row;

/// Two columns: the first transaction that has not ended, and the first that has not begun. A snapshot's own end is only
/// past the last that has *ended*; `age` counts from the next that will begin.
/// <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT>
macro_rules! under_way {
    () => {
        "pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
         pg_snapshot_xmin(pg_current_snapshot())::text::bigint
             + age(pg_snapshot_xmin(pg_current_snapshot())::xid)"
    };
}
pub(super) use under_way;

/// The transactions under way at one moment, by their numbers: a transaction has one before it is given a position. On
/// SQLite there are none: writers come one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnderWay {
    first: i64,
    end: i64,
}

impl UnderWay {
    /// In this column of a row and in the next.
    pub(super) fn read(row: &Row, column: usize) -> sqlx::Result<Self> {
        Ok(Self { first: row.get(column)?, end: row.get(column + 1)? })
    }

    /// True if all of them have ended by the moment of `later`.
    pub fn have_ended(self, later: Self) -> bool {
        later.first >= self.end
    }
}
