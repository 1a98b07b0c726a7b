//! The edge over real sockets.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod bodies;
mod connections;
mod framing;
mod half_close;
mod random;
mod raw;
mod shutdown;
mod slow;
mod wire;
