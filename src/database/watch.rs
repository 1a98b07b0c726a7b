//! Hearing what the log of changes has that is new.

use sqlx::{Sqlite, pool::PoolConnection};

use super::{
    Database,
    statement::{Pool, Sql},
};
use crate::cache::Key;

/// Changes that are told of one by one. More of them are too much.
const TOLD_MAX: u16 = 1_000;

const SNAPSHOT: Sql = Sql::both("SELECT pg_current_snapshot()::text");

/// How far the log goes now; the list in force; true if changes that were not heard of may be gone; and the keys of those
/// that were not. SQLite is asked for what comes after a position, PostgreSQL for the changes of transactions that a
/// snapshot did not see: one is seen once it has committed, whatever positions its changes were given before.
const NEWS: Sql = Sql {
    sqlite: "SELECT coalesce((SELECT max(position) FROM changes), 0), list, pruned > $1,
            (SELECT json_group_array(key) FROM
                (SELECT key FROM changes WHERE position > $1 ORDER BY position LIMIT $2))
        FROM serving",
    postgres: "SELECT pg_current_snapshot()::text, list,
            pruned >= pg_snapshot_xmin($1::pg_snapshot)::text::bigint,
            (SELECT coalesce(json_agg(key), '[]')::text FROM (
                SELECT key FROM changes WHERE xact >= pg_snapshot_xmin($1::pg_snapshot)
                AND NOT pg_visible_in_snapshot(xact, $1::pg_snapshot) LIMIT $2) AS told)
        FROM serving",
};

/// How far a process has heard of the log.
#[derive(Clone, Debug)]
enum Heard {
    /// Of all changes up to this position.
    Position(i64),
    /// Of all transactions that this snapshot sees.
    Snapshot(String),
}

/// What the log has that is new.
#[derive(Debug)]
pub struct News {
    /// The keys of all changes; `None` if they are too many, or some are in the log no more.
    pub keys: Option<Vec<Key>>,
    /// The list of servers in force.
    pub list: i64,
}

/// Hears of every commit, this process's own included.
pub struct Watch {
    database: Database,
    heard: Heard,
    /// On SQLite, a connection that is told that others have committed, and the version that it has seen.
    seen: Option<(PoolConnection<Sqlite>, i64)>,
}

impl Database {
    /// Begins to watch: it will be told of what comes from now on.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn watch(&self) -> sqlx::Result<Watch> {
        let heard = match &self.log {
            Pool::Sqlite(_) => Heard::Position(self.extent().await?.last),
            Pool::Postgres(_) => Heard::Snapshot(self.log.row(SNAPSHOT, &[]).await?.get(0)?),
        };
        Ok(Watch { database: self.clone(), heard, seen: None })
    }
}

impl Watch {
    /// What has come since the last news; `None` if nothing has.
    ///
    /// # Errors
    /// If the database can't be read; the next news have it all.
    pub async fn news(&mut self) -> sqlx::Result<Option<News>> {
        if !self.may_have_changed().await? {
            return Ok(None);
        }
        let news = self.told().await;
        if news.is_err() {
            // What was not told is to be asked for again, although nobody commits meanwhile.
            self.seen = None;
        }
        news.map(Some)
    }

    async fn told(&mut self) -> sqlx::Result<News> {
        let told_max = i64::from(TOLD_MAX + 1).into();
        let heard = match &self.heard {
            Heard::Position(position) => (*position).into(),
            Heard::Snapshot(snapshot) => snapshot.as_str().into(),
        };
        let row = self.database.log.row(NEWS, &[heard, told_max]).await?;
        let (list, is_pruned, keys): (_, bool, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        self.heard = match &self.heard {
            Heard::Position(_) => Heard::Position(row.get(0)?),
            Heard::Snapshot(_) => Heard::Snapshot(row.get(0)?),
        };
        let keys: Option<Vec<String>> = serde_json::from_str(&keys).ok();
        let keys = keys.filter(|keys| !is_pruned && keys.len() <= TOLD_MAX.into());
        let sound = |keys: Vec<String>| keys.iter().filter_map(|key| Key::new(key).ok()).collect();
        Ok(News { keys: keys.map(sound), list })
    }

    /// False if SQLite says that nobody else has committed since the last look: that costs no read.
    /// <https://sqlite.org/pragma.html#pragma_data_version>
    async fn may_have_changed(&mut self) -> sqlx::Result<bool> {
        let Pool::Sqlite(pool) = &self.database.log else { return Ok(true) };
        let (mut connection, seen) = match self.seen.take() {
            Some(seen) => seen,
            None => (pool.acquire().await?, -1),
        };
        let version = sqlx::query_scalar("PRAGMA data_version");
        let version: i64 = version.fetch_one(&mut *connection).await?;
        self.seen = Some((connection, version));
        Ok(seen != version)
    }
}
