//! Listing a server's keys: `lru_crawler metadump all`, over a connection of its own.

use std::time::Duration;

use async_memcached::{Client, Error, ErrorKind, KeyMetadata, Status};
use tokio::{sync::mpsc, time::sleep};

use super::{
    Address,
    deadline::within,
    inspect::{InspectError, Inspector, connect, failure},
};
use crate::cache::{Key, Spaces};

/// Keys that are read ahead of whoever takes them. Past it, the server waits; it serves others meanwhile.
const KEYS_AHEAD_MAX: usize = 1024;

/// Attempts to list while the server is busy with a listing for somebody else, or with one of its own; each
/// lasts milliseconds. Past it, the server counts as one that does not answer.
const BUSY_MAX: u32 = 100;

/// Pause between two of them.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// The colon between space and number, as memcached escapes it in a listing; older versions do not.
const COLONS: [&str; 2] = ["%3A", ":"];

impl Inspector {
    /// The keys of `spaces` on the server `address`, such as `user:42` of `user`, while they are found; the last
    /// is an error if the list is not complete. Keys that are stored meanwhile may be left out.
    pub fn keys(
        &self,
        address: &Address,
        spaces: Spaces,
    ) -> mpsc::Receiver<Result<Key, InspectError>> {
        keys(address, self.question_timeout(), spaces)
    }
}

/// As [`Inspector::keys`]; `limit` is the deadline of each step.
pub(super) fn keys(
    address: &Address,
    limit: Duration,
    spaces: Spaces,
) -> mpsc::Receiver<Result<Key, InspectError>> {
    let (keys, taken) = mpsc::channel(KEYS_AHEAD_MAX);
    let address = address.clone();
    tokio::spawn(async move {
        if let Err(error) = list(&address, limit, &spaces, &keys).await {
            let _ = keys.send(Err(error)).await;
        }
    });
    taken
}

/// Lists until the end, or until nobody takes the keys any more.
async fn list(
    address: &Address,
    limit: Duration,
    spaces: &[&'static str],
    keys: &mpsc::Sender<Result<Key, InspectError>>,
) -> Result<(), InspectError> {
    let connected = within(limit, connect(address)).await;
    let mut client =
        connected.map_err(|_| InspectError::NoAnswer)?.map_err(|error| failure(&error))?;
    for _ in 0..BUSY_MAX {
        match once(&mut client, limit, spaces, keys).await? {
            Listed::Complete => return Ok(()),
            Listed::Busy => sleep(BUSY_PAUSE).await,
        }
    }
    Err(InspectError::NoAnswer)
}

enum Listed {
    Complete,
    Busy,
}

async fn once(
    client: &mut Client,
    limit: Duration,
    spaces: &[&'static str],
    keys: &mpsc::Sender<Result<Key, InspectError>>,
) -> Result<Listed, InspectError> {
    let begun = within(limit, client.dump_keys()).await;
    let mut items = begun.map_err(|_| InspectError::NoAnswer)?.map_err(|error| failure(&error))?;
    let mut first = true;
    // The deadline is that of each item, as there may be any number of them.
    while let Some(item) = within(limit, items.next()).await.map_err(|_| InspectError::NoAnswer)? {
        match item {
            Ok(KeyMetadata { key, .. }) => {
                if let Some(key) = ours(&key, spaces)
                    && keys.send(Ok(key)).await.is_err()
                {
                    return Ok(Listed::Complete);
                }
            }
            Err(error) if is_busy(&error) => return Ok(Listed::Busy),
            // A refusal is one line in place of the first item.
            Err(Error::Protocol(_)) if first => return Err(InspectError::NotListed),
            Err(error) => return Err(failure(&error)),
        }
        first = false;
    }
    Ok(Listed::Complete)
}

fn is_busy(error: &Error) -> bool {
    matches!(error, Error::Protocol(Status::Error(ErrorKind::Generic(line))) if line.starts_with("BUSY"))
}

/// The key that `listed` stands for, if it is a number in one of `spaces`, spelt as Aside spells it.
fn ours(listed: &[u8], spaces: &[&'static str]) -> Option<Key> {
    let listed = std::str::from_utf8(listed).ok()?;
    spaces.iter().find_map(|space| {
        let rest = listed.strip_prefix(space)?;
        let digits = COLONS.iter().find_map(|colon| rest.strip_prefix(colon))?;
        let number: i64 = digits.parse().ok()?;
        let key = Key::numbered(space, number);
        key.as_str().ends_with(&format!(":{digits}")).then_some(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_canonical_number_in_one_of_the_spaces_is_ours() {
        let spaces = ["user", "calculation"];
        for (listed, key) in [
            ("user%3A42", Some("user:42")),
            ("user:42", Some("user:42")),
            ("calculation%3A1", Some("calculation:1")),
            ("user%3A042", None),
            ("user%3A%2B1", None),
            ("user%3A+1", None),
            ("user%3A", None),
            ("users%3A1", None),
            ("user%3A1%3A2", None),
            ("session%3A1", None),
            ("user", None),
        ] {
            let ours = ours(listed.as_bytes(), &spaces);
            assert_eq!(ours.as_ref().map(Key::as_str), key, "{listed}");
        }
    }
}
