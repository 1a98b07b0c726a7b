//! The cache path.

mod key;
mod source;

pub use key::{InvalidKey, KEY_BYTES_MAX, Key};
pub use source::{LoadError, Source};
