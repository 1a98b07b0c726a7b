//! A source that is slow, fails, hangs and panics, and counts how often it is asked at once.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use aside::cache::{Key, LoadEnd, LoadError, Source};
use tokio::time::Instant;

use super::{
    chance, pause,
    rows::{self, Rows},
    weather::Weather,
};

/// The rows as one replica queries them.
pub(crate) struct SlowRows {
    pub(crate) rows: Arc<Rows>,
    pub(crate) weather: Weather,
    pub(crate) calm: Arc<AtomicBool>,
    pub(crate) loads_max: usize,
    pub(crate) running: AtomicUsize,
}

/// Counts a load for as long as it runs, a panic included.
struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Source for SlowRows {
    type Id = i64;

    fn key(&self, id: &i64) -> Key {
        rows::key(*id)
    }

    async fn load(&self, id: i64, deadline: Instant) -> LoadEnd {
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        let _running = Running(&self.running);
        if running > self.loads_max {
            self.rows.broke(format!("{running} loads ran at once"));
        }
        if self.calm.load(Ordering::Relaxed) {
            pause(1).await;
            return Ok(self.rows.read(id).into());
        }
        pause(fastrand::u64(0..20)).await;
        if chance(self.weather.bad_loads_percent) {
            match fastrand::u8(0..3) {
                0 => return Err(LoadError::Failed("on purpose".into())),
                // A panic that is not printed.
                1 => resume_unwind(Box::new("on purpose")),
                _ => {
                    tokio::time::sleep_until(deadline).await;
                    pause(fastrand::u64(0..100)).await;
                }
            }
        }
        let body = self.rows.read(id);
        let slow = chance(self.weather.slow_loads_percent);
        pause(fastrand::u64(0..if slow { 200 } else { 20 })).await;
        Ok(body.into())
    }
}
