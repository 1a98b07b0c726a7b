//! memcached in every bad state under load: what clients see, which metric moves, and when all is normal again.
//!
//! `cargo test --test faults -- --nocapture` prints what was measured as a table.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod fault;
mod load;
mod table;
mod trial;

mod breaker;
mod clock;
mod contents;
mod full;
mod lost;
mod replies;
mod returning;
mod slow;
mod starved;
