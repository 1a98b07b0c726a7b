//! `aside demo`, and the example for Python: the programs themselves, and real memcached processes.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

mod program;
mod saboteur;

mod differences;
mod ends;
mod python;
mod terminal;
mod walks;
