//! Emptying a server of all entries of the cache: of what it lists, key by key, so that sessions and the items of
//! other programs stay.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{
    Address,
    deadline::within,
    inspect::{InspectError, connect, failure},
    listing::keys,
    wire::Changes,
};
use crate::cache::{Key, Spaces};

/// Keys taken from a listing, and forgotten, at once.
const KEYS_PER_STEP: usize = 1024;

/// Times that a server is asked to list its keys until it lists none. Past it, what is found was stored meanwhile.
const LISTINGS_MAX: usize = 8;

/// After this time, everything is listed once more. memcached 1.6 leaves out of a listing what its maintenance
/// thread holds, such as an entry that was read a moment ago, and that thread sleeps for a second at most.
const SETTLING: Duration = Duration::from_millis(1500);

/// Entries that a server has forgotten, and why they may not be all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emptied {
    /// How many there were.
    pub forgotten: u64,
    /// What came between.
    pub failure: Option<InspectError>,
}

/// Forgets all keys of `spaces` that the server lists. `limit` is the deadline of each step.
pub(super) async fn empty(address: &Address, limit: Duration, spaces: &Spaces) -> Emptied {
    let mut emptied = Emptied::default();
    let begun_at = Instant::now();
    for listed_at in [begun_at, begun_at + SETTLING] {
        sleep_until(listed_at).await;
        if let Err(failure) = forget_listed(address, limit, spaces, &mut emptied.forgotten).await {
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
pub(super) async fn empty_or_flush(
    address: &Address,
    limit: Duration,
    spaces: &Spaces,
) -> Result<(), String> {
    match empty(address, limit, spaces).await.failure {
        None => Ok(()),
        Some(InspectError::NotListed) => {
            let flushing = within(limit, async { connect(address).await?.flush_all().await });
            let flushed = flushing.await.map_err(|_| InspectError::NoAnswer);
            let flushed = flushed.and_then(|flushed| flushed.map_err(|error| failure(&error)));
            flushed.map_err(|_| "it neither lists its keys nor can it be flushed".to_owned())
        }
        Some(error) => Err(format!("it can't be emptied: {error}")),
    }
}

async fn forget_listed(
    address: &Address,
    limit: Duration,
    spaces: &Spaces,
    forgotten: &mut u64,
) -> Result<(), InspectError> {
    let connecting = within(limit, Changes::connect(address, limit)).await;
    let connected = connecting.map_err(|_| InspectError::NoAnswer)?;
    let mut server = connected.map_err(|_| InspectError::Unreachable)?;
    for _ in 0..LISTINGS_MAX {
        let (mut listed, mut batch) = (keys(address, limit, spaces.clone()), Vec::new());
        let before = *forgotten;
        while listed.recv_many(&mut batch, KEYS_PER_STEP).await > 0 {
            let keys = batch.drain(..).collect::<Result<Vec<Key>, _>>()?;
            server.forget(&keys).await.map_err(|_| InspectError::NoAnswer)?;
            *forgotten += keys.len() as u64;
        }
        if *forgotten == before {
            break;
        }
    }
    Ok(())
}
