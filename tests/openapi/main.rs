//! The OpenAPI document, held against the program itself: real processes and a real memcached.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod document;

mod answers;
mod away;
mod framing;
mod limits;
mod problems;
mod refused;
mod routes;
mod sound;
