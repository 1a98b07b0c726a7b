//! The part of a user that a client sets, and its rules.

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Deserializer};
use unicode_width::UnicodeWidthChar;

use super::WriteError;
use crate::escape::is_bidirectional_control;

/// Longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// Longest email address, in bytes (RFC 5321 §4.5.3.1.3, less the angle brackets).
const EMAIL_BYTES_MAX: usize = 254;

/// All that a client sets of a user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// 1 to 200 characters, one of them visible, none of them a control character, no space at either end.
    pub name: String,
    /// An address such as `ada@example.com`, at most 254 bytes. No two users' differ in the case of the domain alone.
    pub email: String,
}

/// A change of some of it; a field that is not there stays. None can be null: nothing can be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileChange {
    /// 1 to 200 characters, one of them visible, none of them a control character, no space at either end.
    #[serde(deserialize_with = "never_null")]
    pub name: Option<String>,
    /// An address such as `ada@example.com`, at most 254 bytes. No two users' differ in the case of the domain alone.
    #[serde(deserialize_with = "never_null")]
    pub email: Option<String>,
}

/// A field that is there has a value.
fn never_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

impl ProfileChange {
    /// Checks every field that is set.
    ///
    /// # Errors
    /// [`WriteError::Invalid`].
    pub(super) fn check(&self) -> Result<(), WriteError> {
        if self.name.as_deref().is_some_and(|name| !is_name(name)) {
            let takes = "name takes 1 to 200 characters, one of them visible, without control characters or spaces \
                         at its ends";
            return Err(WriteError::Invalid(takes));
        }
        if self.email.as_deref().is_some_and(|email| !is_email(email)) {
            return Err(WriteError::Invalid("email takes an address such as ada@example.com"));
        }
        Ok(())
    }
}

impl From<Profile> for ProfileChange {
    fn from(Profile { name, email }: Profile) -> Self {
        Self { name: Some(name), email: Some(email) }
    }
}

/// True if this can be a user's name: 1 to 200 characters, one of them visible, none of them a control character or one
/// that turns the direction of the text around it, no space at either end.
pub fn is_name(name: &str) -> bool {
    let is_visible = |character: char| {
        !character.is_whitespace() && character.width().is_some_and(|columns| columns > 0)
    };
    (1..=NAME_CHARACTERS_MAX).contains(&name.chars().count())
        && name.trim() == name
        && name.contains(is_visible)
        && !name.contains(|character: char| {
            character.is_control() || is_bidirectional_control(character)
        })
}

/// True if this is an address by RFC 5321, in ASCII, unquoted, at a name and not at an IP address. Only a letter can
/// tell if it reaches anybody.
fn is_email(email: &str) -> bool {
    let options = Options::default().with_required_tld().without_domain_literal();
    let options = options.without_display_text();
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    email.len() <= EMAIL_BYTES_MAX
        && email.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
        && EmailAddress::parse_with_options(email, options).is_ok()
        && email.rsplit('.').next().is_some_and(|top| !is_number(top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_something_to_see_and_nothing_that_deceives() {
        for name in [
            "Ada",
            "Grace Brewster Murray Hopper",
            "李",
            "नेहा",
            "👩\u{200d}🚀",
            "★",
            &"x".repeat(200),
        ] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            " ",
            " Ada",
            "Ada ",
            "A\nda",
            "A\u{1b}[31m",
            "\u{200b}",
            "\u{200b}\u{200d}\u{feff}",
            "\u{301}",
            "\u{3164}",
            "Ada\u{202e}",
            "A\u{2066}da",
            &"x".repeat(201),
        ] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn an_address_is_one_by_the_rfc_at_a_name() {
        let label = "x".repeat(63);
        for email in [
            "ada@example.com",
            "a.b+c@sub.example.co",
            "x@a-b.de",
            "o'hara!#$%&*/=?^_`{|}~-@example.com",
            &format!("x@{label}.example"),
        ] {
            assert!(is_email(email), "{email}");
        }
        for email in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a b@example.com",
            "a@b@c.de",
            "a@-b.de",
            "a@b-.de",
            "a@b..de",
            "a@b.de.",
            "a@b.de\r\n",
            "ü@b.de",
            "a@ü.de",
            ".x@example.com",
            "x.@example.com",
            "x..y@example.com",
            "\"x\"@example.com",
            "\"a@b\"@example.com",
            "Ada <ada@example.com>",
            "ada@127.0.0.1",
            "ada@[127.0.0.1]",
            "ada@example.123",
            &format!("x@{label}x.example"),
            &format!("{}@b.de", "x".repeat(65)),
            &format!("x@{label}.{label}.{label}.{label}.example"),
        ] {
            assert!(!is_email(email), "{email:?}");
        }
    }
}
