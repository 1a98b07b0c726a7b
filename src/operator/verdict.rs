//! The verdict: whether the cache earns its keep, and if not, what the figures say is the likely cause.

use super::{Ledger, ServerRow, per_cent};
use crate::memcached::ServerFigures;

/// Gets below which nothing is said of the rate: a cache that has just started is cold.
pub const GETS_MIN: u64 = 100;

/// Per cent of gets that the cache must answer to earn its keep.
pub const HIT_PERCENT_MIN: u64 = 80;

/// An eviction costs one miss at most. Fewer of them than one in so many misses are not the cause.
const MISSES_PER_EVICTION_MAX: u64 = 10;

/// Sets for each item that is held, from which on the same entries run out and are loaded again and again.
const SETS_PER_ITEM_MIN: u64 = 2;

/// The figures that the verdict is made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    gets: u64,
    /// Gets that the cache answered, fresh or stale.
    answered: u64,
    bypasses: u64,
    /// Loads that gave an answer; of servers alone they are not known.
    loads: u64,
    /// The sums over all servers that told of themselves; `None` if there was none.
    stored: Option<Stored>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stored {
    sets: u64,
    items: u64,
    evictions: u64,
    expired_unread: u64,
}

impl Evidence {
    /// The counts of the service, and those of the servers behind it.
    pub fn of_service(ledger: &Ledger, servers: &[ServerRow]) -> Self {
        let (gets, answered) = (ledger.gets, ledger.hits + ledger.stale);
        let loads = ledger.loads.saturating_sub(ledger.loads_failed);
        Self { gets, answered, bypasses: ledger.bypasses, loads, stored: stored(servers) }
    }

    /// The counts of servers alone, for everybody who uses them.
    pub fn of_servers(servers: &[ServerRow]) -> Self {
        let each = servers.iter().filter_map(|row| row.figures.gets());
        let sum = |(gets, answered), (more_gets, more)| (gets + more_gets, answered + more);
        let (gets, answered) = each.fold((0, 0), sum);
        Self { gets, answered, bypasses: 0, loads: 0, stored: stored(servers) }
    }

    /// One sentence, with the figure that made it say so.
    pub fn verdict(&self) -> String {
        let Self { gets, answered, .. } = *self;
        if gets < GETS_MIN {
            return format!("too few gets to say: {gets}, and it takes {GETS_MIN}");
        }
        let rate = per_cent(answered, gets).unwrap_or(0.0);
        let share = format!("it answered {rate:.2} % of {gets} gets");
        if u128::from(answered) * 100 >= u128::from(gets) * u128::from(HIT_PERCENT_MIN) {
            return format!("the cache earns its keep: {share}");
        }
        format!("below {HIT_PERCENT_MIN} %: {share}; {}", self.cause())
    }

    /// The likely cause of a low rate, with its figure: the first that the figures bear out.
    fn cause(&self) -> String {
        let unanswered = self.gets.saturating_sub(self.answered);
        let misses = unanswered.saturating_sub(self.bypasses);
        if self.bypasses > misses {
            let bypasses = self.bypasses;
            return format!(
                "most others went past it ({bypasses} bypasses): requests say no-cache, or memcached is away"
            );
        }
        let Some(Stored { sets, items, evictions, expired_unread }) = self.stored else {
            return format!("{misses} were misses, and no memcached tells why");
        };
        if sets.saturating_mul(2) < self.loads {
            // It counts from its start on, and this process from its own.
            let loads = self.loads;
            format!(
                "of {loads} loads memcached has stored {sets} since it was started: it was away, or what is \
                 loaded is not to be kept"
            )
        } else if evictions > 0 && evictions.saturating_mul(MISSES_PER_EVICTION_MAX) >= misses {
            format!("its memory is too small: {evictions} entries were evicted")
        } else if expired_unread.saturating_mul(2) >= sets.max(1) {
            format!(
                "data is seldom asked for twice: {expired_unread} of {sets} entries ran out unread"
            )
        } else if sets >= items.max(1).saturating_mul(SETS_PER_ITEM_MIN) {
            format!(
                "the TTL is too short, or the data is written often: \
                 entries were stored {sets} times, and it holds {items}"
            )
        } else {
            format!("data is seldom asked for twice: {sets} entries were stored for these gets")
        }
    }
}

/// The sums over all servers that gave any figure; one that a server does not give counts as zero.
fn stored(servers: &[ServerRow]) -> Option<Stored> {
    let all = servers.iter().map(|row| &row.figures);
    let told: Vec<_> = all.filter(|figures| figures.cmd_set.is_some()).collect();
    let sum =
        |figure: fn(&ServerFigures) -> Option<u64>| told.iter().filter_map(|it| figure(it)).sum();
    (!told.is_empty()).then(|| Stored {
        sets: sum(ServerFigures::stored),
        items: sum(|figures| figures.curr_items),
        evictions: sum(|figures| figures.evictions),
        expired_unread: sum(|figures| figures.expired_unfetched),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Stored = Stored { sets: 100, items: 51, evictions: 0, expired_unread: 49 };

    fn verdict(gets: u64, answered: u64, bypasses: u64, stored: Option<Stored>) -> String {
        Evidence { gets, answered, bypasses, loads: 0, stored }.verdict()
    }

    #[test]
    fn below_a_hundred_gets_nothing_is_said() {
        assert!(verdict(99, 99, 0, None).starts_with("too few gets to say: 99,"));
        assert!(verdict(100, 100, 0, None).contains("earns its keep"));
    }

    #[test]
    fn from_eighty_per_cent_on_it_earns_its_keep() {
        let keeps = verdict(10_000, 8_000, 0, Some(QUIET));
        assert_eq!(keeps, "the cache earns its keep: it answered 80.00 % of 10000 gets");
        let below = verdict(10_000, 7_999, 0, Some(QUIET));
        assert!(below.starts_with("below 80 %: it answered 79.99 % of 10000 gets; "), "{below}");
    }

    #[test]
    fn the_cause_is_the_first_that_the_figures_bear_out() {
        let of = |stored| verdict(1000, 0, 0, Some(stored));
        let evicted = |evictions| of(Stored { evictions, ..QUIET });
        assert!(evicted(100).ends_with("too small: 100 entries were evicted"));
        assert!(!evicted(99).contains("too small"), "99 evictions explain 99 of 1000 misses");
        let unread = of(Stored { expired_unread: 50, ..QUIET });
        assert!(unread.ends_with("asked for twice: 50 of 100 entries ran out unread"), "{unread}");
        let short = of(Stored { items: 50, ..QUIET });
        assert!(short.contains("TTL is too short") && short.contains("100 times"), "{short}");
        assert!(of(QUIET).ends_with("asked for twice: 100 entries were stored for these gets"));
    }

    #[test]
    fn what_goes_past_the_cache_is_no_fault_of_its_size_or_of_the_ttl() {
        let small = Some(Stored { evictions: 500, ..QUIET });
        assert!(verdict(1000, 0, 501, small).contains("went past it (501 bypasses)"));
        assert!(verdict(1000, 0, 500, small).contains("too small"));
    }

    #[test]
    fn of_what_memcached_does_not_know_any_more_it_is_no_witness() {
        let of = |loads| {
            Evidence { gets: 1000, loads, stored: Some(QUIET), ..Evidence::default() }.verdict()
        };
        assert!(of(200).contains("asked for twice"));
        assert!(of(201).contains("of 201 loads memcached has stored 100 since it was started"));
    }

    #[test]
    fn without_a_server_no_cause_is_made_up() {
        assert!(
            verdict(200, 100, 0, None).ends_with("100 were misses, and no memcached tells why")
        );
    }
}
