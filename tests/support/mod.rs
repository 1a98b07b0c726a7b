//! What tests of whole processes share.

pub(crate) mod answer;
pub(crate) mod aside;
pub(crate) mod eventually;
pub(crate) mod link;
pub(crate) mod memcached;
pub(crate) mod proxy;
pub(crate) mod terminal;

pub(crate) use eventually::{PATIENCE, eventually};
