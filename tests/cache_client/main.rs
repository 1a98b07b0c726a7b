//! The statistics, the control of the cache and `aside cache`: the program itself, and real memcached processes.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod program;

mod control;
mod explain;
mod forget;
mod items;
mod statistics;
mod table;
mod unnoticed;
mod unwritten;
