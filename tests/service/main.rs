//! The program from outside: real processes, a real memcached, real databases, real sockets.

mod load;

mod conditional;
mod database;
mod directives;
mod errors;
mod foreign;
mod headers;
mod life;
mod log;
mod replicas;
mod servers;
mod settings;
mod stale;
mod stopping;
mod unusable;
