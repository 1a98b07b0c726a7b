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

/// The part of the log in which nothing can appear any more, as one who looks again and again gets to know it.
#[derive(Clone, Debug, Default)]
pub struct Complete {
    to: i64,
    /// The end of the log at an earlier look, and the transactions of that moment: once they have ended, it is complete up to
    /// there.
    then: (i64, UnderWay),
}

impl Complete {
    /// Takes note of the log's end at a look, and of the transactions under way.
    pub fn seen(&mut self, last: i64, under_way: UnderWay) {
        if self.then.1.have_ended(under_way) {
            self.to = self.then.0;
            self.then = (last, under_way);
        }
    }

    /// All positions up to this one have been there at the last look, or never will be.
    pub fn to(&self) -> i64 {
        self.to
    }
}
