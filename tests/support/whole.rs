//! What tests of whole processes share that meet a memcached that does wrong.

pub(crate) mod answer;
pub(crate) mod aside;
pub(crate) mod eventually;
pub(crate) mod fake;
pub(crate) mod memcached;

pub(crate) use eventually::{PATIENCE, eventually};
