//! A second slow source on the same stack: a calculation that takes five seconds and is kept for ten.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use crate::{
    cache::{Key, LoadEnd, LoadError, Policy, Source},
    resources::Definition,
};

/// The time that the calculation takes.
const EFFORT: Duration = Duration::from_secs(5);

/// The first part of every key.
const SPACE: &str = "calculation";

/// A number and its double: the JSON object that clients see.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Calculation {
    /// The number.
    pub input: i64,
    /// Twice the number, up to 18446744073709551614.
    pub result: i128,
}

/// Twice a number, slowly.
#[derive(Clone, Copy, Debug)]
pub struct Calculations;

impl Source for Calculations {
    type Id = i64;

    fn key(&self, n: &i64) -> Key {
        Key::numbered(SPACE, *n)
    }

    async fn load(&self, n: i64, deadline: Instant) -> LoadEnd {
        timeout_at(deadline, tokio::time::sleep(EFFORT)).await.map_err(|_| LoadError::Timeout)?;
        // Twice the largest i64 is no i64.
        let calculation = Calculation { input: n, result: i128::from(n) * 2 };
        // Two numbers always serialise.
        Ok(Some(Bytes::from(serde_json::to_vec(&calculation).unwrap_or_default())).into())
    }
}

/// The calculation as a resource: kept for ten seconds and never stale; fifteen are enough for one calculation after a
/// wait for a turn.
pub fn definition() -> Definition {
    let policy = Policy {
        ttl: Duration::from_secs(10),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        load_timeout: Duration::from_secs(15),
        ..Policy::default()
    };
    Definition::numbered("calculations", SPACE, "/calculations/{n}", "Calculation", policy)
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;
    use crate::{
        cache::{Directives, Get, Memory, Origin, stack},
        metrics::{Metrics, Outcome},
    };

    #[tokio::test(start_paused = true)]
    async fn a_result_takes_five_seconds_and_is_kept_for_nine_to_ten() {
        let store = Memory::new(1 << 20, Duration::MAX, Origin::Memory);
        let metrics = Metrics::default().cache("calculations");
        let cache = stack(Calculations, store, &definition().policy, &metrics);
        let ask = async |n| {
            let begun_at = Instant::now();
            let get = Get { id: n, directives: Directives::default() };
            let answer = cache.clone().oneshot(get).await.unwrap();
            (answer.body.unwrap(), answer.account.served.outcome(), begun_at.elapsed())
        };
        let body = r#"{"input":10,"result":20}"#;
        assert_eq!(ask(10).await, (body.into(), Outcome::Miss, EFFORT));
        tokio::time::advance(Duration::from_millis(8900)).await;
        assert_eq!(ask(10).await, (body.into(), Outcome::Hit, Duration::ZERO));
        tokio::time::advance(Duration::from_millis(1100)).await;
        assert_eq!(ask(10).await, (body.into(), Outcome::Miss, EFFORT));
        let largest = r#"{"input":9223372036854775807,"result":18446744073709551614}"#;
        assert_eq!(ask(i64::MAX).await.0, largest);
    }
}
