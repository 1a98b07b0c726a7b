//! Emptying a server of all entries of the cache: of what it lists (`lru_crawler metadump all`), key by key, so that
//! sessions and the items of other programs stay.

use std::time::Duration;

use async_memcached::{Client, Error, ErrorKind, KeyMetadata, Status};
use percent_encoding::percent_decode;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    deadline::within,
    inspect::{InspectError, Questions},
    wire::Changes,
};
use crate::cache::Key;

/// Keys taken from a listing before they are forgotten. Meanwhile the server waits to list more; it serves others.
const KEYS_PER_STEP: usize = 1024;

/// Times that a server is asked to list its keys until it lists none. Past it, what is found was stored meanwhile.
const LISTINGS_MAX: usize = 8;

/// After this time, everything is listed once more. memcached 1.6 leaves out of a listing what its maintenance
/// thread holds, such as an entry that was read a moment ago, and that thread sleeps for a second at most.
const SETTLING: Duration = Duration::from_millis(1500);

/// Attempts to list while the server is busy with a listing for somebody else, or with one of its own; each
/// lasts milliseconds. Past it, the server counts as one that does not answer.
const BUSY_MAX: u32 = 100;

/// Pause between two of them.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Tells of a key whether it is one of the cache's own.
type Ours<'a> = &'a (dyn Fn(&str) -> bool + Sync);

/// Entries that a server has forgotten, and why they may not be all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emptied {
    /// Their number.
    pub forgotten: u64,
    /// The reason why not all.
    pub failure: Option<InspectError>,
}

impl Questions<'_> {
    /// Forgets all keys that are `ours` and that the server lists.
    pub(super) async fn empty(&self, ours: Ours<'_>) -> Emptied {
        let mut emptied = Emptied::default();
        let begun_at = Instant::now();
        for listed_at in [begun_at, begun_at + SETTLING] {
            sleep_until(listed_at).await;
            if let Err(failure) = self.forget_listed(ours, &mut emptied.forgotten).await {
                return Emptied { failure: Some(failure), ..emptied };
            }
        }
        emptied
    }

    /// Empties a server that must not be used before. One that does not list its keys is flushed: then sessions go, too,
    /// which is better than an entry that is older than it may be.
    ///
    /// # Errors
    /// One line that says why it can't be done.
    pub(super) async fn empty_or_flush(&self, ours: Ours<'_>) -> Result<(), String> {
        match self.empty(ours).await.failure {
            None => Ok(()),
            Some(InspectError::NotListed) => {
                let flushing = async { self.connect().await?.flush_all().await };
                match within(self.limit, flushing).await {
                    Ok(Ok(())) => Ok(()),
                    _ => Err("it neither lists its keys nor can it be flushed".to_owned()),
                }
            }
            Some(error) => Err(format!("it can't be emptied: {error}")),
        }
    }

    /// Lists, and forgets what is listed, until nothing is.
    async fn forget_listed(&self, ours: Ours<'_>, forgotten: &mut u64) -> Result<(), InspectError> {
        let connecting = within(self.limit, Changes::to(self.address, self.limit)).await?;
        let mut changes = connecting.map_err(|_| InspectError::Unreachable)?;
        let mut client = within(self.limit, self.connect()).await??;
        for _ in 0..LISTINGS_MAX {
            let before = *forgotten;
            let mut further_attempts = 1..BUSY_MAX;
            while !self.list(ours, &mut client, &mut changes, forgotten).await? {
                further_attempts.next().ok_or(InspectError::NoAnswer)?;
                sleep(BUSY_PAUSE).await;
            }
            if *forgotten == before {
                break;
            }
        }
        Ok(())
    }

    /// Lists once, and forgets step by step what is listed; `false` if the server is busy with another listing.
    async fn list(
        &self,
        ours: Ours<'_>,
        client: &mut Client,
        changes: &mut Changes,
        forgotten: &mut u64,
    ) -> Result<bool, InspectError> {
        let mut items = within(self.limit, client.dump_keys()).await??;
        let (mut keys, mut is_first, mut is_last) = (Vec::new(), true, false);
        while !is_last {
            // The deadline is that of each item, as there may be any number of them.
            match within(self.limit, items.next()).await? {
                Some(Ok(KeyMetadata { key, .. })) => keys.extend(key_of(&key, ours)),
                Some(Err(error)) if is_busy(&error) => return Ok(false),
                // A refusal is one line in place of the first item.
                Some(Err(Error::Protocol(_))) if is_first => return Err(InspectError::NotListed),
                Some(Err(error)) => return Err(error.into()),
                None => is_last = true,
            }
            is_first = false;
            if is_last || keys.len() == KEYS_PER_STEP {
                changes.forget(&keys).await.map_err(|_| InspectError::NoAnswer)?;
                *forgotten += keys.len() as u64;
                keys.clear();
            }
        }
        Ok(true)
    }
}

fn is_busy(error: &Error) -> bool {
    matches!(error, Error::Protocol(Status::Error(ErrorKind::Generic(line))) if line.starts_with("BUSY"))
}

/// The key that `listed` stands for, if it is ours. memcached escapes what is not unreserved; older versions do not.
fn key_of(listed: &[u8], ours: Ours<'_>) -> Option<Key> {
    let decoded = percent_decode(listed).decode_utf8().ok()?;
    let listed = str::from_utf8(listed).ok()?;
    [&decoded, listed].into_iter().find(|text| ours(text)).and_then(|text| Key::new(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_however_it_is_listed() {
        let ours = |text: &str| text == "user:42" || text.starts_with("product:");
        for (listed, key) in [
            ("user%3A42", Some("user:42")),
            ("user:42", Some("user:42")),
            ("product%3AGr%25C3%25BCn", Some("product:Gr%C3%BCn")),
            ("session%3A1", None),
            ("user%3A042", None),
            ("product%3Aa%20b", None),
        ] {
            let found = key_of(listed.as_bytes(), &ours);
            assert_eq!(found.as_ref().map(Key::as_str), key, "{listed}");
        }
    }
}
