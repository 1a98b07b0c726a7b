//! `aside cache set`, `get` and `delete`: plain items, as any other client of memcached stores them.

use std::{io::IsTerminal, time::Duration};

use bytes::Bytes;

use crate::{
    cache::{Key, Store, StoreError},
    cli::command::{Failed, Result, connect, inspector, print},
    config::ServerSettings,
    escape::Escaped,
    memcached::Memcached,
};

/// Stores `value` under `key`, whatever is there; a load under way stores nothing any more.
pub(super) async fn set(
    servers: &ServerSettings,
    key: &Key,
    value: Bytes,
    ttl: Duration,
) -> Result {
    let life_s = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
    at_home(servers, key, async |memcached| memcached.keep(key, value, life_s).await).await
}

/// Prints the value of `key`: as it is to a file or a pipe, escaped to a terminal, which would obey it.
pub(super) async fn get(servers: &ServerSettings, key: &Key) -> Result {
    let kept = at_home(servers, key, async |memcached| memcached.read(key, None).await).await?;
    let nothing = || Failed::Failure(format!("nothing is stored under {key}"));
    let value = kept.ok_or_else(nothing)?.value;
    if value.is_empty() {
        return Err(Failed::Failure(format!("{key} is being loaded: its value is empty")));
    }
    let is_terminal = std::io::stdout().is_terminal();
    if is_terminal { print(format!("{}\n", for_terminal(&value))) } else { print(value) }
}

/// Deletes `key`, on its second choice as well, where an entry of the cache may have stood in.
pub(super) async fn delete(servers: &ServerSettings, key: &Key) -> Result {
    let delete = async |memcached: &Memcached| {
        Ok((memcached.remove(key).await?, memcached.forget(key).await))
    };
    let (was_there, forgotten) = at_home(servers, key, delete).await?;
    forgotten.map_err(|_| {
        Failed::Failure(format!("{key} may be left on its second choice of server"))
    })?;
    print(if was_there { "deleted\n" } else { "was not there\n" })
}

/// Connects to the servers, and carries out `operation` if that of `key` can be reached.
async fn at_home<T>(
    servers: &ServerSettings,
    key: &Key,
    operation: impl AsyncFnOnce(&Memcached) -> Result<T, StoreError>,
) -> Result<T> {
    let memcached = connect(&inspector(servers)?).await;
    let done = if memcached.reaches(key) {
        operation(&memcached).await
    } else {
        Err(StoreError::Unavailable)
    };
    done.map_err(|why| {
        let why = match why {
            StoreError::Refused => "refused",
            StoreError::NoAnswer | StoreError::Unavailable => "does not answer",
        };
        let home = memcached.home(key).map(|address| format!(" at {address}")).unwrap_or_default();
        Failed::Failure(format!("memcached{home} {why}"))
    })
}

/// A value in which all that a terminal would obey, and all that is no UTF-8, is an escape.
fn for_terminal(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        text.push_str(&Escaped(chunk.valid()).to_string());
        text.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_that_it_would_obey() {
        assert_eq!(for_terminal("süß 😀".as_bytes()), "süß 😀");
        assert_eq!(for_terminal(b"a\x1b[2Jb\r\n\xff\x00"), "a\\u{1b}[2Jb\\r\\n\\xff\\u{0}");
        assert_eq!(for_terminal("\u{9b}1m\u{202e}".as_bytes()), "\\u{9b}1m\\u{202e}");
    }
}
