//! Telling places what they have missed: the interface between a store of several servers and a log of changes.

use futures_util::future::BoxFuture;

use super::{Key, Places, StoreError};

/// The servers of a store, each as a place that can be made to forget. For those who deliver what a write
/// could not.
pub trait Servers: Send + Sync + 'static {
    /// Those that are in service.
    fn in_service(&self) -> Places;

    /// Those that `key` may be in.
    fn places_of(&self, key: &Key) -> Places;

    /// Forgets `key` at one place.
    fn forget_at<'a>(&'a self, place: u16, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Forgets every entry of the cache at one place, and says in one line why if it can't.
    fn empty(&self, place: u16) -> BoxFuture<'_, Result<(), String>>;

    /// Notes that so many changes could not be told to one place.
    fn left_over(&self, place: u16, changes: u64);

    /// Uses none of them from now on: the list of servers is another one.
    fn retire(&self);
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the order of all changes, from 1.
    pub position: i64,
    /// The key that it has made outdated.
    pub key: Key,
}

/// A part of the log, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The changes that were asked for.
    pub changes: Vec<Change>,
    /// All up to this position was looked at.
    pub up_to: i64,
    /// True if there may be more after that.
    pub is_full: bool,
}

/// The changes that a place must forget before it is used (again).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Some changes, whether or not their keys can be in that place.
    Changes(Page),
    /// So many, up to this position, that it is to be emptied.
    TooMuch {
        /// The position.
        up_to: i64,
    },
}

/// The log of what places have missed while they were away.
pub trait Backlog: Send + Sync + 'static {
    /// The first part of what `place` has missed after a position, or at all; or one line that says why that can't be
    /// told.
    fn missed(&self, place: u16, after: Option<i64>) -> BoxFuture<'_, Result<Missed, String>>;

    /// Takes note that `place` has forgotten these changes, and all that it has missed up to `up_to`.
    fn forgotten(&self, place: u16, positions: Vec<i64>, up_to: i64);

    /// Takes note that `place` was emptied after the change `up_to`.
    fn emptied(&self, place: u16, up_to: i64);

    /// Takes note that `place` is about to be used again: what stood in for it is not needed any more.
    fn caught_up(&self, place: u16);

    /// True if an entry of the cache may have the key `text`; sessions and other programs' items have none of those.
    fn has_key(&self, text: &str) -> bool;
}
