//! The memory of this process follows the log: it forgets what any process has written since.

use super::Log;
use crate::{
    cache::{Servers, Store},
    database::{News, Watch},
};

/// Follows the log for ever. While the database can't be read, entries of the memory live out their few seconds.
///
/// Once another list of servers is in force, those of this process are used no longer: nobody tells them anything.
pub(super) async fn follow(log: &Log, mut watch: Watch, servers: Option<&dyn Servers>) {
    loop {
        watch.due().await;
        let Ok(Some(News { keys, list })) = watch.news().await else { continue };
        let is_new = keys.as_ref().is_none_or(|keys| !keys.is_empty());
        match keys {
            // A memory always does.
            Some(keys) => {
                for key in &keys {
                    let _ = log.memory.forget(key).await;
                }
            }
            None => {
                log.memory.clear();
                log.starts_over();
            }
        }
        if is_new {
            log.has_news.notify_one();
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
