//! Resources of one's own: a file that declares them, databases and services that were not made for us, and writers who know
//! nothing of a cache.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod bulk;
mod bulkhead;
mod commands;
mod foreign;
mod origin;
mod refused;
mod served;
mod service;
mod shop;
mod texts;
mod types;
