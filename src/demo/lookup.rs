//! One lookup through the stack, and how it is told.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tower::ServiceExt;

use super::{Stop, Walk};
use crate::cache::{Cache, Get, Served};

/// One lookup and how long it took.
pub(super) struct Lookup {
    /// The origin of the answer in the words of `X-Cache` and `Cache-Status`, or why there is none.
    pub(super) outcome: String,
    pub(super) body: Option<Bytes>,
    pub(super) took: Duration,
}

impl Lookup {
    /// Asks `cache`.
    pub(super) async fn make(
        walk: &mut Walk,
        cache: &Cache<i64>,
        get: Get<i64>,
    ) -> Result<Self, Stop> {
        let begun_at = Instant::now();
        let answer = walk.wait(cache.clone().oneshot(get)).await?;
        let took = begun_at.elapsed();
        Ok(match answer {
            Ok(answer) => Self { outcome: told(answer.account.served), body: answer.body, took },
            Err(failure) => Self { outcome: failure.error.to_string(), body: None, took },
        })
    }
}

fn told(served: Served) -> String {
    let word = served.outcome().x_cache();
    let stored = match served {
        Served::Forwarded { stored: Some(true), .. } => ", stored",
        Served::Forwarded { stored: Some(false), .. } if word == "MISS" => ", not stored",
        _ => "",
    };
    format!("{word}{stored}")
}

/// The time that half of the lookups took less than.
pub(super) fn median(lookups: &[Lookup]) -> Duration {
    let mut times: Vec<_> = lookups.iter().map(|lookup| lookup.took).collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A time in milliseconds, to two places.
pub(super) fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
