//! The page and the streams behind it: in a real browser where there is one, and over real sockets.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod browser;

mod access;
mod files;
mod pictures;
mod seen;
mod streams;
mod top;
