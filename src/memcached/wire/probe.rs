//! The probe of a new connection: whether the server speaks what the lease protocol needs.

use std::fmt;

use super::{
    Changes, PROBE_KEY, WireError,
    line::{Reader, flag, is_for},
};
use crate::cache::Key;

/// The oldest memcached whose answers are known to be right.
const VERSION_MIN: Version = Version([1, 6, 18]);

/// Seconds after which the probe's own item is gone if the connection is lost before it is deleted.
const ITEM_LIFE_S: u32 = 2;

/// Commands before `mn`.
const COMMANDS: usize = 3;

/// Why a server that answers can't be used, and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::memcached) enum Unusable {
    /// By the version 0 no fill could be refused.
    #[error(
        "it gives its items no version (CAS), so that old values could not be told from new ones: start it without -C"
    )]
    NoCas,
    /// `mg` or `md` is an error.
    #[error(
        "it refuses meta commands: it takes memcached {VERSION_MIN} or later, and no proxy before it that knows none"
    )]
    NoMeta,
    /// The end of a batch would not be known.
    #[error(
        "it does not answer `mn`: it takes memcached {VERSION_MIN} or later, and no proxy before it that knows none"
    )]
    NoNoop,
    /// Its version says so.
    #[error("it is memcached {0}: it takes {VERSION_MIN} or later")]
    TooOld(Version),
}

/// A version of memcached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::memcached) struct Version([u32; 3]);

impl Changes {
    /// Makes an item as a lookup does and deletes it, in one round trip. memcached counts a get and a lease for it.
    pub(in crate::memcached) async fn probe(&mut self) -> Result<(), WireError> {
        let key = Key::numbered(PROBE_KEY, 0);
        let (made, deleted) = (self.number + 1, self.number + 2);
        self.number = deleted;
        let request = format!(
            "version\r\nmg {key} c k N{ITEM_LIFE_S} O{made}\r\nmd {key} k O{deleted}\r\nmn\r\n"
        );
        let mut answered = 0;
        let probing = self.line.ask(request.as_bytes(), async |replies: &mut Reader| {
            is_new_enough(&replies.line().await?)?;
            answered += 1;
            gives_versions(&replies.line().await?, &key, made)?;
            answered += 1;
            takes_deletes(&replies.line().await?, &key, deleted)?;
            answered += 1;
            ends_batches(&replies.line().await?)
        });
        let result = probing.await;
        match result {
            // All were sent together: to be silent now is to know no `mn`.
            Err(WireError::TimedOut(_) | WireError::Io(_)) if answered == COMMANDS => {
                Err(Unusable::NoNoop.into())
            }
            result => result,
        }
    }
}

/// A text that is no version says nothing against the server: what it can do is seen in a moment.
fn is_new_enough(line: &[u8]) -> Result<(), WireError> {
    match Version::read(line) {
        Some(version) if version < VERSION_MIN => Err(Unusable::TooOld(version).into()),
        _ => Ok(()),
    }
}

fn gives_versions(line: &[u8], key: &Key, number: u64) -> Result<(), WireError> {
    match line {
        _ if is_unknown(line) => Err(Unusable::NoMeta.into()),
        // It has no room. If it has no versions either, the first entry that is found shows it.
        [b'E', b'N', ..] => Ok(()),
        _ if line.starts_with(b"SERVER_ERROR ") => Ok(()),
        _ if !line.starts_with(b"HD ") || !is_for(line, key, number) => Err(WireError::Crosstalk),
        _ if matches!(flag(line, b'c'), None | Some(b"0")) => Err(Unusable::NoCas.into()),
        _ => Ok(()),
    }
}

fn takes_deletes(line: &[u8], key: &Key, number: u64) -> Result<(), WireError> {
    if is_unknown(line) {
        return Err(Unusable::NoMeta.into());
    }
    if is_for(line, key, number) { Ok(()) } else { Err(WireError::Crosstalk) }
}

fn ends_batches(line: &[u8]) -> Result<(), WireError> {
    match line {
        b"MN" => Ok(()),
        _ if is_unknown(line) => Err(Unusable::NoNoop.into()),
        _ => Err(WireError::Crosstalk),
    }
}

fn is_unknown(line: &[u8]) -> bool {
    line.starts_with(b"ERROR") || line.starts_with(b"CLIENT_ERROR")
}

impl Version {
    /// Reads `VERSION 1.6.18`; what distributions put behind the numbers is passed over.
    fn read(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?.strip_prefix("VERSION ")?;
        let mut parts = text.splitn(3, '.').map(|part| {
            let end = part.find(|character: char| !character.is_ascii_digit());
            part[..end.unwrap_or(part.len())].parse().ok()
        });
        Some(Self([parts.next()??, parts.next()??, parts.next()??]))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_whatever_stands_behind_its_numbers() {
        for (line, version) in [
            ("VERSION 1.6.18", Some([1, 6, 18])),
            ("VERSION 1.6.21_15_gabc", Some([1, 6, 21])),
            ("VERSION 1.6.9.1", Some([1, 6, 9])),
            ("VERSION 1.10.0-rc1", Some([1, 10, 0])),
            ("VERSION 1.6", None),
            ("VERSION unknown", None),
            ("VERSION 1.6.99999999999", None),
            ("ERROR", None),
            ("1.6.18", None),
        ] {
            assert_eq!(Version::read(line.as_bytes()), version.map(Version), "{line}");
        }
        assert!(Version([1, 10, 0]) > VERSION_MIN && Version([1, 6, 9]) < VERSION_MIN);
    }
}
