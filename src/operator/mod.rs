//! The questions and orders of a person to a running service: explain an entry, forget, count, and tell whether the
//! cache is worth its while.
//!
//! memcached counts commands, not answers. What 1.6.18 calls a hit was measured: `mg … N` on an absent key is a
//! hit, as it finds the placeholder that it has just made, and so is every look at a placeholder and every stale
//! entry; only looks that take no lease can miss. The rate that memcached gives itself is therefore near 100 %
//! whatever Aside finds, and the service's own ledger is the one to trust.

mod explain;
mod forget;
mod ledger;
mod moment;
mod parts;
mod report;
mod row;
mod shared;
mod table;
mod verdict;

pub use self::{
    explain::{AtServer, KeyReport, explain},
    forget::Unfinished,
    ledger::Ledger,
    parts::{Equipment, Moment, Operator},
    report::{Ready, ServerReport, Stats},
    row::ServerRow,
    table::{aligned, percent, table},
    verdict::{Evidence, GETS_MIN, HIT_PERCENT_MIN},
};

/// `part` of `whole` in per cent, to two places, cut and not rounded, so that 100 is all of it; `None` of nothing.
pub fn per_cent(part: u64, whole: u64) -> Option<f64> {
    let hundredths = (u128::from(part) * 10_000).checked_div(u128::from(whole))?;
    u32::try_from(hundredths).ok().map(|hundredths| f64::from(hundredths) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_two_places_and_needs_something_to_be_a_rate_of() {
        assert_eq!(per_cent(0, 0), None);
        assert_eq!(per_cent(2, 3), Some(66.66));
        assert_eq!(per_cent(99_999, 100_000), Some(99.99));
        assert_eq!(per_cent(u64::MAX, u64::MAX), Some(100.0));
    }
}
