//! The name of an entry, checked once.

use std::fmt;

use sha2::{Digest, Sha256};
use smol_str::{SmolStr, SmolStrBuilder};

/// Longest key, in bytes, that memcached takes (`KEY_MAX_LENGTH` in its protocol.txt).
pub const KEY_BYTES_MAX: usize = 250;

/// Stands before the hash of a key that was too long, and in no other.
const CUT: &str = "#";

/// Hexadecimal digits of SHA-256.
const HASH_DIGITS: usize = 64;

/// A cache key: 1 to 250 bytes of printable ASCII without a space, so that it can neither end a
/// command line nor begin another. Clones share it; one of up to 23 bytes takes no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(SmolStr);

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 1 to {KEY_BYTES_MAX} printable ASCII characters without spaces")]
pub struct InvalidKey;

impl Key {
    /// Checks `text` and makes it a key.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is empty, too long, or has any byte outside `!` to `~`.
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        let sound = (1..=KEY_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if sound { Ok(Self(text.into())) } else { Err(InvalidKey) }
    }

    /// The key `space:number`, which is always sound: `space` is a word in the source code.
    pub fn numbered(space: &'static str, number: i64) -> Self {
        debug_assert!(space.len() < 200 && space.bytes().all(|byte| byte.is_ascii_graphic()));
        let mut key = SmolStrBuilder::new();
        key.push_str(space);
        key.push(':');
        key.push_str(itoa::Buffer::new().format(number));
        Self(key.finish())
    }

    /// The key `space:hash` with the hash in hexadecimal, which is always sound, as that of a number is.
    pub fn hashed(space: &'static str, hash: &[u8; 32]) -> Self {
        debug_assert!(space.len() < 180 && space.bytes().all(|byte| byte.is_ascii_graphic()));
        Self([space, ":", &hexadecimal(hash)].concat().into())
    }

    /// The key `text`, which must have printable ASCII characters only and no `#` among them. One that is longer than
    /// memcached takes ends in that and the SHA-256 of the rest: no two texts have the same key.
    pub fn cut(text: &str) -> Self {
        debug_assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
        if text.len() <= KEY_BYTES_MAX {
            return Self(text.into());
        }
        let (begin, rest) = text.split_at(KEY_BYTES_MAX - HASH_DIGITS - CUT.len());
        Self([begin, CUT, &hexadecimal(&Sha256::digest(rest))].concat().into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_leave_the_command_line_is_no_key() {
        for text in ["", "a b", "a\r\nflush_all", "a\0", "a\tb", "ü", "a\u{7f}", &"k".repeat(251)]
        {
            assert_eq!(Key::new(text), Err(InvalidKey), "{text:?}");
        }
        assert!(Key::new(&"k".repeat(250)).is_ok());
    }

    #[test]
    fn a_numbered_key_is_the_space_and_the_number() {
        assert_eq!(Key::numbered("user", 42).as_str(), "user:42");
        assert_eq!(Key::new("user:42").unwrap(), Key::numbered("user", 42));
    }

    #[test]
    fn a_key_that_is_too_long_ends_in_the_hash_of_the_rest() {
        let (short, long) = ("k".repeat(250), "k".repeat(251));
        assert_eq!(Key::cut(&short).as_str(), short);
        let key = Key::cut(&long);
        // Of the last 66.
        let hash = "22085341d5a989219a60cfcc4c8dadc23f0aa77be1f4d3f90175258f32749d6d";
        assert_eq!(key.as_str().len(), 250);
        assert_eq!(key.as_str(), format!("{}#{hash}", "k".repeat(185)));
        assert_ne!(key, Key::cut(&"k".repeat(252)));
    }

    #[test]
    fn a_hashed_key_is_the_space_and_the_hash() {
        let key = Key::hashed("session", &[0xa7; 32]);
        assert_eq!(key.as_str(), format!("session:{}", "a7".repeat(32)));
        assert_eq!(Key::new(key.as_str()), Ok(key));
    }
}
