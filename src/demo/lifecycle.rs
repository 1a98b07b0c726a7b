//! `lifecycle`: create, read, update, delete, expire.

use super::{LIFE_S, Stop, Walk};

const FIRST: &str = r#"{"version":1}"#;
const SECOND: &str = r#"{"version":2}"#;
const LAST: &str = r#"{"version":3}"#;

/// Walks one key through all that can become of it; the last value lives for `ttl_s` seconds (from 2).
///
/// # Errors
/// [`Stop`].
pub async fn lifecycle(walk: &mut Walk, ttl_s: u32) -> Result<(), Stop> {
    let key = &walk.draw();
    walk.set("create", key, FIRST, LIFE_S).await?;
    walk.read(key, Some(FIRST)).await?;
    walk.set("update", key, SECOND, LIFE_S).await?;
    walk.read(key, Some(SECOND)).await?;
    walk.delete(key).await?;
    walk.read(key, None).await?;
    walk.outlive("create", key, LAST, ttl_s).await?;
    walk.read(key, None).await
}
