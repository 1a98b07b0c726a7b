//! `aside cache set`, `get` and `delete`: plain items, as any other client of memcached stores them.

use std::{io::IsTerminal, time::Duration};

use bytes::Bytes;

use crate::cli::client::{self, Failed, inspector};
use crate::{
    cache::{Key, Store, StoreError},
    cli::output::print,
    config::ServerSettings,
    escape::Escaped,
    memcached::{Kept, Memcached},
};

/// Stores `value` under `key`, whatever is there; a load under way stores nothing any more.
pub(super) async fn set(
    servers: &ServerSettings,
    key: &Key,
    value: Bytes,
    ttl: Duration,
) -> Result<(), Failed> {
    let memcached = connect(servers, key).await?;
    let life_s = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
    memcached.keep(key, value, life_s).await.map_err(|why| away(&memcached, key, why))
}

/// Prints the value of `key`: as it is to a file or a pipe, escaped to a terminal, which would obey it.
pub(super) async fn get(servers: &ServerSettings, key: &Key) -> Result<(), Failed> {
    let memcached = connect(servers, key).await?;
    let kept = memcached.read(key, None).await.map_err(|why| away(&memcached, key, why))?;
    match kept {
        None => Err(Failed::Failure(format!("nothing is stored under {key}"))),
        Some(Kept { value, .. }) if value.is_empty() => {
            Err(Failed::Failure(format!("{key} is being loaded: its value is empty")))
        }
        Some(Kept { value, .. }) if std::io::stdout().is_terminal() => {
            Ok(print(format!("{}\n", for_terminal(&value)))?)
        }
        Some(Kept { value, .. }) => Ok(print(value)?),
    }
}

/// Deletes `key`, on its second choice as well, where an entry of the cache may have stood in.
pub(super) async fn delete(servers: &ServerSettings, key: &Key) -> Result<(), Failed> {
    let memcached = connect(servers, key).await?;
    let was_there = memcached.remove(key).await.map_err(|why| away(&memcached, key, why))?;
    memcached.forget(key).await.map_err(|_| {
        Failed::Failure(format!("{key} may be left on its second choice of server"))
    })?;
    Ok(print(if was_there { "deleted\n" } else { "was not there\n" })?)
}

/// Connects to the servers, of which that of `key` must be reached.
async fn connect(servers: &ServerSettings, key: &Key) -> Result<Memcached, Failed> {
    let memcached = client::connect(&inspector(servers)?).await;
    if memcached.reaches(key) {
        Ok(memcached)
    } else {
        Err(away(&memcached, key, StoreError::Unavailable))
    }
}

fn away(memcached: &Memcached, key: &Key, why: StoreError) -> Failed {
    let home = memcached.home(key).map(|address| format!(" at {address}")).unwrap_or_default();
    Failed::Failure(match why {
        StoreError::Refused => format!("memcached{home} refused"),
        StoreError::NoAnswer | StoreError::Unavailable => {
            format!("memcached{home} does not answer")
        }
    })
}

/// What a terminal would obey, and what is no UTF-8, as escapes; all else as it is.
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
