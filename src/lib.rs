//! Aside: a caching HTTP service in front of a slow backend.
//!
//! The path of a request, in the order in which it meets the modules: [`http`] parses it, the stack
//! of [`cache`] answers it from a store ([`memcached`], or this process's own memory) or loads it
//! from a source (one of [`resources`]). [`app`] puts them together; `ARCHITECTURE.md` says who may know whom.

// Tests may unwrap; the service may not.
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::panic, clippy::unwrap_used))]

pub mod cli;

pub mod app;

pub mod http;

pub mod demo;
pub mod jobs;

pub mod operator;
pub mod sessions;
pub mod sources;
pub mod users;

pub mod resources;

pub mod delivery;

pub mod database;

pub mod cache;

pub mod memcached;

pub mod config;
pub mod cores;
pub mod escape;
pub mod metrics;
pub mod telemetry;
