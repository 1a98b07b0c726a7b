//! One lookup through the stack, and how it is told.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tower::ServiceExt;

use super::{Stop, Walk};
use crate::{
    cache::{Answer, Cache, Failure, Get, Served},
    metrics::Outcome,
};

/// One lookup and how long it took.
pub(super) struct Lookup {
    pub(super) answer: Result<Answer, Failure>,
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
        Ok(Self { answer, took: begun_at.elapsed() })
    }

    /// The answer in the words of `X-Cache` and `Cache-Status`.
    pub(super) fn outcome(&self) -> String {
        let answer = match &self.answer {
            Ok(answer) => answer,
            Err(failure) => return failure.error.to_string(),
        };
        let word = match answer.account.served.outcome() {
            Outcome::Hit | Outcome::NegativeHit => "HIT",
            Outcome::Stale => "STALE",
            Outcome::Miss | Outcome::Collapsed => "MISS",
            Outcome::Bypass => "BYPASS",
        };
        let stored = match answer.account.served {
            Served::Forwarded { stored: Some(true), .. } => ", stored",
            Served::Forwarded { stored: Some(false), .. } if word == "MISS" => ", not stored",
            _ => "",
        };
        format!("{word}{stored}")
    }

    pub(super) fn body(&self) -> Option<&Bytes> {
        self.answer.as_ref().ok()?.body.as_ref()
    }
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
