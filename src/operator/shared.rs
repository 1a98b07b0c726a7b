//! One look for all who ask at the same time, and for a while after.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use crate::cores;

/// The result of the last look. Clones share it.
///
/// For what anybody may ask without a token: however often that happens, there is one look at a time, and then
/// none for a while.
#[derive(Clone)]
pub(super) struct SharedLook<T> {
    kept_for: Duration,
    last: Arc<Mutex<Option<(Instant, T)>>>,
}

impl<T: Clone + Send + 'static> SharedLook<T> {
    /// Each look is good for `kept_for` from its end.
    pub(super) fn new(kept_for: Duration) -> Self {
        Self { kept_for, last: Arc::default() }
    }

    /// The result of the last look, or of `look`; `None` if that panics. A caller who comes during a look waits for it.
    pub(super) async fn look(&self, look: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let mut last = self.last.clone().lock_owned().await;
        if let Some((at, seen)) = &*last
            && at.elapsed() < self.kept_for
        {
            return Some(seen.clone());
        }
        // A task of its own, which ends with the look: callers who leave must not make it begin again.
        let look = cores::spawn(async move {
            let seen = look.await;
            *last = Some((Instant::now(), seen.clone()));
            seen
        });
        look.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    const KEPT_FOR: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn however_many_ask_there_is_one_look_until_it_is_old() {
        let shared = SharedLook::new(KEPT_FOR);
        let looks = Arc::new(AtomicU32::new(0));
        let look = || {
            let looks = looks.clone();
            shared.look(async move {
                sleep(KEPT_FOR).await;
                looks.fetch_add(1, Ordering::Relaxed) + 1
            })
        };
        assert_eq!(join_all((0..100).map(|_| look())).await, [Some(1); 100]);
        advance(KEPT_FOR / 2).await;
        assert_eq!(look().await, Some(1));
        advance(KEPT_FOR / 2).await;
        assert_eq!(look().await, Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_goes_on_without_whoever_asked_and_one_that_panics_is_not_kept() {
        let shared = SharedLook::new(KEPT_FOR);
        let slow = shared.look(async {
            sleep(KEPT_FOR).await;
            1
        });
        assert!(tokio::time::timeout(KEPT_FOR / 2, slow).await.is_err());
        assert_eq!(shared.look(async { 2 }).await, Some(1));
        advance(KEPT_FOR).await;
        assert_eq!(shared.look(async { panic!("of the test") }).await, None);
        assert_eq!(shared.look(async { 3 }).await, Some(3));
    }
}
