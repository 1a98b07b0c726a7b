//! `/users`: reads through the cache, writes that forget.

mod show;
mod write;

pub(super) use show::show;
pub(super) use write::{create, delete, patch, put};

/// The id at the end of the path, if it is canonical: digits of an `i64` from 1, without leading zeros.
/// The path is read as it was sent, so that an escaped digit is no second name of the same user.
fn id(path: &str) -> Option<i64> {
    let text = path.strip_prefix("/users/")?;
    let canonical = text.starts_with(|first: char| first.is_ascii_digit() && first != '0')
        && text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!(id("/users/1"), Some(1));
        assert_eq!(id("/users/9223372036854775807"), Some(i64::MAX));
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "007",
            "1e3",
            "1.0",
            "0x1",
            " 1",
            "1 ",
            "%31",
            "1%00",
            "%2e%2e",
            "9223372036854775808",
            "99999999999999999999999",
            "١",
            "😀",
            "a",
            "1/",
        ] {
            assert_eq!(id(&format!("/users/{text}")), None, "{text}");
        }
    }
}
