//! `ttl`: a value that memcached drops by itself.

use super::{Stop, Walk};

/// Stores a value for `ttl_s` seconds (from 2: with 1 it may be gone at once) and looks until it is gone.
///
/// # Errors
/// [`Stop`].
pub async fn ttl(walk: &mut Walk, ttl_s: u32) -> Result<(), Stop> {
    let key = walk.draw();
    walk.outlive("set", &key, r#"{"greeting":"hello"}"#, ttl_s).await
}
