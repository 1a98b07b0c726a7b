//! `ttl`: a value that memcached drops by itself.

use super::{Stop, Walk, draw, item::Item, tidied};
use crate::memcached::Memcached;

const VALUE: &str = r#"{"greeting":"hello"}"#;

/// Stores a value for `ttl_s` seconds (from 2: with 1 it may be gone at once) and looks until it is gone.
///
/// # Errors
/// [`Stop`].
pub async fn ttl(walk: &mut Walk, memcached: &Memcached, ttl_s: u32) -> Result<(), Stop> {
    let key = &draw();
    let item = Item { memcached, key };
    let steps = async {
        let set = item.set(walk, "set", VALUE, ttl_s).await?;
        item.read(walk, Some(VALUE)).await?;
        item.expire(walk, ttl_s, set).await
    };
    tidied(steps.await, memcached, std::slice::from_ref(key)).await
}
