//! The keys that were counted most often in the last minute, in bounded memory.
//!
//! "Space-saving" (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams, 2005):
//! a key that finds no room takes the place, and the count, of the one with the least. So none that is counted often is
//! missed. The count of a key that is there is too high by the least one at most, and one that is not there was counted no
//! more often than that.

use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Keys that are counted in each window.
const KEYS_MAX: usize = 128;

/// The last minute is made of so many windows of this length, the one that is being counted included.
const WINDOWS: usize = 7;
const WINDOW: Duration = Duration::from_secs(10);

/// Keys that a thread counts in a second, one by one; of those after them it counts one in so many, for all of these.
const EACH_MAX: u64 = 64;
const ONE_OF: u64 = 64;

thread_local! {
    /// The second in which this thread counted last, and how many there were in it.
    static PACE: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Counts keys. Clones share the counts.
#[derive(Clone, Debug)]
pub struct HotKeys(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    since: Instant,
    /// The latest last, each with the number of its place in time.
    windows: Mutex<VecDeque<(u64, Window)>>,
}

type Window = HashMap<Box<str>, u64>;

/// The keys that were counted most often.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Hottest {
    /// Each with its count, the highest first.
    pub keys: Vec<(Box<str>, u64)>,
    /// By how much a count may be wrong. What is left to chance where one of 64 was counted for all comes to it: some eight
    /// times the root of the count.
    pub error: u64,
}

impl Default for HotKeys {
    fn default() -> Self {
        Self(Arc::new(Counted { since: Instant::now(), windows: Mutex::default() }))
    }
}

impl HotKeys {
    /// Counts `key` at `now`.
    pub fn count(&self, key: &str, now: Instant) {
        self.add(key, 1, self.second(now));
    }

    /// Counts `key` at `now`, or on a busy thread one of 64 for all of them: most calls do next to nothing.
    pub fn sample(&self, key: &str, now: Instant) {
        let second = self.second(now);
        let (last, before) = PACE.get();
        let counted = if last == second { before + 1 } else { 1 };
        PACE.set((second, counted));
        match counted {
            ..=EACH_MAX => self.add(key, 1, second),
            _ if counted.is_multiple_of(ONE_OF) => self.add(key, ONE_OF, second),
            _ => {}
        }
    }

    /// The `most` keys of the last minute.
    pub fn hottest(&self, most: usize, now: Instant) -> Hottest {
        let place = self.second(now) / WINDOW.as_secs();
        let mut sums = HashMap::<Box<str>, u64>::new();
        let mut error = 0;
        for (_, window) in self.windows(place).iter() {
            window.iter().for_each(|(key, count)| *sums.entry(key.clone()).or_default() += count);
            if window.len() == KEYS_MAX {
                error += window.values().min().copied().unwrap_or(0);
            }
        }
        let mut keys: Vec<_> = sums.into_iter().collect();
        keys.sort_unstable_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
        keys.truncate(most);
        Hottest { keys, error }
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.0.since).as_secs()
    }

    fn add(&self, key: &str, weight: u64, second: u64) {
        let place = second / WINDOW.as_secs();
        let mut windows = self.windows(place);
        if windows.back().is_none_or(|(last, _)| *last < place) {
            windows.push_back((place, Window::with_capacity(KEYS_MAX)));
        }
        let Some((_, window)) = windows.back_mut() else { return };
        if let Some(count) = window.get_mut(key) {
            *count += weight;
            return;
        }
        let mut least = 0;
        if window.len() == KEYS_MAX
            && let Some((key, count)) = window.iter().min_by_key(|(_, count)| **count)
        {
            least = *count;
            let key = key.clone();
            window.remove(&key);
        }
        window.insert(key.into(), least + weight);
    }

    /// Those of the last minute before `place`.
    fn windows(&self, place: u64) -> MutexGuard<'_, VecDeque<(u64, Window)>> {
        let mut windows = self.0.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|(at, _)| at + WINDOWS as u64 > place);
        windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_counted_often_is_found_among_many_that_are_not() {
        let keys = HotKeys::default();
        for round in 0..1000 {
            keys.add("hot", 1, 0);
            keys.add(&format!("cold:{round}"), 1, 0);
        }
        let Hottest { keys, error } = keys.hottest(1, Instant::now());
        assert_eq!(&*keys[0].0, "hot");
        assert!((1..=2000 / KEYS_MAX as u64).contains(&error), "{error}");
        assert!((1000..=1000 + error).contains(&keys[0].1), "{keys:?}");
    }

    #[test]
    fn what_is_older_than_a_minute_is_not_counted() {
        let keys = HotKeys::default();
        let at = |second| keys.0.since + Duration::from_secs(second);
        keys.count("early", at(0));
        keys.count("late", at(65));
        assert_eq!(keys.hottest(9, at(65)).keys, [("early".into(), 1), ("late".into(), 1)]);
        assert_eq!(keys.hottest(9, at(70)).keys, [("late".into(), 1)]);
        assert_eq!(keys.hottest(9, at(200)), Hottest::default());
        keys.count("last", at(200));
        assert_eq!(keys.windows(20).len(), 1);
    }

    #[test]
    fn of_many_in_a_second_some_stand_for_all() {
        let keys = HotKeys::default();
        let now = keys.0.since + Duration::from_secs(5);
        (0..6400).for_each(|_| keys.sample("a", now));
        assert_eq!(keys.hottest(1, now).keys, [("a".into(), 64 + 64 * 99)]);
    }
}
