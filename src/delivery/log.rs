//! The log of changes as one process delivers it: how far each server is, and what is to be recorded.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use futures_util::future::BoxFuture;
use tokio::sync::{
    Notify,
    mpsc::{Receiver, Sender, channel, error::TrySendError},
};

use super::note::{Note, WAITING_MAX};
use crate::{
    cache::{Backlog, Memory, Missed, PLACES_MAX, Places},
    database::{Database, Serving, Watch},
};

/// Tells of a text whether an entry of the cache may have it for its key.
type IsKey = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The log, and this process's part in its delivery.
pub struct Log {
    pub(super) database: Database,
    pub(super) memory: Memory,
    serving: Serving,
    /// Tells of a key whether an entry of the cache may have it.
    is_key: IsKey,
    notes: Sender<Note>,
    /// By position, the places that have forgotten a change of which the log does not know that yet.
    unrecorded: Mutex<HashMap<i64, Places>>,
    /// By place, the change up to which a server has forgotten all that it may hold.
    forgotten_to: [AtomicI64; PLACES_MAX as usize],
    is_superseded: AtomicBool,
    is_another: AtomicBool,
    /// Told when the log has changes that a sweep may find.
    pub(super) has_news: Notify,
}

/// The other side of a log: the notes that are not recorded yet, and the news that were not heard yet.
pub struct Notes {
    pub(super) noted: Receiver<Note>,
    pub(super) watch: Watch,
}

impl Log {
    /// The log of `database` for a process that serves as `serving` says, with entries under what `is_key`, some of them
    /// in its own `memory`, which is empty yet; and the notes that are to be recorded in it.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn open(
        database: Database,
        serving: Serving,
        memory: Memory,
        is_key: IsKey,
    ) -> sqlx::Result<(Self, Notes)> {
        let watch = database.watch().await?;
        let (notes, noted) = channel(WAITING_MAX);
        let log = Self {
            database,
            memory,
            serving,
            is_key,
            notes,
            unrecorded: Mutex::default(),
            forgotten_to: [const { AtomicI64::new(0) }; PLACES_MAX as usize],
            is_superseded: AtomicBool::new(false),
            is_another: AtomicBool::new(false),
            has_news: Notify::new(),
        };
        Ok((log, Notes { noted, watch }))
    }

    /// The number of the list of servers that this process uses.
    pub(super) fn list(&self) -> i64 {
        self.serving.list
    }

    /// True if it is the list of the database.
    pub(super) fn is_in_force(&self) -> bool {
        !self.is_superseded.load(Ordering::Relaxed)
    }

    /// Takes note that the database was given another list; `false` if that is known.
    pub(super) fn superseded(&self) -> bool {
        !self.is_superseded.swap(true, Ordering::Relaxed)
    }

    /// All its places.
    pub(super) fn places(&self) -> Places {
        (0..).zip(&self.serving.servers).map(|(place, _)| place).collect()
    }

    /// One place, and all that none of its servers is at: nobody else will ever say of those that they have forgotten.
    pub(super) fn only(&self, place: u16) -> Places {
        Places::ALL.without(self.places().without(Places::only(place)))
    }

    /// Takes note that what was known of the log may not be so any more.
    pub(super) fn starts_over(&self) {
        self.is_another.store(true, Ordering::Relaxed);
    }

    /// True, once, after that: all places may have missed anything in it.
    pub(super) fn has_started_over(&self) -> bool {
        let is_another = self.is_another.swap(false, Ordering::Relaxed);
        if is_another {
            self.forgotten_to.iter().for_each(|to| to.store(0, Ordering::Relaxed));
            self.unrecorded().clear();
        }
        is_another
    }

    /// Up to which change `place` has forgotten all that it may hold.
    pub(super) fn forgotten_to(&self, place: u16) -> i64 {
        self.forgotten_to.get(usize::from(place)).map_or(0, |to| to.load(Ordering::Relaxed))
    }

    /// Takes note that `place` has forgotten all up to `position`, where nothing can appear in the log any more.
    pub(super) fn reached(&self, place: u16, position: i64) {
        if let Some(to) = self.forgotten_to.get(usize::from(place)) {
            to.fetch_max(position, Ordering::Relaxed);
        }
    }

    /// Takes note, to be recorded soon; `false` if too much waits for that, so that it is lost.
    pub(super) fn note(&self, note: Note) -> bool {
        self.keep(&note);
        let sent = self.notes.try_send(note);
        if let Err(TrySendError::Full(note) | TrySendError::Closed(note)) = &sent {
            self.recorded(note);
        }
        sent.is_ok()
    }

    fn keep(&self, note: &Note) {
        let Note::Forgotten(places, positions) = note else { return };
        let mut unrecorded = self.unrecorded();
        for position in positions {
            let all = unrecorded.entry(*position).or_insert(Places::NONE);
            *all = all.with(*places);
        }
    }

    /// Takes note that the log knows of it now, or never will.
    pub(super) fn recorded(&self, note: &Note) {
        let Note::Forgotten(_, positions) = note else { return };
        let mut unrecorded = self.unrecorded();
        for position in positions {
            unrecorded.remove(position);
        }
    }

    /// True if `place` has forgotten this change, though the log may not know it yet.
    pub(super) fn has_forgotten(&self, place: u16, position: i64) -> bool {
        self.unrecorded().get(&position).is_some_and(|places| places.has(place))
    }

    fn unrecorded(&self) -> MutexGuard<'_, HashMap<i64, Places>> {
        // Nothing panics while it holds the lock.
        self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note, and waits while too much waits.
    pub(super) async fn noted(&self, note: Note) {
        self.keep(&note);
        // The other end is with the task that this one is beside.
        let _ = self.notes.send(note).await;
    }

    async fn page(&self, place: u16, after: Option<i64>, last: i64) -> sqlx::Result<Missed> {
        let after = match after {
            Some(after) => after,
            None => match self.database.empty_to(place).await? {
                Some(up_to) => return Ok(Missed::TooMuch { up_to }),
                None => self.forgotten_to(place),
            },
        };
        let mut page = self.database.changes(place, after, last).await?;
        // One that comes back twice is not told again because it is not recorded yet.
        page.changes.retain(|change| !self.has_forgotten(place, change.position));
        Ok(Missed::Changes(page))
    }
}

impl Backlog for Log {
    fn missed(&self, place: u16, after: Option<i64>) -> BoxFuture<'_, Result<Missed, String>> {
        Box::pin(async move {
            let extent = self
                .database
                .extent(i64::MAX, Places::NONE)
                .await
                .map_err(|error| error.to_string())?;
            if extent.list != self.list() {
                return Err("the database has another list of servers".to_owned());
            }
            self.page(place, after, extent.last).await.map_err(|error| error.to_string())
        })
    }

    fn forgotten(&self, place: u16, positions: Vec<i64>, up_to: i64) {
        if !positions.is_empty() {
            tracing::info!(
                place,
                keys = positions.len(),
                "forgot what was written while it was away"
            );
        }
        // Where changes appear in another order, a sweep finds out how far it is.
        if self.note(Note::Forgotten(self.only(place), positions)) && self.database.is_in_order() {
            self.reached(place, up_to);
        }
    }

    fn emptied(&self, place: u16, up_to: i64) {
        tracing::warn!(place, "emptied: it had missed too much to be told of each change");
        if self.note(Note::Emptied(place, up_to)) && self.database.is_in_order() {
            self.reached(place, up_to);
        }
    }

    fn caught_up(&self, _: u16) {
        self.memory.clear();
    }

    fn has_key(&self, text: &str) -> bool {
        (self.is_key)(text)
    }
}
