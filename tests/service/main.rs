//! The program from outside: real processes, a real memcached, real databases, real sockets.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod support;

mod load;
mod wire;

mod conditional;
mod database;
mod directives;
mod errors;
mod foreign;
mod headers;
mod life;
mod log;
mod one_load;
mod servers;
mod settings;
mod stale;
mod stopping;
