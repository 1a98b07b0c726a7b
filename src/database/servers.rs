//! The memcached servers of this database: one list for all processes, as each must forget what any of
//! them writes.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{File, TryLockError},
    time::Duration,
};

use sqlx::PgConnection;
use tokio::time::{Instant, sleep};

use super::{
    Database, Unwritten,
    changes::LAST,
    error::one_line,
    statement::{Row, Sql, Writing, hold},
    unwritten::WRITE_WAIT,
};
use crate::cache::{PLACES_MAX, Places};

/// A list without any server, as it is written.
const NONE: &str = "none";

const LIST: Sql = Sql::both("SELECT list FROM serving");

const SERVERS: Sql = Sql::both("SELECT address, empty_to FROM servers ORDER BY place");

const EMPTY_TO: Sql = Sql::both("SELECT empty_to FROM servers WHERE place = $1");

const GIVE_UP: Sql = Sql::both(
    "UPDATE servers SET empty_to = (SELECT max(position) FROM changes)
     WHERE place = $1 AND (SELECT list FROM serving) = $2 RETURNING place",
);

const EMPTIED: Sql = Sql::both(
    "UPDATE servers SET empty_to = NULL
     WHERE place = $1 AND empty_to <= $2 AND (SELECT list FROM serving) = $3",
);

const REMOVE_SERVERS: Sql = Sql::both("DELETE FROM servers");

const ADD_SERVER: Sql =
    Sql::both("INSERT INTO servers (place, address, empty_to) VALUES ($1, $2, $3)");

const SET_LIST: Sql = Sql::both("UPDATE serving SET list = $1");

const CLEAR: Sql = Sql::both("UPDATE changes SET missing = missing & ~$1 WHERE missing & $1 <> 0");

/// Between two looks whether a lock is free.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Held by a process on PostgreSQL that keeps entries in its memory alone. The number is any that other programs do not use.
const ALONE: &str = "SELECT pg_try_advisory_lock(71933263373652)";

/// The list in force, as a process has joined it.
#[derive(Debug)]
pub struct Serving {
    /// The servers by their places.
    pub servers: Vec<String>,
    /// The number of the list; another number is another list.
    pub list: i64,
    /// Held for as long as the process serves alone.
    _alone: Option<Alone>,
}

/// The lock of a process that serves alone.
#[derive(Debug)]
enum Alone {
    File(#[expect(dead_code, reason = "it is locked until it is dropped")] File),
    Connection(#[expect(dead_code, reason = "it has a lock until it is dropped")] PgConnection),
}

/// Why a process can't serve with its list of servers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServingError {
    /// The database is served by others.
    #[error(
        "'--memcached {ours}' is not the list of servers of this database, {theirs}: what one process \
         writes, the servers of all must forget; give all the same list, or start one of them with \
         --adopt-servers and the others again after it"
    )]
    OtherServers {
        /// This process's list.
        ours: String,
        /// The database's list.
        theirs: String,
    },
    /// More servers than a set of places takes.
    #[error("'--memcached' names more than {PLACES_MAX} servers")]
    TooMany,
    /// Another process keeps the entries in its memory.
    #[error(
        "'--memcached none' is for one process: another one serves this database with it, and neither would hear \
         in time of what the other writes"
    )]
    NotAlone,
    /// The list can't be read or written.
    #[error(transparent)]
    Database(#[from] Unwritten),
}

impl From<sqlx::Error> for ServingError {
    fn from(error: sqlx::Error) -> Self {
        Unwritten::from(error).into()
    }
}

/// The address of a server, and up to which change it is to be emptied.
type Listed = (String, Option<i64>);

impl Database {
    /// Joins the processes that `servers` serve. The first process gives the list; with `adopt` a later one gives
    /// another. A server that may hold what it was not told of meanwhile is then emptied before it is used.
    ///
    /// # Errors
    /// [`ServingError`]; its text is one line.
    pub async fn serve(&self, servers: &[String], adopt: bool) -> Result<Serving, ServingError> {
        if servers.len() > usize::from(PLACES_MAX) {
            return Err(ServingError::TooMany);
        }
        let _alone = if servers.is_empty() { Some(self.alone().await?) } else { None };
        let mut writing = self.begin_alone().await?;
        let list: i64 = writing.row(LIST, &[]).await?.get(0)?;
        let before = writing.rows(SERVERS, &[]).await?;
        let listed = |row: &Row| Ok::<Listed, sqlx::Error>((row.get(0)?, row.get(1)?));
        let before: Vec<Listed> = before.iter().map(listed).collect::<Result<_, _>>()?;
        let theirs: Vec<String> = before.iter().map(|(address, _)| address.clone()).collect();
        let grows = is_within(&theirs, servers);
        if list > 0 && grows && theirs.len() == servers.len() {
            return Ok(Serving { servers: theirs, list, _alone });
        }
        if list > 0 && !adopt {
            return Err(ServingError::OtherServers { ours: text(servers), theirs: text(&theirs) });
        }
        let last: i64 = writing.row(LAST, &[]).await?.get(0)?;
        let after =
            successors(if grows { &before } else { &[] }, servers, (list > 0).then_some(last));
        replace(&mut writing, &after, list + 1).await?;
        self.commit(writing).await?;
        let servers = after.into_iter().map(|(address, _)| address).collect();
        Ok(Serving { servers, list: list + 1, _alone })
    }

    /// Makes sure that no other process keeps entries in its memory alone. One that was told to end, or whose end the
    /// server has not noticed yet, is waited for.
    async fn alone(&self) -> Result<Alone, ServingError> {
        let give_up = Instant::now() + WRITE_WAIT;
        loop {
            match self.lock_alone().await? {
                Some(alone) => return Ok(alone),
                None if Instant::now() > give_up => return Err(ServingError::NotAlone),
                None => sleep(LOCK_PAUSE).await,
            }
        }
    }

    /// Takes the lock that goes with the process however that ends: on a file beside the database, or on the server's side
    /// of a connection. `None` if another has it.
    async fn lock_alone(&self) -> Result<Option<Alone>, Unwritten> {
        let Some(home) = &self.home else {
            return Ok(hold(&self.writer, ALONE).await?.map(Alone::Connection));
        };
        let mut path = OsString::from(&*home.path);
        path.push("-alone");
        let unavailable = |error| Unwritten::Unavailable(one_line(&error));
        let file = File::options().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Alone::File(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }

    /// Up to which change the server at `place` has missed so much that it is to be emptied; `None` if it is not.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn empty_to(&self, place: u16) -> sqlx::Result<Option<i64>> {
        let found = self.log.rows(EMPTY_TO, &[i64::from(place).into()]).await?.pop();
        found.map_or(Ok(None), |row| row.get(0))
    }

    /// Notes that the server at `place` of `list` is to be emptied rather than told of each change until now. For those,
    /// nothing more is expected of `places`.
    ///
    /// # Errors
    /// If the database can't be written.
    pub async fn give_up(&self, list: i64, place: u16, places: Places) -> Result<(), Unwritten> {
        let mut writing = self.begin().await?;
        let noted = writing.rows(GIVE_UP, &[i64::from(place).into(), list.into()]).await?;
        if !noted.is_empty() {
            clear(&mut writing, places).await?;
        }
        Ok(writing.commit().await?)
    }

    /// Notes that the server at `place` of `list` was emptied after the change `up_to`.
    ///
    /// # Errors
    /// If the database can't be written; it is then emptied once more later, which does no harm.
    pub async fn emptied(&self, list: i64, place: u16, up_to: i64) -> Result<(), Unwritten> {
        let mut writing = self.begin().await?;
        writing.rows(EMPTIED, &[i64::from(place).into(), up_to.into(), list.into()]).await?;
        Ok(writing.commit().await?)
    }
}

/// Keys are spread by the names of servers, not by their order.
fn is_within(one: &[String], other: &[String]) -> bool {
    let other: HashSet<_> = other.iter().collect();
    one.iter().all(|server| other.contains(server))
}

/// The list after `stay`, servers that keep their places as none is taken away. A server that was added takes keys
/// away from others, and gives them none: only it may hold what it was not told of, from an earlier list, and is to be
/// emptied up to `last`. Where one was removed, none stays: all have keys that were not theirs. The very first list has
/// no `last`, and is trusted.
fn successors(stay: &[Listed], servers: &[String], last: Option<i64>) -> Vec<Listed> {
    let is_new = |server: &&String| !stay.iter().any(|(address, _)| address == *server);
    let new = servers.iter().filter(is_new).map(|server| (server.clone(), last));
    stay.iter().cloned().chain(new).collect()
}

async fn replace(writing: &mut Writing, servers: &[Listed], list: i64) -> sqlx::Result<()> {
    writing.rows(REMOVE_SERVERS, &[]).await?;
    // Of servers that are not there, nobody will ever say that they have forgotten anything.
    let mut untold = Places::ALL;
    for (place, (address, empty_to)) in (0_u16..).zip(servers) {
        let values = [i64::from(place).into(), address.as_str().into(), (*empty_to).into()];
        writing.rows(ADD_SERVER, &values).await?;
        if empty_to.is_none() {
            untold = untold.without(Places::only(place));
        }
    }
    clear(writing, untold).await?;
    writing.rows(SET_LIST, &[list.into()]).await?;
    Ok(())
}

/// Expects nothing more of `places` for any change until now.
async fn clear(writing: &mut Writing, places: Places) -> sqlx::Result<()> {
    writing.rows(CLEAR, &[places.bits().into()]).await?;
    Ok(())
}

/// The list as the setting has it.
fn text(servers: &[String]) -> String {
    if servers.is_empty() { NONE.to_owned() } else { servers.join(",") }
}
