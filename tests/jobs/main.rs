//! The queue of jobs: one contract for SQLite, PostgreSQL and Redis, each a real one, and the program itself.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod consumer;
mod home;

mod command;
mod contract;
mod kept;
mod log;
mod lost;
mod refused;
mod service;
mod unwritten;
