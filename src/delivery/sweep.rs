//! Sweeps: what a write could not have forgotten at a server, any process does that reaches it.

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::time::sleep;

use super::{FORGOTTEN_AT_ONCE, Log, note::Note};
use crate::{
    cache::{Change, Places, Servers},
    database::{Complete, Extent},
};

/// Pause between two sweeps. A change that was in the log at the last sweep and is not forgotten is left over: its
/// writer has died, or could not reach the server.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// The same while no server has missed anything. The news come first.
const CALM_PAUSE: Duration = Duration::from_secs(10);

/// Time for a writer to forget by itself what it has committed. Past it, a change that was heard of is swept.
const WRITER_GRACE: Duration = Duration::from_millis(60);

/// Changes that a server may have missed. One that has missed more is emptied when it is back, and the log keeps
/// nothing for it any more.
const MISSED_MAX: u64 = 250_000;

/// Changes that a server which is away has missed, besides twice as many as were left the last time, before those are
/// superseded that were followed by another of the same key: so that all of this costs little beside the writes.
const SUPERSEDED_MIN: u64 = 10_000;

/// The part of the log that was looked at.
#[derive(Debug, Default)]
struct Seen {
    /// Its end at the last sweep.
    last: i64,
    complete: Complete,
    /// By place, what a server that is away had missed when changes of one key were last superseded there.
    missed: HashMap<u16, u64>,
}

impl Seen {
    /// Up to where the log has ended before.
    fn next(&mut self, extent: &Extent) -> i64 {
        self.complete.seen(extent.last, extent.under_way);
        std::mem::replace(&mut self.last, extent.last)
    }
}

/// Sweeps for ever.
pub(super) async fn sweep(log: &Log, servers: Option<&dyn Servers>) {
    let Some(servers) = servers else { return };
    let (mut seen, mut pause) = (Seen::default(), SWEEP_PAUSE);
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            () = log.has_news.notified() => {
                if let Ok(extent) = extent(log).await {
                    seen.next(&extent);
                }
                sleep(WRITER_GRACE).await;
            }
        }
        if log.has_started_over() {
            seen = Seen::default();
        }
        // A database that can't be read has no writes either; `/readyz` tells of it.
        let is_calm = sweep_once(log, servers, &mut seen).await.unwrap_or(false);
        pause = if is_calm { CALM_PAUSE } else { SWEEP_PAUSE };
    }
}

async fn extent(log: &Log) -> sqlx::Result<Extent> {
    let forgotten_to = log.places().numbers().map(|place| log.forgotten_to(place)).min();
    log.database.extent(forgotten_to.unwrap_or_default(), log.places()).await
}

/// Delivers all up to the end of the log at the last sweep to each server in service. `true` if there was nothing to
/// deliver, now or later.
async fn sweep_once(log: &Log, servers: &dyn Servers, seen: &mut Seen) -> sqlx::Result<bool> {
    let extent = extent(log).await?;
    let due = seen.next(&extent);
    let is_ours = extent.list == log.list();
    if !is_ours || !extent.is_missed {
        for place in log.places().numbers() {
            servers.left_over(place, 0);
            if is_ours {
                log.reached(place, seen.complete.to());
            }
        }
        return Ok(true);
    }
    for place in servers.in_service().numbers() {
        if let Some(up_to) = log.database.empty_to(place).await? {
            match servers.empty(place).await {
                Ok(()) => crate::cache::Backlog::emptied(log, place, up_to),
                Err(error) => tracing::warn!(place, error, "it has missed too much"),
            }
        }
        let left = deliver(log, servers, place, (due, seen.complete.to())).await?;
        servers.left_over(place, left);
    }
    for place in log.places().without(servers.in_service()).numbers() {
        let missing = supersede(log, place, seen).await?;
        servers.left_over(place, missing);
        if missing > MISSED_MAX {
            give_up(log, place).await;
        }
    }
    Ok(false)
}

/// Delivers to one server what it has missed up to `due`; nothing can appear any more up to `complete_to`. What fails is
/// tried again by the next sweep, which is told how much that is.
async fn deliver(
    log: &Log,
    servers: &dyn Servers,
    place: u16,
    (due, complete_to): (i64, i64),
) -> sqlx::Result<u64> {
    let (mut after, mut left) = (log.forgotten_to(place), 0);
    while after < due {
        let page = log.database.changes(place, after, due).await?;
        // What this process has told it is not told again because that is not recorded yet.
        let changes = page.changes.into_iter();
        let changes = changes.filter(|change| !log.has_forgotten(place, change.position));
        let attempts = stream::iter(changes).map(|Change { position, key }| async move {
            let may_hold = servers.places_of(&key);
            let is_forgotten = !may_hold.has(place) || servers.forget_at(place, &key).await.is_ok();
            // Nobody else need ask the servers that can't hold it.
            let done = Places::ALL.without(may_hold).with(Places::only(place));
            if is_forgotten {
                log.noted(Note::Forgotten(done, vec![position])).await;
            }
            is_forgotten
        });
        let ended: Vec<_> = attempts.buffer_unordered(FORGOTTEN_AT_ONCE).collect().await;
        let keys = ended.iter().filter(|is_forgotten| **is_forgotten).count();
        left += (ended.len() - keys) as u64;
        if keys > 0 {
            tracing::info!(place, keys, "forgot what earlier writes had left over");
        }
        after = page.up_to;
        if left == 0 {
            log.reached(place, after.min(complete_to));
        }
    }
    Ok(left)
}

/// Counts what a server that is away has missed; of each key only the last change, if that is due.
async fn supersede(log: &Log, place: u16, seen: &mut Seen) -> sqlx::Result<u64> {
    let missing = log.database.missing(Places::only(place)).await?;
    let before = seen.missed.entry(place).or_default();
    *before = missing.min(*before);
    if missing < (2 * *before + SUPERSEDED_MIN).min(MISSED_MAX + 1) {
        return Ok(missing);
    }
    if let Err(error) = log.database.supersede(log.list(), place).await {
        tracing::debug!(place, %error, "the log of changes can't be shortened yet");
    }
    *before = log.database.missing(Places::only(place)).await?;
    Ok(*before)
}

async fn give_up(log: &Log, place: u16) {
    match log.database.give_up(log.list(), place, log.only(place)).await {
        Ok(()) => tracing::warn!(place, "it is away and has missed too much: it will be emptied"),
        Err(error) => tracing::warn!(place, %error, "the log of changes grows too long"),
    }
}
