//! Both stores: what memcached and this process's memory promise, and what becomes of it when a server does wrong.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod contract;
mod fake;
mod idle;
mod memcached;
mod memory;
mod pipelined_changes;
mod plain_items;
mod pymemcache;
