//! The memcached servers of this database: one list for all processes, as each must forget what any of
//! them writes.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{File, TryLockError},
};

use super::{Database, Unwritten, connections::Writing, error::one_line};
use crate::cache::{PLACES_MAX, Places};

/// A list without any server, as it is written.
const NONE: &str = "none";

/// The list in force, as a process has joined it.
#[derive(Debug)]
pub struct Serving {
    /// The servers by their places.
    pub servers: Vec<String>,
    /// The number of the list; another number is another list.
    pub list: i64,
    /// Held for as long as the process serves alone.
    _alone: Option<File>,
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
        let _alone = if servers.is_empty() { Some(self.alone()?) } else { None };
        let mut transaction = self.begin().await?;
        let list: i64 =
            sqlx::query_scalar("SELECT list FROM serving").fetch_one(&mut *transaction).await?;
        let select = "SELECT address, empty_to FROM servers ORDER BY place";
        let before: Vec<Listed> = sqlx::query_as(select).fetch_all(&mut *transaction).await?;
        let theirs: Vec<String> = before.iter().map(|(address, _)| address.clone()).collect();
        let grows = is_within(&theirs, servers);
        if list > 0 && grows && theirs.len() == servers.len() {
            return Ok(Serving { servers: theirs, list, _alone });
        }
        if list > 0 && !adopt {
            return Err(ServingError::OtherServers { ours: text(servers), theirs: text(&theirs) });
        }
        let last: i64 = sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM changes")
            .fetch_one(&mut *transaction)
            .await?;
        let after =
            successors(if grows { &before } else { &[] }, servers, (list > 0).then_some(last));
        replace(&mut transaction, &after, list + 1).await?;
        transaction.commit().await?;
        let servers = after.into_iter().map(|(address, _)| address).collect();
        Ok(Serving { servers, list: list + 1, _alone })
    }

    /// Makes sure that no other process keeps entries in its memory alone: by a lock on a file beside the database,
    /// which goes with the process however that ends.
    fn alone(&self) -> Result<File, ServingError> {
        let mut path = OsString::from(&*self.path);
        path.push("-alone");
        let unavailable = |error| Unwritten::Unavailable(one_line(&error));
        let file = File::options().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(ServingError::NotAlone),
            Err(TryLockError::Error(error)) => Err(unavailable(error).into()),
        }
    }

    /// Up to which change the server at `place` has missed so much that it is to be emptied; `None` if it is not.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn empty_to(&self, place: u16) -> sqlx::Result<Option<i64>> {
        let select = "SELECT empty_to FROM servers WHERE place = ?1";
        let found: Option<Option<i64>> =
            sqlx::query_scalar(select).bind(place).fetch_optional(&self.log).await?;
        Ok(found.flatten())
    }

    /// Notes that the server at `place` of `list` is to be emptied rather than told of each change until now.
    ///
    /// # Errors
    /// If the database can't be written.
    pub async fn give_up(&self, list: i64, place: u16) -> Result<(), Unwritten> {
        let note = "UPDATE servers SET empty_to = (SELECT max(position) FROM changes)
                    WHERE place = ?1 AND (SELECT list FROM serving) = ?2";
        let mut transaction = self.begin().await?;
        let noted = sqlx::query(note).bind(place).bind(list).execute(&mut *transaction).await;
        if noted?.rows_affected() > 0 {
            clear(&mut transaction, Places::only(place)).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Notes that the server at `place` of `list` was emptied after the change `up_to`.
    ///
    /// # Errors
    /// If the database can't be written; it is then emptied once more later, which does no harm.
    pub async fn emptied(&self, list: i64, place: u16, up_to: i64) -> Result<(), Unwritten> {
        let note = "UPDATE servers SET empty_to = NULL
                    WHERE place = ?1 AND empty_to <= ?2 AND (SELECT list FROM serving) = ?3";
        let mut transaction = self.begin().await?;
        let noted = sqlx::query(note).bind(place).bind(up_to).bind(list);
        noted.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
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

async fn replace(transaction: &mut Writing, servers: &[Listed], list: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM servers").execute(&mut **transaction).await?;
    // Of servers that are not there, nobody will ever say that they have forgotten anything.
    let mut untold = Places::from_bits(-1);
    for (place, (address, empty_to)) in (0_u16..).zip(servers) {
        let insert = "INSERT INTO servers (place, address, empty_to) VALUES (?1, ?2, ?3)";
        let insert = sqlx::query(insert).bind(place).bind(address).bind(empty_to);
        insert.execute(&mut **transaction).await?;
        if empty_to.is_none() {
            untold = untold.without(Places::only(place));
        }
    }
    clear(transaction, untold).await?;
    sqlx::query("UPDATE serving SET list = ?1").bind(list).execute(&mut **transaction).await?;
    Ok(())
}

/// Expects nothing more of `places` for any change until now.
async fn clear(transaction: &mut Writing, places: Places) -> sqlx::Result<()> {
    let update =
        "UPDATE changes SET missing = missing & ~?1 WHERE missing <> 0 AND missing & ?1 <> 0";
    sqlx::query(update).bind(places.bits()).execute(&mut **transaction).await?;
    Ok(())
}

/// The list as the setting has it.
fn text(servers: &[String]) -> String {
    if servers.is_empty() { NONE.to_owned() } else { servers.join(",") }
}
