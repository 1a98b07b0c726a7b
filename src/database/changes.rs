//! The log of changes: keys that committed writes have made outdated, and which servers have not forgotten
//! them yet. It survives a crash between the commit and the forgetting, and a memcached that is away.
//!
//! Writers of SQLite come one after the other, so that positions become visible in their order: whoever has
//! read up to a position has seen all before it.

use sqlx::SqliteConnection;

use super::{Database, Unwritten, connections::Writing};
use crate::cache::{Change, Key, Page, Places};

/// Changes that every server has forgotten stay in the log until so many have come after them. A process that
/// follows the log for its own memory and is further behind drops all of that.
const KEPT_MAX: i64 = 10_000;

/// Changes that are read at once.
const PAGE_MAX: u32 = 1_000;

/// Changes that are recorded in one transaction; others write between two of them.
const CHANGES_PER_TRANSACTION: usize = 5_000;

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
    /// Changes up to this one may have been removed.
    pub pruned: i64,
    /// The number of the list of servers in force; it grows with each.
    pub list: i64,
}

/// A position and its key, as they are stored.
type Row = (i64, String);

/// Appends to the log, in the open transaction, that `key` is outdated everywhere. A change of the same key that
/// is not forgotten everywhere yet is superseded: the log holds at most one of those for each key.
pub(super) async fn append(connection: &mut SqliteConnection, key: Key) -> sqlx::Result<Outdated> {
    let supersede = "UPDATE changes SET missing = 0 WHERE key = ?1 AND missing <> 0";
    sqlx::query(supersede).bind(key.as_str()).execute(&mut *connection).await?;
    let insert = "INSERT INTO changes (key, missing)
                  SELECT ?1, coalesce(sum(1 << place), 0) FROM servers
                  RETURNING position, (SELECT list FROM serving)";
    let (position, list) = sqlx::query_as(insert).bind(key.as_str()).fetch_one(connection).await?;
    Ok(Outdated { change: Change { position, key }, list })
}

impl Database {
    /// The extent of the log now.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn extent(&self) -> sqlx::Result<Extent> {
        let select = "SELECT coalesce((SELECT max(position) FROM changes), 0),
                      pruned, list FROM serving";
        let (last, pruned, list) = sqlx::query_as(select).fetch_one(&self.log).await?;
        Ok(Extent { last, pruned, list })
    }

    /// The changes after `after` and up to `last`: all of them, or those that the server at `place` has not forgotten
    /// yet.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn changes(&self, place: Option<u16>, after: i64, last: i64) -> sqlx::Result<Page> {
        let select = "SELECT position, key FROM changes WHERE position > ?1 AND position <= ?2
                      AND (?3 IS NULL OR missing & ?3 <> 0) ORDER BY position LIMIT ?4";
        let select = sqlx::query_as(select).bind(after).bind(last);
        let select = select.bind(place.map(|place| Places::only(place).bits())).bind(PAGE_MAX);
        Ok(page(select.fetch_all(&self.log).await?, last))
    }

    /// Counts the changes that some of the servers at `places` have not forgotten yet.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn missing(&self, places: Places) -> sqlx::Result<u64> {
        let select = "SELECT count(*) FROM changes WHERE missing <> 0 AND missing & ?1 <> 0";
        let count: i64 =
            sqlx::query_scalar(select).bind(places.bits()).fetch_one(&self.log).await?;
        Ok(count.unsigned_abs())
    }

    /// Records that these changes are forgotten at these places of `list`, and shortens the log. Where another list
    /// is in force, its places are others.
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
            let mut transaction = self.begin().await?;
            let update = "UPDATE changes SET missing = missing & ~?1
                          WHERE position IN (SELECT value FROM json_each(?2))
                          AND (SELECT list FROM serving) = ?3";
            let positions = serde_json::json!(positions).to_string();
            let update = sqlx::query(update).bind(places.bits()).bind(positions).bind(list);
            update.execute(&mut *transaction).await?;
            prune(&mut transaction).await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// Removes what every server has forgotten and nobody is expected to follow any more.
async fn prune(transaction: &mut Writing) -> sqlx::Result<()> {
    let last: i64 = sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM changes")
        .fetch_one(&mut **transaction)
        .await?;
    let pruned = last - KEPT_MAX;
    let delete = "DELETE FROM changes WHERE missing = 0 AND position <= ?1";
    if pruned > 0
        && sqlx::query(delete).bind(pruned).execute(&mut **transaction).await?.rows_affected() > 0
    {
        let update = "UPDATE serving SET pruned = max(pruned, ?1)";
        sqlx::query(update).bind(pruned).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Leaves out what is no key: only sound ones are ever noted, and another one is not in the cache either.
fn page(rows: Vec<Row>, last: i64) -> Page {
    let is_full = rows.len() >= PAGE_MAX as usize;
    let up_to = rows.last().filter(|_| is_full).map_or(last, |(position, _)| *position);
    let changes = rows
        .into_iter()
        .filter_map(|(position, key)| Key::new(&key).ok().map(|key| Change { position, key }));
    Page { changes: changes.collect(), up_to, is_full }
}
