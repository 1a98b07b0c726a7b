//! The servers of a store as places: each holds entries of its own, and forgets on its own.

use std::future::ready;

use futures_util::future::BoxFuture;

use super::{Key, StoreError};

/// Most servers. A set of them is one number of 64 bits with a sign, as databases keep it.
pub const PLACES_MAX: u16 = 63;

/// A set of places, which are numbered from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Places(i64);

impl Places {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// The set of one place. A number from [`PLACES_MAX`] on is no place, and in no set.
    pub fn only(place: u16) -> Self {
        Self(if place < PLACES_MAX { 1 << place } else { 0 })
    }

    /// The set with bit *n* for place *n*.
    pub fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// Bit *n* stands for place *n*.
    pub fn bits(self) -> i64 {
        self.0
    }

    /// Whether no place is in it.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Whether `place` is in it.
    pub fn has(self, place: u16) -> bool {
        !Self::only(place).is_empty() && self.with(Self::only(place)) == self
    }

    /// Those that are in either.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those that are not in `others`.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Their numbers, the least first.
    pub fn numbers(self) -> impl Iterator<Item = u16> {
        (0..PLACES_MAX).filter(move |place| self.has(*place))
    }
}

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

    /// Uses none of them from now on: the list of servers is another one.
    fn retire(&self);
}

/// What a place must forget before it is used (again).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Some changes, by their positions in the log.
    Changes {
        /// Those that outdate a key, whether or not it can be in that place.
        changes: Vec<(i64, Key)>,
        /// All up to this position were looked at.
        up_to: i64,
        /// Whether there may be more after it.
        is_full: bool,
    },
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

    /// The first parts of the keys of all entries of the cache, such as `user`.
    fn spaces(&self) -> &'static [&'static str];
}

/// The backlog of those who keep no log: no place ever misses anything.
#[derive(Clone, Copy, Debug)]
pub struct NoBacklog;

impl Backlog for NoBacklog {
    fn missed(&self, _: u16, after: Option<i64>) -> BoxFuture<'_, Result<Missed, String>> {
        let up_to = after.unwrap_or_default();
        Box::pin(ready(Ok(Missed::Changes { changes: Vec::new(), up_to, is_full: false })))
    }

    fn forgotten(&self, _: u16, _: Vec<i64>, _: i64) {}

    fn emptied(&self, _: u16, _: i64) {}

    fn caught_up(&self, _: u16) {}

    fn spaces(&self) -> &'static [&'static str] {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it_and_nothing_else() {
        let set = Places::only(0).with(Places::only(62));
        assert_eq!(set.numbers().collect::<Vec<_>>(), [0, 62]);
        assert!(set.has(62) && !set.has(1) && !set.has(63) && !set.has(u16::MAX));
        assert_eq!(set.without(Places::only(0)), Places::only(62));
        assert!(Places::only(PLACES_MAX).is_empty() && set.without(set).is_empty());
        assert_eq!(Places::from_bits(set.bits()), set);
    }
}
