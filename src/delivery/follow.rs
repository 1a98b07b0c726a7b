//! The memory of this process follows the log: it forgets what any process has written since.

use std::time::Duration;

use tokio::time::sleep;

use super::Log;
use crate::{
    cache::{Servers, Store},
    database::Watch,
};

/// Pause between two looks whether the database has changed: what a write by another process may go unnoticed for
/// while this one answers from its memory.
const POLL_PAUSE: Duration = Duration::from_millis(100);

/// Follows the log for ever. While the database can't be read, entries of the memory live out their few seconds.
///
/// Once another list of servers is in force, those of this process are used no longer: nobody tells them anything.
pub(super) async fn follow(log: &Log, servers: Option<&dyn Servers>) {
    let (mut heard, mut watch) = (log.heard, None);
    loop {
        sleep(POLL_PAUSE).await;
        match hear(log, &mut watch, &mut heard).await {
            Ok(list) if list != log.list() && log.superseded() => {
                tracing::error!(
                    "the database was given another list of memcached servers: this process uses its own no longer, \
                     and must be started anew with that list"
                );
                servers.iter().for_each(|servers| servers.retire());
            }
            Ok(_) => {}
            Err(_) => watch = None,
        }
    }
}

/// Forgets what the log says since `heard`, and tells which list of servers is in force.
async fn hear(log: &Log, watch: &mut Option<Watch>, heard: &mut i64) -> sqlx::Result<i64> {
    let watch = match watch {
        Some(watch) => watch,
        None => watch.insert(log.database.watch().await?),
    };
    if !watch.has_changed().await? {
        return Ok(log.list());
    }
    let extent = log.database.extent().await?;
    if *heard < extent.pruned {
        // Some of what came after is not in the log any more.
        log.memory.clear();
        *heard = extent.last;
    }
    while *heard < extent.last {
        let page = log.database.changes(None, *heard, extent.last).await?;
        for change in page.changes {
            // A memory always does.
            let _ = log.memory.forget(&change.key).await;
        }
        *heard = page.up_to;
    }
    Ok(extent.list)
}
