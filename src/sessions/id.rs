//! The id of a session: a secret, as a client that knows it is logged in.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::cache::Key;

/// Random bytes of an id: 256 bits, so that none is ever guessed or drawn twice.
const ID_BYTES: usize = 32;

/// The id of a session, as unpadded base64url. It is written to no log: there is no `Display`, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId(String);

impl SessionId {
    /// Draws a new id from the system's generator. No client ever chooses one.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub(super) fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; ID_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The id that `text` writes; `None` if it writes none. An id has one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        // This refuses a foreign character, and a last one whose two spare bits are set.
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == ID_BYTES).then(|| Self(text.to_owned()))
    }

    /// The secret itself, for the one who is logged in.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The key of the session: `session:` and the SHA-256 of the id's text in hexadecimal, so that a look
    /// into memcached shows no id.
    pub(crate) fn key(&self) -> Key {
        Key::hashed("session", &Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_drawn_id_is_its_own_only_spelling_and_never_the_same_again() {
        let ids: HashSet<_> = (0..1000).map(|_| SessionId::draw().unwrap().0).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            assert_eq!(id.len(), 43);
            assert_eq!(SessionId::parse(&id).unwrap().reveal(), id);
        }
    }

    #[test]
    fn what_is_no_id_is_none() {
        let sound = "A".repeat(43);
        assert!(SessionId::parse(&sound).is_some());
        let short = &sound[1..];
        for text in [
            "",
            "current",
            short,
            &format!("{sound}A"),
            &format!("{sound}="),
            &format!("{short}B"),
            &format!("{short}+"),
            &format!("{short}/"),
            &format!("{short}="),
            &format!("{short} "),
            &format!("{short}\n"),
            &format!("%41{}", &sound[3..]),
            &format!("\"{}\"", &sound[2..]),
            &format!("{}ä", &sound[2..]),
            &sound.repeat(100),
        ] {
            assert_eq!(SessionId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_key_is_the_hash_and_the_id_is_shown_nowhere() {
        let id = SessionId::parse(&"A".repeat(43)).unwrap();
        // As `printf %043d 0 | tr 0 A | sha256sum` has it.
        let hash = "0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a";
        assert_eq!(id.key().as_str(), format!("session:{hash}"));
        assert_eq!(format!("{id:?}"), "SessionId(..)");
    }
}
