//! The probe of a new connection: whether the server speaks what the lease protocol needs.

use std::fmt;

use bytes::Bytes;

use super::{
    Changes, PROBE_KEY, WireError,
    line::{flag, is_for},
};
use crate::cache::Key;

/// The oldest memcached whose answers are known to be right.
const VERSION_MIN: Version = Version([1, 6, 18]);

/// Seconds after which the probe's own item is gone if the connection is lost before it is deleted.
const ITEM_LIFE_S: u32 = 2;

/// The reason why a server that answers can't be used, and what it takes.
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
        let [made, deleted] = [(); 2].map(|()| self.line.next_number());
        let request = format!(
            "version\r\nmg {key} c k N{ITEM_LIFE_S} O{made}\r\nmd {key} k O{deleted}\r\nmn\r\n"
        );
        self.line.begin();
        self.line.put(request.as_bytes());
        let mut is_at_end = false;
        let probing = async {
            let replies = &mut self.line;
            // A text that is no version says nothing against the server: what it can do is seen in a moment.
            if let Some(version) = Version::read(&replies.line().await?)
                && version < VERSION_MIN
            {
                return Err(Unusable::TooOld(version).into());
            }
            let item = known(replies.line().await?, Unusable::NoMeta)?;
            // One without room has no item. If it has no versions either, the first entry that is found shows it.
            if !item.starts_with(b"EN") && !item.starts_with(b"SERVER_ERROR ") {
                if !item.starts_with(b"HD ") || !is_for(&item, &key, made) {
                    return Err(WireError::Crosstalk);
                }
                if matches!(flag(&item, b'c'), None | Some(b"0")) {
                    return Err(Unusable::NoCas.into());
                }
            }
            if !is_for(&known(replies.line().await?, Unusable::NoMeta)?, &key, deleted) {
                return Err(WireError::Crosstalk);
            }
            is_at_end = true;
            let end = known(replies.line().await?, Unusable::NoNoop)?;
            if end == "MN" { replies.is_at_end() } else { Err(WireError::Crosstalk) }
        };
        match probing.await {
            // All were sent together: to be silent now is to know no `mn`.
            Err(WireError::TimedOut | WireError::Io(_)) if is_at_end => {
                Err(Unusable::NoNoop.into())
            }
            result => result,
        }
    }
}

/// Hands `line` on, unless it says that the server can't be used for `reason`: it does not know the command.
fn known(line: Bytes, reason: Unusable) -> Result<Bytes, WireError> {
    let is_unknown = line.starts_with(b"ERROR") || line.starts_with(b"CLIENT_ERROR");
    if is_unknown { Err(reason.into()) } else { Ok(line) }
}

impl Version {
    /// Reads `VERSION 1.6.18`; what distributions put behind the numbers is passed over.
    fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.strip_prefix("VERSION ")?;
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
