//! The time for which an origin lets its answer be kept: `Cache-Control` of an answer (RFC 9111 §5.2.2) for a shared cache.

use std::time::Duration;

use hyper::header::{AGE, CACHE_CONTROL, HeaderMap};

use crate::cache::Keep;

/// Reads it. What can't be read says nothing but that it is not to be kept.
pub(super) fn keep(headers: &HeaderMap) -> Keep {
    let fields = headers.get_all(CACHE_CONTROL).iter();
    let fields: Vec<_> =
        fields.map(|field| field.to_str().unwrap_or("no-store").to_ascii_lowercase()).collect();
    let directives = fields.iter().flat_map(|field| field.split(',')).map(str::trim);
    let (mut longest, mut of_shared, mut is_to_be_asked) = (None, None, false);
    for directive in directives {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim() {
            // With the names of fields, too: only the body is kept, and it is not told apart.
            "no-store" | "private" => return Keep::Unshared,
            "no-cache" => is_to_be_asked = true,
            "max-age" => longest = longest.or(Some(seconds(value))),
            "s-maxage" => of_shared = of_shared.or(Some(seconds(value))),
            _ => {}
        }
    }
    let longest = if is_to_be_asked { Some(0) } else { of_shared.or(longest) };
    let Some(longest) = longest else { return Keep::AsPolicy };
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()).map_or(0, seconds);
    Keep::AtMost(Duration::from_secs(longest.saturating_sub(age)))
}

/// Seconds; none of what is no number (RFC 9111 §1.2.2, §4.2.1), and no more than there is room for.
fn seconds(text: &str) -> u64 {
    let digits = text.trim().trim_matches('"');
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().unwrap_or(u64::from(u32::MAX)) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&'static str, &'static str)]) -> Keep {
        let parse = |(name, value): &(&'static str, &'static str)| {
            (name.parse().unwrap(), value.parse().unwrap())
        };
        keep(
            &fields
                .iter()
                .map(parse)
                .collect::<Vec<(hyper::header::HeaderName, _)>>()
                .into_iter()
                .collect(),
        )
    }

    #[test]
    fn an_origin_says_how_long_and_whether_at_all() {
        let at_most = |seconds| Keep::AtMost(Duration::from_secs(seconds));
        for (field, says) in [
            ("", Keep::AsPolicy),
            ("public, immutable", Keep::AsPolicy),
            ("max-age=10", at_most(10)),
            ("Max-Age=\"10\"", at_most(10)),
            ("max-age=10, s-maxage=20", at_most(20)),
            ("s-maxage=5,max-age=10", at_most(5)),
            ("max-age=x", at_most(0)),
            ("max-age=-1", at_most(0)),
            ("max-age=99999999999999999999", at_most(u64::from(u32::MAX))),
            ("no-cache, s-maxage=5", at_most(0)),
            ("max-age=10, no-store", Keep::Unshared),
            ("PRIVATE", Keep::Unshared),
            ("private=\"set-cookie\"", Keep::Unshared),
        ] {
            assert_eq!(of(&[("cache-control", field)]), says, "{field}");
        }
        assert_eq!(of(&[("cache-control", "max-age=10"), ("age", "4")]), at_most(6));
        assert_eq!(
            of(&[("cache-control", "max-age=9"), ("cache-control", "no-store")]),
            Keep::Unshared
        );
    }
}
