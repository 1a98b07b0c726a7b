//! The service on a real PostgreSQL: the same users, the same promises, and a server that stops, dies and refuses.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod away;
mod deadline;
mod faults;
mod home;
mod log;
mod refused;
mod secured;
mod users;
