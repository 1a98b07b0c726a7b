//! `stats`: what memcached counts of what is done.

use futures_util::future::{join_all, try_join_all};

use super::{LIFE_S, Stop, Walk, item::stored};
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

/// The numbers of sets, hits and misses.
type Counts = [u64; 3];

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
    // One that does not has ended the walk.
    let all = format!("{servers} of {servers} answer");
    walk.same(&all, &all)?;

    walk.step(format_args!(
        "set {SETS} keys, get each {GETS_EACH} times, and get {MISSES} that nobody has set"
    ))?;
    let done = work(&walk.memcached, &set, &unset).await?;
    walk.same(told(counts_of(&set, &unset, |_| true)), told(done))?;

    let after = figures(inspector).await?;
    for ((address, before), after) in addresses.iter().zip(&before).zip(&after) {
        let least = counts_of(&set, &unset, |key| walk.memcached.home(key) == Some(address));
        let grown = grown(before, after);
        walk.step(format_args!("ask {address} again: others may have used it, too"))?;
        walk.verdict(
            format_args!("at least {} more", told(least)),
            format_args!("{} more", told(grown)),
            grown.iter().zip(&least).all(|(grown, least)| grown >= least),
        )?;
    }

    let rows = addresses.iter().zip(&after);
    let rows: Vec<_> = rows.map(|(at, it)| ServerRow::new(at, None, Ok(it.clone()))).collect();
    let (table, verdict) = (table(&rows), Evidence::of_servers(&rows).verdict());
    walk.print(format_args!("\n{table}\nverdict by memcached alone: {verdict}\n"))
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
    let mut sets = 0;
    for kept in join_all(set.iter().map(|key| memcached.keep(key, value(), LIFE_S))).await {
        sets += u64::from(stored(kept)? == "stored");
    }
    let (mut hits, mut misses) = (0, 0);
    // One time after the other: who asks for one key at the same time shares a look.
    for keys in std::iter::repeat_n(set, GETS_EACH).chain([unset]) {
        for kept in try_join_all(keys.iter().map(|key| memcached.read(key, None))).await? {
            *if kept.is_some() { &mut hits } else { &mut misses } += 1;
        }
    }
    Ok([sets, hits, misses])
}

/// The counts of the work with those of the keys that `are_meant`.
fn counts_of(set: &[Key], unset: &[Key], are_meant: impl Fn(&Key) -> bool) -> Counts {
    let count = |keys: &[Key]| keys.iter().filter(|key| are_meant(key)).count() as u64;
    [count(set), count(set) * GETS_EACH as u64, count(unset)]
}

/// By how much the counters of a server have grown.
fn grown(before: &ServerFigures, after: &ServerFigures) -> Counts {
    let counters: [fn(&ServerFigures) -> Option<u64>; 3] =
        [|it| it.cmd_set, |it| it.get_hits, |it| it.get_misses];
    counters.map(|counter| counter(after).unwrap_or(0).saturating_sub(counter(before).unwrap_or(0)))
}

fn told([sets, hits, misses]: Counts) -> String {
    format!("{sets} sets, {hits} hits, {misses} misses")
}
