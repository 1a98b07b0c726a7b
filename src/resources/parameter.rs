//! Parameters of a resource: what they take, and how a value of each is spelt.

use std::{ops::RangeInclusive, sync::Arc};

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::argument::Argument;

/// Bytes of a text.
const TEXT_BYTES: RangeInclusive<usize> = 1..=200;

/// A parameter. Each value of it has one meaning, and one key.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name in the path, in the query string and in statements.
    pub name: Arc<str>,
    /// The values that it takes.
    pub kind: Kind,
    /// The part of a request that has it.
    pub place: Place,
    /// The sentence that is said of anything else.
    pub takes: Arc<str>,
}

/// The values that a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Decimal, without leading zeros or a plus sign.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// UTF-8, 1 to 200 bytes without control characters.
    Text,
    /// As in `123e4567-e89b-12d3-a456-426614174000`: lower case, with hyphens.
    Uuid,
}

/// The place of a parameter in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A segment of the path.
    Path,
    /// The query string.
    Query {
        /// The value where the query string has none; `None` if it must have one.
        default: Option<Argument>,
    },
}

impl Parameter {
    /// A parameter; what it takes is said in the words of its kind.
    pub fn new(name: &str, kind: Kind, place: Place) -> Self {
        let takes = format!("{name} takes {}.", kind.takes()).into();
        Self { name: name.into(), kind, place, takes }
    }

    /// Reads the value of a path or a query string, as it was sent.
    pub(super) fn read(&self, sent: &str) -> Option<Argument> {
        match (self.kind, &self.place) {
            // A plus sign is a space in a query string only (WHATWG URL, application/x-www-form-urlencoded).
            (Kind::Text, Place::Query { .. }) => text(&sent.replace('+', " ")),
            (Kind::Text, Place::Path) => text(sent),
            // As it was sent: an escaped digit is no second spelling.
            (kind, _) => kind.of_text(sent),
        }
    }
}

impl Kind {
    /// Its values, in words.
    pub fn takes(self) -> String {
        match self {
            Self::Integer { min: i64::MIN, max: i64::MAX } => {
                "an integer of 64 bits, without leading zeros".to_owned()
            }
            Self::Integer { min, max: i64::MAX } => {
                format!("an integer from {min}, without leading zeros")
            }
            Self::Integer { min, max } => {
                format!("an integer from {min} to {max}, without leading zeros")
            }
            Self::Text => "a text of 1 to 200 bytes without control characters".to_owned(),
            Self::Uuid => {
                "a UUID, lower case, such as 123e4567-e89b-12d3-a456-426614174000".to_owned()
            }
        }
    }

    /// The value that is spelt so.
    pub(super) fn of_text(self, text: &str) -> Option<Argument> {
        match self {
            Self::Integer { min, max } => {
                let number: i64 = text.parse().ok()?;
                let is_canonical = itoa::Buffer::new().format(number) == text;
                let is_within = (min..=max).contains(&number);
                (is_canonical && is_within).then_some(Argument::Integer(number))
            }
            Self::Text => {
                let is_sound = TEXT_BYTES.contains(&text.len()) && !text.contains(char::is_control);
                is_sound.then(|| Argument::Text(text.into()))
            }
            Self::Uuid => is_uuid(text).then(|| Argument::Text(text.into())),
        }
    }

    /// The value that a JSON document has: a number of an integer, a string of the others.
    pub fn of_json(self, value: &Value) -> Option<Argument> {
        match (self, value) {
            (Self::Integer { .. }, Value::Number(number)) => self.of_text(&number.to_string()),
            // Databases spell it in any case.
            (Self::Uuid, Value::String(text)) => self.of_text(&text.to_ascii_lowercase()),
            (Self::Text, Value::String(text)) => self.of_text(text),
            _ => None,
        }
    }
}

fn text(sent: &str) -> Option<Argument> {
    Kind::Text.of_text(&percent_decode_str(sent).decode_utf8().ok()?)
}

/// RFC 9562 §4, in lower case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Kind = Kind::Integer { min: i64::MIN, max: i64::MAX };

    fn read(kind: Kind, place: Place, sent: &str) -> Option<Argument> {
        Parameter::new("it", kind, place).read(sent)
    }

    #[test]
    fn an_integer_has_one_spelling() {
        for number in [i64::MIN, -1, 0, 7, i64::MAX] {
            assert_eq!(ANY.of_text(&number.to_string()), Some(Argument::Integer(number)));
        }
        for text in
            ["", "-0", "+1", "007", "1e3", "1.0", "0x1", " 1", "%31", "9223372036854775808", "١"]
        {
            assert_eq!(read(ANY, Place::Path, text), None, "{text}");
        }
        let few = Kind::Integer { min: 1, max: 100 };
        assert_eq!((few.of_text("0"), few.of_text("101")), (None, None));
        assert!(few.of_text("100").is_some());
    }

    #[test]
    fn a_uuid_has_one_spelling() {
        let uuid = "123e4567-e89b-12d3-a456-426614174000";
        assert_eq!(Kind::Uuid.of_text(uuid), Some(Argument::Text(uuid.into())));
        for text in
            [&uuid.to_uppercase(), &uuid.replace('-', ""), "", &uuid[1..], &uuid.replace('e', "g")]
        {
            assert_eq!(Kind::Uuid.of_text(text), None, "{text}");
        }
        let of_database = Value::from(uuid.to_uppercase());
        assert_eq!(Kind::Uuid.of_json(&of_database), Some(Argument::Text(uuid.into())));
    }

    #[test]
    fn a_text_is_what_was_meant_however_it_was_escaped() {
        let text = |text: &str| Some(Argument::Text(text.into()));
        let query = Place::Query { default: None };
        assert_eq!(read(Kind::Text, Place::Path, "a%2Fb%20c+d"), text("a/b c+d"));
        assert_eq!(read(Kind::Text, query, "a+b%2B%C3%BC"), text("a b+ü"));
        assert_eq!(read(Kind::Text, Place::Path, &"x".repeat(200)), text(&"x".repeat(200)));
        for refused in ["", "%00", "a%0Ab", "%C2%80", "%FF", &"x".repeat(201)] {
            assert_eq!(read(Kind::Text, Place::Path, refused), None, "{refused}");
        }
    }
}
