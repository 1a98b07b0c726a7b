//! What tests of whole processes share.

pub(crate) mod answer;
pub(crate) mod aside;
pub(crate) mod eventually;
pub(crate) mod memcached;
pub(crate) mod proxy;

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Nothing here takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until `look` gives something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = timeout(PATIENCE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            sleep(PAUSE).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("never: {what}"))
}
