//! Hearing what the log of changes has that is new.

use super::{
    Complete, Database, UnderWay,
    ear::Ear,
    statement::{Sql, Value},
    under_way::under_way,
};
use crate::cache::{Key, Places};

/// Changes that are told of one by one. More of them are too much.
const TOLD_MAX: u16 = 1_000;

const SNAPSHOT: Sql = Sql::both("SELECT pg_current_snapshot()::text");

/// The end of the log now; the list in force; true if changes that were not heard of may be gone; and the keys of those
/// that were not. SQLite is asked for what comes after a position, PostgreSQL for the changes of transactions that a
/// snapshot did not see: one is seen once it has committed, whatever positions its changes were given before. They are
/// looked for where something can still have appeared.
const NEWS: Sql = Sql {
    sqlite: "SELECT coalesce((SELECT max(position) FROM changes), 0), list, pruned > $1,
            (SELECT json_group_array(key) FROM
                (SELECT key FROM changes WHERE position > $1 ORDER BY position LIMIT $2))
        FROM serving",
    postgres: concat!(
        "SELECT pg_current_snapshot()::text, list,
            pruned >= pg_snapshot_xmin($1::pg_snapshot)::text::bigint,
            (SELECT coalesce(json_agg(key), '[]')::text FROM (
                SELECT key FROM changes WHERE position > $3
                AND NOT pg_visible_in_snapshot(xact, (SELECT $1::pg_snapshot)) LIMIT $2) AS told), ",
        under_way!(),
        ", coalesce((SELECT max(position) FROM changes), 0) FROM serving"
    ),
};

/// The part of the log that a process has heard of.
#[derive(Clone, Debug)]
enum Heard {
    /// Of all changes up to this position.
    Position(i64),
    /// Of all transactions that this snapshot sees, and of all in a part of the log in which nothing can appear any more.
    Snapshot(String, Complete),
}

/// The news of the log.
#[derive(Debug)]
pub struct News {
    /// The keys of all changes; `None` if that can't be told: they are too many, some are in the log no more, or it is
    /// another server's.
    pub keys: Option<Vec<Key>>,
    /// The list of servers in force.
    pub list: i64,
}

/// Hears of every commit, this process's own included.
pub struct Watch {
    database: Database,
    heard: Heard,
    ear: Ear,
}

impl Database {
    /// Begins to watch: it will be told of what comes from now on.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn watch(&self) -> sqlx::Result<Watch> {
        let heard = if self.is_in_order() {
            Heard::Position(self.extent(0, Places::NONE).await?.last)
        } else {
            Heard::Snapshot(self.log.row(SNAPSHOT, &[]).await?.get(0)?, Complete::default())
        };
        Ok(Watch { database: self.clone(), heard, ear: Ear::at(&self.log) })
    }
}

impl Watch {
    /// Waits until there may be news: what was committed is in those that come then, if the database can be read.
    pub async fn due(&mut self) {
        self.ear.due().await;
    }

    /// The changes since the last news; `None` if nothing has.
    ///
    /// # Errors
    /// If the database can't be read; the next news have it all.
    pub async fn news(&mut self) -> sqlx::Result<Option<News>> {
        if let Ear::Sqlite(ear) = &mut self.ear
            && !ear.is_new().await?
        {
            return Ok(None);
        }
        let news = self.told().await;
        if let (Err(_), Ear::Sqlite(ear)) = (&news, &mut self.ear) {
            ear.forget();
        }
        news.map(Some)
    }

    async fn told(&mut self) -> sqlx::Result<News> {
        let told_max = i64::from(TOLD_MAX + 1).into();
        let values: Vec<Value> = match &self.heard {
            Heard::Position(position) => vec![(*position).into(), told_max],
            Heard::Snapshot(snapshot, complete) => {
                vec![snapshot.as_str().into(), told_max, complete.to().into()]
            }
        };
        let row = match &mut self.ear {
            Ear::Sqlite(_) => self.database.log.row(NEWS, &values).await?,
            Ear::Postgres(ear) => ear.look(NEWS, &values).await?,
        };
        let (list, is_pruned, keys): (_, bool, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let keys: Option<Vec<String>> = serde_json::from_str(&keys).ok();
        let mut keys = keys.filter(|keys| !is_pruned && keys.len() <= TOLD_MAX.into());
        match (&mut self.ear, &mut self.heard) {
            (Ear::Postgres(ear), Heard::Snapshot(snapshot, complete)) => {
                if ear.is_another() {
                    (keys, *complete) = (None, Complete::default());
                }
                let under_way = UnderWay::read(&row, 4)?;
                ear.found(keys.as_ref().is_none_or(|keys| !keys.is_empty()), under_way);
                complete.seen(row.get(6)?, under_way);
                *snapshot = row.get(0)?;
            }
            (_, heard) => *heard = Heard::Position(row.get(0)?),
        }
        let sound = |keys: Vec<String>| keys.iter().filter_map(|key| Key::new(key).ok()).collect();
        Ok(News { keys: keys.map(sound), list })
    }
}

#[cfg(test)]
impl Watch {
    /// True if a change is to be told of before it is looked for.
    pub(super) fn is_asleep(&self) -> bool {
        matches!(&self.ear, Ear::Postgres(ear) if ear.is_asleep())
    }

    /// Waits until it is told of a change, however long that takes.
    pub(super) async fn told_of(&mut self) {
        match &mut self.ear {
            Ear::Sqlite(ear) => ear.told().await,
            Ear::Postgres(ear) => ear.told().await,
        }
    }
}
