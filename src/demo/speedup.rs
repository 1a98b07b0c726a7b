//! `speedup`: the same lookup without the cache and with it.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tower::ServiceExt;

use super::{LIFE_S, Stop, Walk};
use crate::{
    cache::{Cache, Directives, Get, Key, LoadEnd, Policy, Served, Source, stack},
    database::Database,
    metrics::Metrics,
    users::UserSource,
};

/// Lookups of each kind; their medians are compared.
const ROUNDS: usize = 3;

/// The longest that a load may take besides the slowness of its query.
const LOAD_SLACK: Duration = Duration::from_secs(5);

/// A user under a key of the walk's own, so that no service finds what this database says of them.
struct Apart {
    users: UserSource,
    key: Key,
}

impl Source for Apart {
    type Id = i64;

    fn key(&self, _: &i64) -> Key {
        self.key.clone()
    }

    async fn load(&self, id: i64, deadline: Instant) -> LoadEnd {
        self.users.load(id, deadline).await
    }
}

/// Looks `user`, one of those that a new database is seeded with, up without the cache and with it, through the stack
/// that the service has, in a temporary database whose query takes `slow_query`.
///
/// # Errors
/// [`Stop`].
pub async fn speedup(walk: &mut Walk, user: i64, slow_query: Duration) -> Result<(), Stop> {
    // Removed when this is dropped.
    let folder = tempfile::tempdir().map_err(failed)?;
    let url = format!("sqlite://{}", folder.path().join("aside.db").display());
    let database = walk.wait(Database::open(&url, slow_query, 1)).await?.map_err(failed)?;
    let apart = Apart { users: UserSource::new(database), key: walk.draw() };
    let policy = Policy {
        ttl: Duration::from_secs(LIFE_S.into()),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        load_timeout: slow_query.saturating_add(LOAD_SLACK),
        loads_max: 1,
        ..Policy::default()
    };
    let metrics = Metrics::default().cache("demo");
    let users = stack(apart, walk.memcached.clone(), &policy, &metrics);
    steps(walk, &users, user).await
}

async fn steps(walk: &mut Walk, users: &Cache<i64>, user: i64) -> Result<(), Stop> {
    let cached = Get { id: user, directives: Directives::default() };
    let uncached = Get { id: user, directives: Directives { no_store: true, ..cached.directives } };
    walk.step(format_args!("look user {user} up {ROUNDS} times without the cache"))?;
    let without = rounds(walk, users, uncached, "BYPASS").await?;

    walk.step("look the user up with the cache, which is empty")?;
    let filled = look_up(walk, users, cached.clone()).await?;
    walk.same("MISS, stored", &filled.outcome)?;

    walk.step(format_args!("look the user up {ROUNDS} times with the cache"))?;
    let with = rounds(walk, users, cached, "HIT").await?;

    walk.step("compare the answers, and the medians of the times")?;
    let (slow, fast) = (median(&without), median(&with));
    let mut bodies = without.iter().chain([&filled]).chain(&with).map(|lookup| &lookup.body);
    let is_same = filled.body.is_some() && bodies.all(|body| *body == filled.body);
    walk.verdict(
        "the same user, sooner with the cache",
        compared(is_same, slow, fast),
        is_same && fast < slow,
    )
}

/// Ends a step by lookups of which each ought to be `wanted`.
async fn rounds(
    walk: &mut Walk,
    users: &Cache<i64>,
    get: Get<i64>,
    wanted: &str,
) -> Result<Vec<TimedGet>, Stop> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rounds.push(look_up(walk, users, get.clone()).await?);
    }
    let saw = rounds.iter().map(|lookup| format!("{} in {}", lookup.outcome, ms(lookup.took)));
    walk.verdict(
        format_args!("{wanted}, {ROUNDS} times"),
        saw.collect::<Vec<_>>().join("; "),
        rounds.iter().all(|lookup| lookup.outcome == wanted),
    )?;
    Ok(rounds)
}

/// One lookup through the stack and how long it took.
struct TimedGet {
    /// The origin of the answer in the words of `X-Cache` and `Cache-Status`, or why there is none.
    outcome: String,
    body: Option<Bytes>,
    took: Duration,
}

async fn look_up(walk: &mut Walk, users: &Cache<i64>, get: Get<i64>) -> Result<TimedGet, Stop> {
    let begun_at = Instant::now();
    let answer = walk.wait(users.clone().oneshot(get)).await?;
    let took = begun_at.elapsed();
    Ok(match answer {
        Ok(answer) => TimedGet { outcome: told(answer.account.served), body: answer.body, took },
        Err(failure) => TimedGet { outcome: failure.error.to_string(), body: None, took },
    })
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
fn median(lookups: &[TimedGet]) -> Duration {
    let mut times: Vec<_> = lookups.iter().map(|lookup| lookup.took).collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A time in milliseconds, to two places.
fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// Both times, and what is gained.
fn compared(is_same: bool, without: Duration, with: Duration) -> String {
    let user = if is_same { "the same user" } else { "not the same user each time" };
    let share = with.as_secs_f64() / without.as_secs_f64();
    let (times, gain) = (1.0 / share, (1.0 - share) * 100.0);
    let (without, with) = (ms(without), ms(with));
    format!(
        "{user}; {without} without, {with} with: {times:.0} times as fast, a gain of {gain:.2} %"
    )
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::Failed(format!("no temporary database can be made: {error}"))
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use tokio::time::sleep;
    use tower::{service_fn, util::BoxCloneSyncService};

    use super::*;
    use crate::cache::{Account, Answer, Forward};

    /// A cache that takes `hit_ms` for a hit, before a source that takes 10 ms.
    fn cache(hit_ms: u64) -> Cache<i64> {
        let is_filled = Arc::new(AtomicBool::new(false));
        BoxCloneSyncService::new(service_fn(move |get: Get<i64>| {
            let why = if get.directives.no_store { Forward::Request } else { Forward::Miss };
            let served = if why == Forward::Miss && is_filled.swap(true, Ordering::Relaxed) {
                Served::Hit { ttl_s: 60, negative: false }
            } else {
                Served::Forwarded { why, collapsed: false, stored: Some(why == Forward::Miss) }
            };
            let took_ms = if matches!(served, Served::Hit { .. }) { hit_ms } else { 10 };
            async move {
                sleep(Duration::from_millis(took_ms)).await;
                let key = Key::numbered("demo", 1);
                let account =
                    Account { key, served, detail: None, lookup: Duration::ZERO, load: None };
                Ok(Answer { body: Some(Bytes::from_static(b"{}")), age_s: 0, account })
            }
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_cache_that_is_slower_than_its_source_is_a_difference() {
        for (hit_ms, is_worth_it) in [(9, true), (10, false), (11, false)] {
            let mut walk = Walk::untold(Box::pin(pending()));
            steps(&mut walk, &cache(hit_ms), 1).await.unwrap();
            assert_eq!(walk.end().unwrap(), is_worth_it, "{hit_ms}");
        }
    }

    #[test]
    fn the_gain_is_the_part_of_the_time_that_is_saved() {
        let of = |without, with| {
            compared(true, Duration::from_micros(without), Duration::from_micros(with))
        };
        assert!(
            of(500_000, 250).ends_with(
                "500.00 ms without, 0.25 ms with: 2000 times as fast, a gain of 99.95 %"
            )
        );
        assert!(of(100, 200).ends_with(": 0 times as fast, a gain of -100.00 %"));
    }
}
