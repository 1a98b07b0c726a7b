//! Aside: a caching HTTP service in front of a slow backend.

pub mod cache;
pub mod memcached;
pub mod metrics;
