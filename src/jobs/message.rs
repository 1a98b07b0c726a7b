//! A message on the queue: one thing of a resource, as text.

use std::fmt;

use serde::Serialize;

/// The resource of a warm-up that names none.
pub const UNNAMED: &str = "users";

/// A thing that is to be loaded into the cache. It is written `calculations/42`; a number alone is one of [`UNNAMED`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The name of its resource.
    pub resource: String,
    /// Its id, from 1.
    pub id: i64,
}

impl Target {
    /// Reads a message; `None` if these bytes are none.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let text = str::from_utf8(message).ok()?;
        let (resource, id) = text.split_once('/').unwrap_or((UNNAMED, text));
        let id = id.parse().ok().filter(|id| *id > 0)?;
        (!resource.is_empty()).then(|| Self { resource: resource.to_owned(), id })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.resource, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_one_thing_and_nothing_else() {
        let target = |resource: &str, id| Some(Target { resource: resource.to_owned(), id });
        assert_eq!(Target::read(b"42"), target("users", 42), "as they were once");
        for (text, id) in [("users/42", 42), ("users/9223372036854775807", i64::MAX)] {
            assert_eq!(Target::read(text.as_bytes()), target("users", id));
            assert_eq!(target("users", id).unwrap().to_string(), text);
        }
        assert_eq!(Target::read(b"calculations/1"), target("calculations", 1));
        for bytes in [
            b"".as_slice(),
            b"0",
            b"-1",
            b"1.5",
            b"\"1\"",
            b"{}",
            b"/1",
            b"users/",
            b"users/0",
            b"users/1/2",
            b"9223372036854775808",
            b"\xff\x00",
            b"1 2",
        ] {
            assert_eq!(Target::read(bytes), None, "{bytes:?}");
        }
    }
}
