//! The one list of what is served through the cache: routes, keys, ledgers, metrics, explanations, warm-ups and the
//! description of the interface walk it.

mod any_source;

use std::sync::Arc;

pub use self::any_source::AnySource;
use crate::{
    cache::{Cache, Policy},
    database::Database,
    metrics::CacheMetrics,
};

/// A resource as it is declared.
#[derive(Clone)]
pub struct Definition {
    /// Its name in metrics, in `/stats`, in `/cache/{resource}/…` and in warm-ups, such as `users`.
    pub name: &'static str,
    /// The path of its routes, with its one parameter in braces, such as `/users/{id}`.
    pub path: &'static str,
    /// The first part of every key, such as `user`. No two resources have the same.
    pub space: &'static str,
    /// The sentence that is said of a thing that does not exist; `None` if there is every thing.
    pub absent: Option<&'static str>,
    /// The lives of its entries, and the limits of its source.
    pub policy: Policy,
    /// Makes the source, which may be in the database.
    pub open: fn(&Database) -> AnySource,
}

/// A resource that is served: its declaration and the stack in front of its source.
#[derive(Clone)]
pub struct Resource {
    /// Its declaration.
    pub definition: Definition,
    /// The source.
    pub source: AnySource,
    /// The stack in front of the source.
    pub cache: Cache<i64>,
    /// The counts of the stack.
    pub metrics: CacheMetrics,
}

impl Definition {
    /// The path where the entry of one thing is explained and forgotten.
    pub fn cache_path(&self) -> String {
        format!("/cache/{}/{{{}}}", self.name, self.parameter())
    }

    /// The name of the parameter.
    pub fn parameter(&self) -> &'static str {
        let named = self.path.split_once('{').and_then(|(_, named)| named.strip_suffix('}'));
        named.unwrap_or_default()
    }
}

/// All resources, in the order of the list. Clones share them.
pub type Resources = Arc<[Resource]>;

/// The resource of this name.
pub fn named<'a>(resources: &'a [Resource], name: &str) -> Option<&'a Resource> {
    resources.iter().find(|resource| resource.definition.name == name)
}

/// The number at the end of a path, if it is canonical: digits of an `i64` from 1, without leading zeros. The
/// path is read as it was sent, so that an escaped digit is no second name of the same thing.
pub fn last_number(path: &str) -> Option<i64> {
    let text = path.rsplit('/').next()?;
    let is_canonical = text.starts_with(|first: char| first.is_ascii_digit() && first != '0')
        && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(last_number("1"), Some(1));
        assert_eq!(last_number("9223372036854775807"), Some(i64::MAX));
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
            assert_eq!(last_number(text), None, "{text}");
        }
    }
}
