//! Support of the integration tests: the program, memcached and what stands between them, and waiting.

pub mod answer;
pub mod aside;
pub mod client;
mod core;
mod eventually;
pub mod fake;
pub mod link;
pub mod memcached;
pub mod proxy;
pub mod raw;
pub mod servers;
pub mod source;
pub mod terminal;

pub use core::core;
pub use eventually::{PATIENCE, eventually};

/// The system's own Python, which Debian's packages are for, whatever other Python stands first on the path.
pub const PYTHON: &str = "/usr/bin/python3";
