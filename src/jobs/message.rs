//! A message on the queue: a user's id, as JSON.

/// The id in `message`; `None` if these bytes are no id of a user.
pub(super) fn user(message: &[u8]) -> Option<i64> {
    serde_json::from_slice(message).ok().filter(|id| *id > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_id_of_a_user_and_nothing_else() {
        assert_eq!(user(b"42"), Some(42));
        assert_eq!(user(b"9223372036854775807"), Some(i64::MAX));
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
            assert_eq!(user(bytes), None, "{bytes:?}");
        }
    }
}
