//! Turns of tests that keep a core busy.

use std::{sync::LazyLock, thread::available_parallelism};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Waits for a core. Most tests wait for processes of their own, and there may be many more of them than cores; those
/// that work a service as hard as they can ask for one first, or they would measure each other.
pub async fn core() -> SemaphorePermit<'static> {
    static CORES: LazyLock<Semaphore> =
        LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));
    CORES.acquire().await.unwrap()
}
