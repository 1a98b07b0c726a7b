//! The notes of the triggers of somebody else's database that nobody has taken care of yet.
//!
//! A trigger adds a row in the transaction of the change, and every process sees it. To take care of rows for all, a process
//! takes them for a moment: one that dies with them leaves them to the others. They are removed only when they have been taken
//! care of, so that what comes of them may be done twice, and is never lost.

use std::time::Duration;

use tokio::time::Instant;

use super::Foreign;
use crate::database::{
    ear::Ear,
    error::said,
    statement::{Sql, Value},
    under_way::{UnderWay, under_way},
};

/// Rows that are seen at once. More of them are a bulk, whose work is shared.
pub const SEEN_MAX: u32 = 100;

/// Rows that are taken at once, for 100 ms.
const TAKEN_MAX: u32 = 1_000;

/// True of a row that nobody has taken, or not for long enough. A clock may be set back.
macro_rules! is_free {
    (sqlite) => {
        "(taken IS NULL OR CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - taken NOT BETWEEN 0 AND 100)"
    };
    (postgres) => {
        "(taken IS NULL OR clock_timestamp() - taken NOT BETWEEN interval '0' AND interval '100 ms')"
    };
}

/// The first rows, a JSON array of arrays; and if those who note do without telling, as somebody has promised to look; and
/// what is under way.
const LOOK: Sql = Sql {
    sqlite: concat!(
        "SELECT json_group_array(json_array(id, resource, arguments, forgotten)) FROM
            (SELECT id, resource, arguments, forgotten AND NOT ",
        is_free!(sqlite),
        " AS forgotten FROM aside_outdated ORDER BY id LIMIT $1)"
    ),
    postgres: concat!(
        "SELECT (SELECT coalesce(json_agg(json_build_array(id, resource, arguments, forgotten)), '[]')::text
                FROM (SELECT id, resource, arguments, CASE WHEN ",
        is_free!(postgres),
        " THEN 0 ELSE forgotten END AS forgotten FROM aside_outdated ORDER BY id LIMIT $1) AS seen),
            EXISTS (SELECT FROM aside_listening WHERE until > clock_timestamp()), ",
        under_way!()
    ),
};

/// Takes the first rows that are free, and says of them whether their entries are forgotten everywhere.
const TAKE: Sql = Sql {
    sqlite: concat!(
        "UPDATE aside_outdated
         SET taken = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), forgotten = $3
         WHERE id IN (SELECT id FROM aside_outdated WHERE id <= $2 AND ",
        is_free!(sqlite),
        " ORDER BY id LIMIT $1) RETURNING id, resource, arguments"
    ),
    postgres: concat!(
        "UPDATE aside_outdated SET taken = clock_timestamp(), forgotten = $3
         WHERE id IN (SELECT id FROM aside_outdated WHERE id <= $2 AND ",
        is_free!(postgres),
        " ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING id, resource, arguments"
    ),
};

const REMOVE: Sql = Sql {
    sqlite: "DELETE FROM aside_outdated WHERE id IN (SELECT value FROM json_each($1))",
    postgres: "DELETE FROM aside_outdated WHERE id = ANY (translate($1, '[]', '{}')::bigint[])",
};

/// Promises to look for longer than others stay awake for without news. Not more than once a second.
const PROMISE: &str = include_str!("sql/promise.postgres.sql");

/// Says that somebody listens, three times as often as triggers go by it.
const ALIVE: &str = include_str!("sql/alive.postgres.sql");

/// Between two times.
const ALIVE_PAUSE: Duration = Duration::from_secs(20);

/// A change that a trigger has noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The number of the row.
    pub id: i64,
    /// The resource whose entry it outdates.
    pub resource: String,
    /// The values of its parameters, a JSON array.
    pub arguments: String,
    /// True if somebody has taken it who had forgotten the entry at all servers by then.
    pub is_forgotten: bool,
}

/// The notes of a database's triggers.
pub struct Inbox {
    foreign: Foreign,
    ear: Ear,
    /// When it is to be said again that somebody listens.
    alive_at: Instant,
}

impl Inbox {
    /// The notes of the triggers of `foreign`.
    pub fn of(foreign: Foreign) -> Self {
        let ear = Ear::at(&foreign.0.writer);
        Self { foreign, ear, alive_at: Instant::now() }
    }

    /// Waits until there may be something.
    pub async fn due(&mut self) {
        self.ear.due().await;
    }

    /// The first of what is there, whoever has taken it: one more than [`SEEN_MAX`], if there are more.
    ///
    /// # Errors
    /// In the database's words: it can't be read, or no triggers are installed.
    pub async fn look(&mut self) -> Result<Vec<Noted>, String> {
        let seen = self.try_look().await.map_err(|error| said(&error))?;
        let seen: Vec<(i64, String, String, i64)> =
            serde_json::from_str(&seen).map_err(|error| error.to_string())?;
        let noted = |(id, resource, arguments, forgotten)| {
            let is_forgotten = forgotten != 0;
            Noted { id, resource, arguments, is_forgotten }
        };
        Ok(seen.into_iter().map(noted).collect())
    }

    async fn try_look(&mut self) -> sqlx::Result<String> {
        let values = [Value::from(i64::from(SEEN_MAX + 1))];
        match &mut self.ear {
            Ear::Sqlite(ear) => {
                self.foreign.kept().await?;
                // What is left when somebody has died with it is no new commit.
                ear.is_new().await?;
                let found = self.foreign.read(LOOK.sqlite, &values).await?.pop();
                found.ok_or(sqlx::Error::RowNotFound)?.get(0)
            }
            Ear::Postgres(ear) => {
                let row = ear.look(LOOK, &values).await?;
                let (seen, is_promised): (String, bool) = (row.get(0)?, row.get(1)?);
                let has_any = seen != "[]";
                ear.found(has_any || is_promised, UnderWay::read(&row, 2)?);
                ear.is_another();
                if has_any {
                    self.foreign.write(PROMISE, &[]).await?;
                } else if Instant::now() >= self.alive_at {
                    self.foreign.write(ALIVE, &[]).await?;
                    self.alive_at = Instant::now() + ALIVE_PAUSE;
                }
                Ok(seen)
            }
        }
    }

    /// Takes some of what is there up to the row `last`, for a moment, and tells others whether its entries are forgotten at all
    /// servers.
    ///
    /// # Errors
    /// In the database's words.
    pub async fn take(&self, last: i64, is_forgotten: bool) -> Result<Vec<Noted>, String> {
        let noted = |row: &super::Row| {
            let (id, resource, arguments) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Noted { id, resource, arguments, is_forgotten })
        };
        let values = [i64::from(TAKEN_MAX), last, i64::from(is_forgotten)].map(Value::from);
        let rows = self.foreign.write(self.foreign.of(TAKE), &values).await;
        rows.and_then(|rows| rows.iter().map(noted).collect()).map_err(|error| said(&error))
    }

    /// Removes what has been taken care of.
    ///
    /// # Errors
    /// In the database's words; it is then taken once more.
    pub async fn remove(&self, ids: Vec<i64>) -> Result<(), String> {
        let ids = Value::from(serde_json::json!(ids).to_string().as_str());
        self.foreign
            .write(self.foreign.of(REMOVE), &[ids])
            .await
            .map(|_| ())
            .map_err(|error| said(&error))
    }
}
