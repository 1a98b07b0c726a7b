//! Sessions through the program itself: real processes and a real memcached.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod request;

mod access;
mod away;
mod browser;
mod life;
mod log;
mod refused;
mod shared;
