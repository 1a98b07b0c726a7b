//! memcached in every bad state under load: what clients see, which metric moves, and when all is normal again.
//!
//! `cargo test --test faults -- --nocapture` prints what was measured as a table.

#[cfg(test)]
mod fault;
#[cfg(test)]
mod load;
#[cfg(test)]
mod table;
#[cfg(test)]
mod trial;

#[cfg(test)]
mod breaker;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod contents;
#[cfg(test)]
mod full;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod returning;
#[cfg(test)]
mod slow;
