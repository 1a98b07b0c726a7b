//! `stats`: what memcached counts of what is done.

use futures_util::future::join_all;

use super::{LIFE_S, Stop, Walk, draw, tidied};
use crate::{
    cache::Key,
    memcached::{Inspector, Memcached, ServerFigures},
    operator::{Evidence, ServerRow, table},
};

/// Keys that are set.
const SETS: usize = 10;

/// Gets of each of these.
const GETS_EACH: usize = 2;

/// Gets of keys that nobody has set.
const MISSES: usize = 5;

/// What is done, or was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    sets: u64,
    hits: u64,
    misses: u64,
}

/// Sets and gets some keys, and looks at the counters of each server before and after.
///
/// # Errors
/// [`Stop`].
pub async fn statistics(
    walk: &mut Walk,
    memcached: &Memcached,
    inspector: &Inspector,
) -> Result<(), Stop> {
    let keys: Vec<_> = (0..SETS + MISSES).map(|_| draw()).collect();
    let steps = steps(walk, memcached, inspector, &keys).await;
    tidied(steps, memcached, &keys).await
}

async fn steps(
    walk: &mut Walk,
    memcached: &Memcached,
    inspector: &Inspector,
    keys: &[Key],
) -> Result<(), Stop> {
    let (set, unset) = keys.split_at(SETS.min(keys.len()));
    let servers = inspector.servers().len();
    walk.step("ask each server for its counters")?;
    let before = figures(inspector).await?;
    walk.same(
        format!("{servers} of {servers} answer"),
        format!("{} of {servers} answer", before.len()),
    )?;

    walk.step(format_args!(
        "set {SETS} keys, get each {GETS_EACH} times, and get {MISSES} that nobody has set"
    ))?;
    let done = work(memcached, set, unset).await?;
    walk.same(counts_of(set, unset, |_| true).told(), done.told())?;

    let after = figures(inspector).await?;
    for ((address, before), after) in inspector.servers().iter().zip(&before).zip(&after) {
        let least = counts_of(set, unset, |key| memcached.home(key) == Some(address));
        let grown = Counts::grown(before, after);
        walk.step(format_args!("ask {address} again: others may have used it, too"))?;
        let expected = format!("at least {} more", least.told());
        walk.verdict(expected, format_args!("{} more", grown.told()), grown.reach(least))?;
    }

    let rows =
        inspector.servers().iter().zip(&after).map(|(address, figures)| {
            ServerRow::new(address.to_string(), None, Ok(figures.clone()))
        });
    let rows: Vec<_> = rows.collect();
    walk.print(format_args!("\n{}", table(&rows)))?;
    let verdict = Evidence::of_servers(&rows).verdict();
    walk.print(format_args!("\nverdict by memcached alone: {verdict}\n"))
}

/// What each server counts, in the order of the setting. All of them must tell.
async fn figures(inspector: &Inspector) -> Result<Vec<ServerFigures>, Stop> {
    let figures = inspector.statistics(|_| true).await.into_iter().zip(inspector.servers());
    let told = figures.map(|(figures, address)| {
        figures.map_err(|why| Stop::Failed(format!("no counters of memcached at {address}: {why}")))
    });
    told.collect()
}

/// Sets and gets the keys; what came of it.
async fn work(memcached: &Memcached, set: &[Key], unset: &[Key]) -> Result<Counts, Stop> {
    let value = || r#"{"greeting":"hello"}"#.into();
    let mut done = Counts::default();
    for kept in join_all(set.iter().map(|key| memcached.keep(key, value(), LIFE_S))).await {
        done.sets += u64::from(super::item::stored(kept)? == "stored");
    }
    let gets = std::iter::repeat_n(set, GETS_EACH).flatten().chain(unset);
    for read in join_all(gets.map(|key| memcached.read(key, None))).await {
        match read? {
            Some(_) => done.hits += 1,
            None => done.misses += 1,
        }
    }
    Ok(done)
}

/// What the work with those of the keys that `are_meant` ought to count.
fn counts_of(set: &[Key], unset: &[Key], are_meant: impl Fn(&Key) -> bool) -> Counts {
    let count = |keys: &[Key]| keys.iter().filter(|key| are_meant(key)).map(|_| 1).sum::<u64>();
    let sets = count(set);
    Counts { sets, hits: (0..GETS_EACH).map(|_| sets).sum(), misses: count(unset) }
}

impl Counts {
    /// By how much the counters have grown.
    fn grown(before: &ServerFigures, after: &ServerFigures) -> Self {
        let grown = |counter: fn(&ServerFigures) -> Option<u64>| {
            counter(after).unwrap_or(0).saturating_sub(counter(before).unwrap_or(0))
        };
        Self {
            sets: grown(|figures| figures.cmd_set),
            hits: grown(|figures| figures.get_hits),
            misses: grown(|figures| figures.get_misses),
        }
    }

    fn reach(self, least: Self) -> bool {
        self.sets >= least.sets && self.hits >= least.hits && self.misses >= least.misses
    }

    fn told(self) -> String {
        let Self { sets, hits, misses } = self;
        format!("{sets} sets, {hits} hits, {misses} misses")
    }
}
