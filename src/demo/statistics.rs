//! `stats`: what memcached counts of what is done.

use futures_util::future::join_all;

use super::{LIFE_S, Stop, Walk, item::stored};
use crate::{
    cache::Key,
    memcached::{Inspector, Memcached},
    statistics::{Evidence, ServerFigures, ServerRow, table},
};

/// Keys that are set.
const SETS: usize = 10;

/// Gets of each of these.
const GETS_EACH: usize = 2;

/// Gets of keys that nobody has set.
const MISSES: usize = 5;

/// What is done, or was counted.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Counts {
    sets: u64,
    hits: u64,
    misses: u64,
}

/// Sets and gets some keys, and looks at the counters of each server before and after.
///
/// # Errors
/// [`Stop`].
pub async fn statistics(walk: &mut Walk, inspector: &Inspector) -> Result<(), Stop> {
    let set: Vec<_> = (0..SETS).map(|_| walk.draw()).collect();
    let unset: Vec<_> = (0..MISSES).map(|_| walk.draw()).collect();
    let addresses = inspector.servers();
    let servers = addresses.len();
    walk.step("ask each server for its counters")?;
    let before = figures(inspector).await?;
    walk.same(
        format!("{servers} of {servers} answer"),
        format!("{} of {servers} answer", before.len()),
    )?;

    walk.step(format_args!(
        "set {SETS} keys, get each {GETS_EACH} times, and get {MISSES} that nobody has set"
    ))?;
    let done = work(&walk.memcached, &set, &unset).await?;
    walk.same(counts_of(&set, &unset, |_| true).told(), done.told())?;

    let after = figures(inspector).await?;
    for ((address, before), after) in addresses.iter().zip(&before).zip(&after) {
        let least = counts_of(&set, &unset, |key| walk.memcached.home(key) == Some(address));
        let grown = Counts::grown(before, after);
        walk.step(format_args!("ask {address} again: others may have used it, too"))?;
        let expected = format!("at least {} more", least.told());
        walk.verdict(expected, format_args!("{} more", grown.told()), grown.reach(least))?;
    }

    let rows = addresses.iter().zip(&after);
    let rows = rows
        .map(|(address, figures)| ServerRow::new(address.to_string(), None, Ok(figures.clone())));
    walk.print(format_args!("\n{}", table(&rows.collect::<Vec<_>>())))?;
    let verdict = Evidence::of_servers(&after).verdict();
    walk.print(format_args!("\nverdict by memcached alone: {verdict}\n"))
}

/// The figures of each server, in the order of the setting. All of them must tell.
async fn figures(inspector: &Inspector) -> Result<Vec<ServerFigures>, Stop> {
    let figures = inspector.statistics(|_| true).await.into_iter().zip(inspector.servers());
    let told = figures.map(|(figures, address)| {
        figures.map_err(|why| Stop::Failed(format!("no counters of memcached at {address}: {why}")))
    });
    told.collect()
}

/// Sets and gets the keys, and counts what came of it.
async fn work(memcached: &Memcached, set: &[Key], unset: &[Key]) -> Result<Counts, Stop> {
    let value = || r#"{"greeting":"hello"}"#.into();
    let mut done = Counts { sets: 0, hits: 0, misses: 0 };
    for kept in join_all(set.iter().map(|key| memcached.keep(key, value(), LIFE_S))).await {
        done.sets += u64::from(stored(kept)? == "stored");
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

/// The counts of the work with those of the keys that `are_meant`.
fn counts_of(set: &[Key], unset: &[Key], are_meant: impl Fn(&Key) -> bool) -> Counts {
    let count = |keys: &[Key]| keys.iter().filter(|key| are_meant(key)).count() as u64;
    let sets = count(set);
    Counts { sets, hits: sets * GETS_EACH as u64, misses: count(unset) }
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
