//! What is on the queue: a user's id, as JSON.

use std::convert::Infallible;

use apalis_core::backend::codec::Codec;

/// What one job asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// To load this user into the cache.
    User(i64),
    /// The bytes are no id of a user.
    Unreadable,
}

impl Message {
    /// The id in `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Self {
        match serde_json::from_slice(bytes) {
            Ok(id) if id > 0 => Self::User(id),
            _ => Self::Unreadable,
        }
    }

    /// The user it is about, if it says so.
    pub(super) fn user(self) -> Option<i64> {
        match self {
            Self::User(id) => Some(id),
            Self::Unreadable => None,
        }
    }
}

/// Reads and writes messages. It never fails: to apalis, bytes that can't be decoded are an error of the
/// queue and end the worker; here they are a message like any other, which the worker puts aside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MessageCodec;

impl Codec<Message> for MessageCodec {
    type Error = Infallible;
    type Compact = Vec<u8>;

    fn encode(&self, message: &Message) -> Result<Vec<u8>, Infallible> {
        Ok(message.user().map(|id| id.to_string()).unwrap_or_default().into_bytes())
    }

    fn decode(&self, bytes: &Vec<u8>) -> Result<Message, Infallible> {
        Ok(Message::read(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_id_of_a_user_and_nothing_else() {
        assert_eq!(Message::read(b"42"), Message::User(42));
        assert_eq!(Message::read(b"9223372036854775807"), Message::User(i64::MAX));
        for bytes in [
            b"".as_slice(),
            b"0",
            b"-1",
            b"1.5",
            b"\"1\"",
            b"{}",
            b"9223372036854775808",
            b"\xff\x00",
            b"1 2",
        ] {
            assert_eq!(Message::read(bytes), Message::Unreadable, "{bytes:?}");
        }
        let Ok(bytes) = MessageCodec.encode(&Message::User(7));
        assert_eq!(Message::read(&bytes), Message::User(7));
    }
}
