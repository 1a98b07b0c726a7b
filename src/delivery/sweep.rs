//! Sweeps: what a write could not have forgotten at a server, any process does that reaches it.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::sleep;

use super::{Log, note::Note};
use crate::cache::{Change, Places, Servers};

/// Pause between two sweeps. A change that was in the log at the last sweep and is not forgotten is left over: its
/// writer has died, or could not reach the server.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Time for a writer to forget by itself what it has committed. Past it, a change that was heard of is swept.
const WRITER_GRACE: Duration = Duration::from_millis(60);

/// Keys that a sweep forgets at once: enough to fill round trips, and few beside the lookups.
const FORGOTTEN_AT_ONCE: usize = 256;

/// Changes that a server may have missed. One that has missed more is emptied when it is back, and the log keeps
/// nothing for it any more.
const MISSED_MAX: u64 = 250_000;

/// Sweeps for ever.
pub(super) async fn sweep(log: &Log, servers: Option<&dyn Servers>) {
    let Some(servers) = servers else { return };
    let mut due = 0;
    loop {
        tokio::select! {
            () = sleep(SWEEP_PAUSE) => {}
            () = log.has_news.notified() => {
                due = log.database.extent().await.map_or(due, |extent| extent.last);
                sleep(WRITER_GRACE).await;
            }
        }
        // A database that can't be read has no writes either; `/readyz` tells of it.
        let _ = sweep_once(log, servers, &mut due, MISSED_MAX).await;
    }
}

/// Delivers all up to `due`, the end of the log at the last sweep, to each server in service.
async fn sweep_once(
    log: &Log,
    servers: &dyn Servers,
    due: &mut i64,
    missed_max: u64,
) -> sqlx::Result<()> {
    let extent = log.database.extent().await?;
    let due = std::mem::replace(due, extent.last);
    if extent.list != log.list() {
        return Ok(());
    }
    for place in servers.in_service().numbers() {
        if let Some(up_to) = log.database.empty_to(place).await? {
            match servers.empty(place).await {
                Ok(()) => crate::cache::Backlog::emptied(log, place, up_to),
                Err(error) => tracing::warn!(place, error, "it has missed too much"),
            }
        }
        deliver(log, servers, place, due).await?;
    }
    for place in log.places().without(servers.in_service()).numbers() {
        if log.database.missing(Places::only(place)).await? > missed_max {
            give_up(log, place).await;
        }
    }
    Ok(())
}

/// Delivers to one server what it has missed up to `due`. What fails is tried again by the next sweep.
async fn deliver(log: &Log, servers: &dyn Servers, place: u16, due: i64) -> sqlx::Result<()> {
    let (mut after, mut is_whole) = (log.forgotten_to(place), true);
    while after < due {
        let page = log.database.changes(Some(place), after, due).await?;
        let attempts = stream::iter(page.changes).map(|Change { position, key }| async move {
            let may_hold = servers.places_of(&key);
            let is_forgotten = !may_hold.has(place) || servers.forget_at(place, &key).await.is_ok();
            // Nobody else need ask the servers that can't hold it.
            let done = log.places().without(may_hold).with(Places::only(place));
            if is_forgotten {
                log.noted(Note::Forgotten(done, vec![position])).await;
            }
            is_forgotten
        });
        let ended: Vec<_> = attempts.buffer_unordered(FORGOTTEN_AT_ONCE).collect().await;
        let keys = ended.iter().filter(|is_forgotten| **is_forgotten).count();
        is_whole &= keys == ended.len();
        if keys > 0 {
            tracing::info!(place, keys, "forgot what earlier writes had left over");
        }
        after = page.up_to;
        if is_whole {
            log.reached(place, after);
        }
    }
    Ok(())
}

async fn give_up(log: &Log, place: u16) {
    match log.database.give_up(log.list(), place).await {
        Ok(()) => tracing::warn!(place, "it is away and has missed too much: it will be emptied"),
        Err(error) => tracing::warn!(place, %error, "the log of changes grows too long"),
    }
}
