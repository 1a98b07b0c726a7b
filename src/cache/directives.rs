//! The wishes of a request to a cache: the `Cache-Control` request directives of RFC 9111 §5.2.1.

use std::mem;

use super::Entry;

/// The directives of one request; the default asks for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Do not answer from the store without asking the source.
    pub no_cache: bool,
    /// Store nothing of this; the store is not even asked.
    pub no_store: bool,
    /// Answer from the store or not at all.
    pub only_if_cached: bool,
    /// Greatest age in seconds.
    pub max_age_s: Option<u32>,
    /// Seconds past its fresh life that an answer may be; [`u32::MAX`] is any.
    pub max_stale_s: Option<u32>,
    /// Seconds for which the answer must still be fresh.
    pub min_fresh_s: Option<u32>,
}

impl Directives {
    /// Reads one `Cache-Control` field value into what was read before; a request may have several.
    ///
    /// Names are matched in any case and arguments may be quoted. A word in the quotes of another directive is none.
    /// A directive that is unknown or has no sound argument is ignored, as RFC 9111 §5.2 asks; of one that is said twice, the stricter holds.
    pub fn read(&mut self, field: &str) {
        for directive in elements(field) {
            let (name, argument) = match directive.split_once('=') {
                Some((name, argument)) => (name.trim(), Some(argument.trim().trim_matches('"'))),
                None => (directive.trim(), None),
            };
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            self.no_cache |= is("no-cache");
            self.no_store |= is("no-store");
            self.only_if_cached |= is("only-if-cached");
            if is("max-age") {
                self.max_age_s = stricter(self.max_age_s, argument.and_then(delta_s), u32::min);
            } else if is("min-fresh") {
                self.min_fresh_s = stricter(self.min_fresh_s, argument.and_then(delta_s), u32::max);
            } else if is("max-stale") {
                let any = argument.map_or(Some(u32::MAX), delta_s);
                self.max_stale_s = stricter(self.max_stale_s, any, u32::min);
            }
        }
    }

    /// True if `entry` may be the answer without asking the source; `grace_s` are the seconds after its
    /// fresh life for which the policy serves it at once to a request that asks for nothing.
    pub(crate) fn allow(&self, entry: &Entry, grace_s: u32) -> bool {
        let stale_s = self.max_stale_s.unwrap_or(grace_s);
        !self.no_cache
            && self.max_age_s.is_none_or(|limit| entry.age_s <= limit)
            && match self.min_fresh_s {
                Some(limit) => entry.fresh_s >= i64::from(limit),
                None => entry.fresh_s >= -i64::from(stale_s),
            }
    }
}

/// The parts of a list between commas that are not quoted (RFC 9110 §5.6.4). A quote without an end quotes the rest.
fn elements(field: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    field.split(move |character| {
        let was_escaped = mem::take(&mut is_escaped);
        match character {
            '"' if !was_escaped => is_quoted = !is_quoted,
            '\\' => is_escaped = is_quoted && !was_escaped,
            _ => {}
        }
        character == ',' && !is_quoted
    })
}

/// Delta-seconds of RFC 9111 §1.2.2: digits only; too large a number is the largest.
fn delta_s(argument: &str) -> Option<u32> {
    let digits = !argument.is_empty() && argument.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| argument.parse().unwrap_or(u32::MAX))
}

fn stricter(before: Option<u32>, now: Option<u32>, of: fn(u32, u32) -> u32) -> Option<u32> {
    before.into_iter().chain(now).reduce(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &str) -> Directives {
        let mut directives = Directives::default();
        directives.read(field);
        directives
    }

    fn entry(age_s: u32, fresh_s: i64) -> Entry {
        Entry { body: None, age_s, fresh_s }
    }

    #[test]
    fn names_have_any_case_and_arguments_may_be_quoted() {
        let all =
            read("No-Cache, no-store,ONLY-IF-CACHED , max-age=\"5\", min-fresh = 7,max-stale");
        assert!(all.no_cache && all.no_store && all.only_if_cached);
        assert_eq!(
            (all.max_age_s, all.min_fresh_s, all.max_stale_s),
            (Some(5), Some(7), Some(u32::MAX))
        );
    }

    #[test]
    fn what_is_unknown_or_malformed_is_ignored() {
        for field in [
            "",
            ",,",
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=1e3",
            "immutable",
            "=5",
            "no-cachee",
        ] {
            assert_eq!(read(field), Directives::default(), "{field}");
        }
        assert_eq!(read("max-age=99999999999").max_age_s, Some(u32::MAX));
    }

    #[test]
    fn what_is_quoted_is_no_directive() {
        for field in [
            r#"foo="a, no-store, b""#,
            r#"foo="\", no-store""#,
            r#"foo="\\\", no-store""#,
            r#"foo=", no-store"#,
        ] {
            assert_eq!(read(field), Directives::default(), "{field}");
        }
        for field in [r#"foo="a, b", no-store"#, r#"foo="a\"", no-store"#, r#"foo="\\", no-store"#]
        {
            assert!(read(field).no_store, "{field}");
        }
    }

    #[test]
    fn the_stricter_of_two_holds() {
        assert_eq!(read("max-age=5, max-age=3").max_age_s, Some(3));
        assert_eq!(read("min-fresh=5, min-fresh=3").min_fresh_s, Some(5));
        assert_eq!(read("max-stale, max-stale=3").max_stale_s, Some(3));
    }

    #[test]
    fn an_entry_is_served_stale_within_the_policys_grace_or_as_the_caller_allows() {
        let plain = Directives::default();
        assert!(plain.allow(&entry(60, 0), 10) && plain.allow(&entry(70, -10), 10));
        assert!(!plain.allow(&entry(71, -11), 10));
        assert!(read("max-stale").allow(&entry(300, -240), 10));
        assert!(read("max-stale=60").allow(&entry(120, -60), 10));
        assert!(
            !read("max-stale=5").allow(&entry(66, -6), 10),
            "the caller wants less than the policy gives"
        );
        assert!(!read("min-fresh=30").allow(&entry(40, 20), 10));
        assert!(read("min-fresh=20").allow(&entry(40, 20), 10));
        assert!(!read("max-age=39").allow(&entry(40, 20), 10));
        assert!(!read("no-cache").allow(&entry(0, 60), 10));
    }
}
