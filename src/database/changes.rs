//! The log of changes: keys that committed writes have made outdated, and which servers have not forgotten
//! them yet. It survives a crash between the commit and the forgetting, and a memcached that is away.
//!
//! Writers of SQLite come one after the other, so that positions become visible in their order: whoever has
//! read up to a position has seen all before it. Those of PostgreSQL are given positions before they commit, in any order:
//! there, nobody passes a position by before all transactions have ended that may have been given an earlier one
//! ([`UnderWay`]), and memories go by the transactions that they have seen ([`News`](super::News)).

use super::{
    Database, UnderWay, Unwritten,
    statement::{Row, Sql},
    under_way::under_way,
};
use crate::cache::{Change, Key, Page, Places};

/// Changes that every server has forgotten stay in the log until so many have come after them. A process that
/// follows the log for its own memory and is further behind drops all of that.
const KEPT_MAX: i64 = 10_000;

/// Changes that are read at once.
const PAGE_MAX: u32 = 1_000;

/// Changes that are recorded in one transaction; others write between two of them.
const CHANGES_PER_TRANSACTION: usize = 5_000;

const EXTENT: Sql = Sql {
    sqlite: "SELECT coalesce((SELECT max(position) FROM changes), 0), list,
            EXISTS (SELECT 1 FROM changes WHERE missing & $2 <> 0 AND position > $1)
            OR EXISTS (SELECT 1 FROM servers WHERE empty_to IS NOT NULL), 0, 0
        FROM serving",
    postgres: concat!(
        "SELECT coalesce((SELECT max(position) FROM changes), 0), list,
            EXISTS (SELECT FROM changes WHERE missing & $2 <> 0 AND position > $1)
            OR EXISTS (SELECT FROM servers WHERE empty_to IS NOT NULL), ",
        under_way!(),
        " FROM serving"
    ),
};

const CHANGES: Sql = Sql::both(
    "SELECT position, key FROM changes WHERE missing & $1 <> 0
     AND position > $2 AND position <= $3 ORDER BY position LIMIT $4",
);

const MISSING: Sql = Sql::both("SELECT count(*) FROM changes WHERE missing & $1 <> 0");

const RECORD: Sql = Sql {
    sqlite: "UPDATE changes SET missing = missing & ~$1
             WHERE position IN (SELECT value FROM json_each($2))
             AND (SELECT list FROM serving) = $3",
    // Found by the primary key, in its order: so two processes never wait for each other.
    postgres: "UPDATE changes SET missing = missing & ~$1
               WHERE position = ANY (translate($2, '[]', '{}')::bigint[])
               AND (SELECT list FROM serving) = $3",
};

/// A server that is told of the last change of a key is told of all: it has missed none of the others any more.
const SUPERSEDE: Sql = Sql::both(
    "UPDATE changes SET missing = missing & ~$1
     FROM (SELECT key, max(position) AS last FROM changes WHERE missing & $1 <> 0 GROUP BY key) AS kept
     WHERE changes.key = kept.key AND position < last AND missing & $1 <> 0
     AND (SELECT list FROM serving) = $2",
);

pub(super) const LAST: Sql = Sql::both("SELECT coalesce(max(position), 0) FROM changes");

const PRUNE: Sql = Sql {
    sqlite: "DELETE FROM changes WHERE missing & $2 = 0 AND position <= $1 RETURNING position",
    postgres: "DELETE FROM changes WHERE missing & $2 = 0 AND position <= $1 RETURNING xact::text::bigint",
};

const PRUNED: Sql = Sql {
    sqlite: "UPDATE serving SET pruned = max(pruned, $1)",
    postgres: "UPDATE serving SET pruned = greatest(pruned, $1)",
};

/// A change that was just committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outdated {
    /// The change.
    pub change: Change,
    /// The list of servers that must forget it.
    pub list: i64,
}

/// The extent of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The last change there ever was; 0 if there was none.
    pub last: i64,
    /// The number of the list of servers in force; it grows with each.
    pub list: i64,
    /// True if some server has missed something after the position that was asked about.
    pub is_missed: bool,
    /// The transactions under way.
    pub under_way: UnderWay,
}

impl Database {
    /// The extent of the log now, and whether the servers at `places` have forgotten what is in it after `after`. A bit where
    /// no server is means nothing.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn extent(&self, after: i64, places: Places) -> sqlx::Result<Extent> {
        let row = self.log.row(EXTENT, &[after.into(), places.bits().into()]).await?;
        let (last, list, is_missed) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Extent { last, list, is_missed, under_way: UnderWay::read(&row, 3)? })
    }

    /// The changes after `after` and up to `last` that the server at `place` has not forgotten yet.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn changes(&self, place: u16, after: i64, last: i64) -> sqlx::Result<Page> {
        let missing = Places::only(place).bits();
        let values = [missing.into(), after.into(), last.into(), i64::from(PAGE_MAX).into()];
        page(&self.log.rows(CHANGES, &values).await?, last)
    }

    /// Counts the changes that some of the servers at `places` have not forgotten yet.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn missing(&self, places: Places) -> sqlx::Result<u64> {
        let count: i64 = self.log.row(MISSING, &[places.bits().into()]).await?.get(0)?;
        Ok(count.unsigned_abs())
    }

    /// Records that these changes are forgotten at these places of `list`. Where another list is in force, its places
    /// are others.
    ///
    /// # Errors
    /// If the database can't be written; the keys are then forgotten once more later, which does no harm.
    pub async fn record(
        &self,
        list: i64,
        places: Places,
        positions: &[i64],
    ) -> Result<(), Unwritten> {
        for positions in positions.chunks(CHANGES_PER_TRANSACTION) {
            let mut writing = self.begin().await?;
            let positions = serde_json::json!(positions).to_string();
            let values = [places.bits().into(), positions.as_str().into(), list.into()];
            writing.rows(RECORD, &values).await?;
            writing.commit().await?;
        }
        Ok(())
    }

    /// Expects nothing more of the server at `place` of `list` for changes that were followed by another one of the same key
    /// which it has missed as well.
    ///
    /// # Errors
    /// If the database can't be written.
    pub async fn supersede(&self, list: i64, place: u16) -> Result<(), Unwritten> {
        let mut writing = self.begin().await?;
        writing.rows(SUPERSEDE, &[Places::only(place).bits().into(), list.into()]).await?;
        Ok(writing.commit().await?)
    }

    /// Removes what every server at `places` has forgotten and nobody is expected to follow any more.
    ///
    /// # Errors
    /// If the database can't be written; the log is longer then.
    pub async fn prune(&self, places: Places) -> Result<(), Unwritten> {
        let mut writing = self.begin().await?;
        let last: i64 = writing.row(LAST, &[]).await?.get(0)?;
        let gone = writing.rows(PRUNE, &[(last - KEPT_MAX).into(), places.bits().into()]).await?;
        let gone: Vec<i64> = gone.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
        if let Some(up_to) = gone.into_iter().max() {
            writing.rows(PRUNED, &[up_to.into()]).await?;
        }
        Ok(writing.commit().await?)
    }
}

/// Leaves out what is no key: only sound ones are ever noted, and another one is not in the cache either.
fn page(rows: &[Row], last: i64) -> sqlx::Result<Page> {
    let is_full = rows.len() >= PAGE_MAX as usize;
    let mut page = Page { changes: Vec::with_capacity(rows.len()), up_to: last, is_full };
    for row in rows {
        let position = row.get(0)?;
        if is_full {
            page.up_to = position;
        }
        if let Ok(key) = Key::new(&row.get::<String>(1)?) {
            page.changes.push(Change { position, key });
        }
    }
    Ok(page)
}
