//! Writes through the program itself: real processes, a real memcached, real SQLite files.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod request;
mod returning;

mod access;
mod addresses;
mod away;
mod conditions;
mod crash;
mod create;
mod disk;
mod forget;
mod links;
mod lock;
