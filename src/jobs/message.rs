//! A message on the queue: one thing of a resource, as text.

use std::fmt;

use serde::{Serialize, Serializer};

/// The resource of a warm-up that names none.
pub const UNNAMED: &str = "users";

/// A thing that is to be loaded into the cache. It is written `calculations/42`, as in the path where its entry is
/// explained; a number alone is one of [`UNNAMED`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The name of its resource.
    pub resource: String,
    /// The rest of that path: the values of its parameters. A number is shown as one.
    #[serde(serialize_with = "shown")]
    pub id: String,
}

impl Target {
    /// Reads a message; `None` if these bytes are none.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let text = str::from_utf8(message).ok()?;
        let (resource, id) = text.split_once('/').unwrap_or((UNNAMED, text));
        let is_sound = !resource.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
        is_sound.then(|| Self { resource: resource.to_owned(), id: id.to_owned() })
    }
}

fn shown<S: Serializer>(id: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match id.parse::<i64>() {
        Ok(number) => serializer.serialize_i64(number),
        Err(_) => serializer.serialize_str(id),
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
        let target = |resource: &str, id: &str| {
            Some(Target { resource: resource.to_owned(), id: id.to_owned() })
        };
        assert_eq!(Target::read(b"42"), target("users", "42"), "as they were once");
        for (text, resource, id) in [
            ("users/42", "users", "42"),
            ("product/A%201/de?limit=3", "product", "A%201/de?limit=3"),
            ("status/", "status", ""),
        ] {
            assert_eq!(Target::read(text.as_bytes()), target(resource, id));
            assert_eq!(target(resource, id).unwrap().to_string(), text);
        }
        for bytes in [b"/1".as_slice(), b"\xff\x00", b"1 2", b"users/1\n"] {
            assert_eq!(Target::read(bytes), None, "{bytes:?}");
        }
    }
}
