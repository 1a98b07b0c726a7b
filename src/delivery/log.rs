//! The log of changes as one process delivers it: how far each server is, and what is to be recorded.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::BoxFuture;

use super::recording::Recording;
use crate::{
    cache::{Backlog, Memory, Missed, Places, Spaces},
    database::{Change, Database, Serving},
};

/// The log, and this process's part in its delivery.
pub struct Log {
    pub(super) database: Database,
    pub(super) memory: Memory,
    pub(super) recording: Recording,
    /// The change up to which the memory has heard of all.
    pub(super) heard: i64,
    serving: Serving,
    spaces: Spaces,
    /// Up to which change each server has forgotten all that it may hold.
    forgotten_to: Mutex<HashMap<u16, i64>>,
    is_superseded: AtomicBool,
}

impl Log {
    /// The log of `database` for a process that serves as `serving` says, with entries of `spaces`, some of them in
    /// its own `memory`, which is empty yet.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn open(
        database: Database,
        serving: Serving,
        memory: Memory,
        spaces: Spaces,
    ) -> Result<Self, sqlx::Error> {
        let heard = database.extent().await?.last;
        let recording = Recording::default();
        Ok(Self {
            database,
            memory,
            recording,
            heard,
            serving,
            spaces,
            forgotten_to: Mutex::default(),
            is_superseded: AtomicBool::new(false),
        })
    }

    /// Which list of servers this process uses.
    pub(super) fn list(&self) -> i64 {
        self.serving.list
    }

    /// Whether it is the list of the database.
    pub(super) fn is_in_force(&self) -> bool {
        !self.is_superseded.load(Ordering::Relaxed)
    }

    /// Takes note that the database was given another list; `false` if that is known.
    pub(super) fn superseded(&self) -> bool {
        !self.is_superseded.swap(true, Ordering::Relaxed)
    }

    /// All its places.
    pub(super) fn places(&self) -> Places {
        let places = (0_u16..).zip(&self.serving.servers);
        places.fold(Places::NONE, |all, (place, _)| all.with(Places::only(place)))
    }

    /// Up to which change `place` has forgotten all that it may hold.
    pub(super) fn forgotten_to(&self, place: u16) -> i64 {
        self.lock().get(&place).copied().unwrap_or(0)
    }

    /// Takes note that `place` has forgotten all up to `position`.
    pub(super) fn reached(&self, place: u16, position: i64) {
        let mut reached = self.lock();
        let to = reached.entry(place).or_default();
        *to = position.max(*to);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u16, i64>> {
        self.forgotten_to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn page(&self, place: u16, after: Option<i64>, last: i64) -> Result<Missed, sqlx::Error> {
        let after = match after {
            Some(after) => after,
            None => match self.database.empty_to(place).await? {
                Some(up_to) => return Ok(Missed::TooMuch { up_to }),
                None => self.forgotten_to(place),
            },
        };
        let page = self.database.missed(place, after, last).await?;
        let changes = page.changes.into_iter().map(|Change { position, key }| (position, key));
        Ok(Missed::Changes { changes: changes.collect(), up_to: page.up_to, is_full: page.is_full })
    }
}

impl Backlog for Log {
    fn missed(&self, place: u16, after: Option<i64>) -> BoxFuture<'_, Result<Missed, String>> {
        Box::pin(async move {
            let extent = self.database.extent().await.map_err(|error| error.to_string())?;
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
        self.recording.add(Places::only(place), positions);
        self.reached(place, up_to);
    }

    fn emptied(&self, place: u16, up_to: i64) {
        tracing::warn!(place, "emptied: it had missed too much to be told of each change");
        self.recording.emptied(place, up_to);
        self.reached(place, up_to);
    }

    fn caught_up(&self, _: u16) {
        self.memory.clear();
    }

    fn spaces(&self) -> Spaces {
        self.spaces.clone()
    }
}
