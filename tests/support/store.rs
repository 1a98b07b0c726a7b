//! What the tests of stores share.

pub(crate) mod client;
pub(crate) mod eventually;
pub(crate) mod fake;
pub(crate) mod memcached;
