//! The values that name one thing of a resource.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use smallvec::{SmallVec, smallvec};

use crate::cache::Key;

/// All but the unreserved characters of RFC 3986 §2.3.
pub const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The value of one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Argument {
    /// Of an integer.
    Integer(i64),
    /// Of a text, or of a UUID in its canonical spelling.
    Text(Arc<str>),
}

impl Argument {
    /// Appends it to a part of a URL or of a key: what is not unreserved is percent-encoded.
    pub fn encode(&self, out: &mut String) {
        match self {
            Self::Integer(number) => out.push_str(itoa::Buffer::new().format(*number)),
            Self::Text(text) => out.extend(utf8_percent_encode(text, RESERVED)),
        }
    }
}

/// The values of all parameters, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arguments(SmallVec<[Argument; 1]>);

impl Arguments {
    /// The values in their order.
    pub fn values(&self) -> &[Argument] {
        &self.0
    }

    /// The number, where a number is all there is.
    pub fn number(&self) -> Option<i64> {
        match &*self.0 {
            [Argument::Integer(number)] => Some(*number),
            _ => None,
        }
    }

    /// The key `space:value:value`. Text is percent-encoded, so that no two lists of values share one.
    pub fn key(&self, space: &str) -> Key {
        let mut key = String::with_capacity(space.len() + 24);
        key.push_str(space);
        for value in &*self.0 {
            key.push(':');
            value.encode(&mut key);
        }
        Key::cut(&key)
    }
}

impl FromIterator<Argument> for Arguments {
    fn from_iter<I: IntoIterator<Item = Argument>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl From<i64> for Arguments {
    fn from(number: i64) -> Self {
        Self(smallvec![Argument::Integer(number)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_all_values_apart() {
        let text = |text: &str| Argument::Text(text.into());
        let key = |values: &[Argument]| {
            values.iter().cloned().collect::<Arguments>().key("product").to_string()
        };
        assert_eq!(key(&[Argument::Integer(-7)]), "product:-7");
        assert_eq!(key(&[text("Grün & rot"), text("a:b")]), "product:Gr%C3%BCn%20%26%20rot:a%3Ab");
        assert_eq!(key(&[text("-._~"), Argument::Integer(1)]), "product:-._~:1");
        assert_eq!(key(&[]), "product");
        let long = "ü".repeat(100);
        assert_ne!(key(&[text(&long), text("1")]), key(&[text(&long), text("2")]));
    }
}
