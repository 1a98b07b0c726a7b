//! The memory of this process follows the log: it forgets what any process has written since.

use std::time::Duration;

use tokio::time::sleep;

use super::Log;
use crate::{
    cache::{Servers, Store},
    database::{News, Watch},
};

/// Pause between two looks whether the database has changed: what a write by another process may go unnoticed for
/// while this one answers from its memory.
const POLL_PAUSE: Duration = Duration::from_millis(100);

/// Follows the log for ever. While the database can't be read, entries of the memory live out their few seconds.
///
/// Once another list of servers is in force, those of this process are used no longer: nobody tells them anything.
pub(super) async fn follow(log: &Log, mut watch: Watch, servers: Option<&dyn Servers>) {
    loop {
        sleep(POLL_PAUSE).await;
        let Ok(Some(News { keys, list })) = watch.news().await else { continue };
        if keys.as_ref().is_none_or(|keys| !keys.is_empty()) {
            log.has_news.notify_one();
        }
        match keys {
            // A memory always does.
            Some(keys) => {
                for key in &keys {
                    let _ = log.memory.forget(key).await;
                }
            }
            None => {
                log.memory.clear();
            }
        }
        if list != log.list() && log.superseded() {
            tracing::error!(
                "the database was given another list of memcached servers: this process uses its own no longer, \
                 and must be started anew with that list"
            );
            servers.iter().for_each(|servers| servers.retire());
        }
    }
}
