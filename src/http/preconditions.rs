//! `If-Match`, and `If-None-Match` of a write (RFC 9110 §13.1), read strictly: what can't be read is not taken for a
//! version that does not match.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{IF_MATCH, IF_NONE_MATCH},
};
use headers::{ETag, IfMatch, IfNoneMatch};

use super::problem::Problem;

/// What a request says of the version that it is meant for.
#[derive(Debug, PartialEq)]
pub(super) struct Expected {
    /// One of these; any version, if there are none.
    one_of: Vec<IfMatch>,
    none_of: Vec<IfNoneMatch>,
}

impl Expected {
    /// What a read expects: its `If-None-Match` is no condition of ours, but answered with 304.
    ///
    /// # Errors
    /// [`Problem::InvalidPrecondition`] if an `If-Match` is neither `*`, alone, nor a list of entity tags.
    pub(super) fn of_read(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self { one_of: read(headers, IF_MATCH, IfMatch::any)?, none_of: Vec::new() })
    }

    /// What a write expects.
    ///
    /// # Errors
    /// [`Problem::InvalidPrecondition`] as for a read, and for `If-None-Match` as well.
    pub(super) fn of_write(headers: &HeaderMap) -> Result<Self, Problem> {
        let none_of = read(headers, IF_NONE_MATCH, IfNoneMatch::any)?;
        Ok(Self { none_of, ..Self::of_read(headers)? })
    }

    /// Whether the version with this strong tag is meant.
    pub(super) fn allows(&self, tag: &HeaderValue) -> bool {
        if self.one_of.is_empty() && self.none_of.is_empty() {
            return true;
        }
        let tag: Option<ETag> = tag.to_str().ok().and_then(|tag| tag.parse().ok());
        tag.is_some_and(|tag| {
            let is_one = self.one_of.iter().any(|expected| expected.precondition_passes(&tag));
            (self.one_of.is_empty() || is_one)
                && self.none_of.iter().all(|expected| expected.precondition_passes(&tag))
        })
    }
}

/// What all fields of this name say. Several count as one list, and no asterisk can stand in a list.
fn read<T: From<ETag> + Clone>(
    headers: &HeaderMap,
    name: HeaderName,
    any: fn() -> T,
) -> Result<Vec<T>, Problem> {
    let fields: Vec<_> = headers.get_all(name).iter().map(|field| field.to_str().ok()).collect();
    if let [Some(field)] = fields[..]
        && field.trim() == "*"
    {
        return Ok(vec![any()]);
    }
    let lists: Option<Vec<_>> = fields.into_iter().map(|field| tags(field?.trim())).collect();
    lists.map(|lists| lists.concat()).ok_or(Problem::InvalidPrecondition)
}

/// The members of a list of entity tags, of which there must be one. A tag may contain a comma.
fn tags<T: From<ETag>>(mut list: &str) -> Option<Vec<T>> {
    let mut tags = Vec::new();
    loop {
        let quoted = list.find('"')? + 1;
        let end = quoted + list[quoted..].find('"')? + 1;
        let (tag, rest) = list.split_at(end);
        tags.push(tag.trim_start().parse::<ETag>().ok()?.into());
        match rest.trim_start().strip_prefix(',') {
            Some(next) => list = next,
            None if rest.trim().is_empty() => return Some(tags),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&'static str]) -> Option<Expected> {
        let fields = fields.iter().map(|field| (IF_MATCH, HeaderValue::from_static(field)));
        Expected::of_write(&fields.collect()).ok()
    }

    #[test]
    fn a_version_is_allowed_by_no_field_by_an_asterisk_or_by_its_strong_tag() {
        let tag = HeaderValue::from_static(r#""a,b""#);
        let fields: [&[_]; 5] =
            [&[], &["*"], &[r#""a,b""#], &[r#""x" ,W/"y","a,b""#], &[r#""x""#, r#""a,b""#]];
        for fields in fields {
            assert!(read(fields).unwrap().allows(&tag), "{fields:?}");
        }
        for fields in [[r#"W/"a,b""#], [r#""a", "b""#], [r#""""#]] {
            assert!(!read(&fields).unwrap().allows(&tag), "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for field in
            ["", ",", "a", "\"", "\"a", "a\"", "**", "*, \"a\"", "\"a\" \"b\"", "\"a\",", "w/\"a\""]
        {
            assert_eq!(read(&[field]), None, "{field}");
            assert_eq!(read(&["\"a\"", field]), None, "{field}");
        }
        assert_eq!(read(&["\"a\"", "*"]), None);
        assert_eq!(read(&["*", "*"]), None);
    }

    #[test]
    fn a_write_may_name_versions_that_it_is_not_meant_for() {
        let tag = HeaderValue::from_static(r#""a""#);
        let read = |field| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(field))]);
            Expected::of_write(&headers).ok()
        };
        for (field, allowed) in
            [("*", false), (r#""a""#, false), (r#""x", W/"a""#, false), (r#""x""#, true)]
        {
            assert_eq!(read(field).unwrap().allows(&tag), allowed, "{field}");
        }
        for field in ["a", "\"a", "\"a\" \"b\""] {
            assert_eq!(read(field), None, "{field}");
        }
    }
}
