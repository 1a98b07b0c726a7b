//! `lifecycle`: create, read, update, delete, expire.

use super::{LIFE_S, Stop, Walk, draw, item::Item, tidied};
use crate::memcached::Memcached;

const FIRST: &str = r#"{"version":1}"#;
const SECOND: &str = r#"{"version":2}"#;
const LAST: &str = r#"{"version":3}"#;

/// Walks one key through all that can become of it; the last value lives for `ttl_s` seconds (from 2).
///
/// # Errors
/// [`Stop`].
pub async fn lifecycle(walk: &mut Walk, memcached: &Memcached, ttl_s: u32) -> Result<(), Stop> {
    let key = &draw();
    let item = Item { memcached, key };
    let steps = async {
        item.set(walk, "create", FIRST, LIFE_S).await?;
        item.read(walk, Some(FIRST)).await?;
        item.set(walk, "update", SECOND, LIFE_S).await?;
        item.read(walk, Some(SECOND)).await?;
        item.delete(walk).await?;
        item.read(walk, None).await?;
        let set = item.set(walk, "create", LAST, ttl_s).await?;
        item.read(walk, Some(LAST)).await?;
        item.expire(walk, ttl_s, set).await?;
        item.read(walk, None).await
    };
    tidied(steps.await, memcached, std::slice::from_ref(key)).await
}
