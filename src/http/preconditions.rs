//! `If-Match` and `If-None-Match` (RFC 9110 §13.1), read strictly: what can't be read is not taken for a version that does
//! not match.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{IF_MATCH, IF_NONE_MATCH},
};
use headers::ETag;

use super::problem::Problem;

/// What a request says of the version that it is meant for.
#[derive(Debug, PartialEq)]
pub(super) struct Expected {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

/// What all fields of one name say together.
#[derive(Debug, PartialEq)]
enum Tags {
    Any,
    /// Entity tags as they were written; none, if all elements of the list are empty.
    OneOf(Vec<String>),
}

impl Expected {
    /// What a read expects: its `If-None-Match` is no condition of ours, but answered with 304.
    ///
    /// # Errors
    /// [`Problem::InvalidPrecondition`] if an `If-Match` is neither `*`, alone, nor a list of entity tags.
    pub(super) fn of_read(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self { if_match: read(headers, IF_MATCH)?, if_none_match: None })
    }

    /// What a write expects.
    ///
    /// # Errors
    /// [`Problem::InvalidPrecondition`] as for a read, and for `If-None-Match` as well.
    pub(super) fn of_write(headers: &HeaderMap) -> Result<Self, Problem> {
        let if_none_match = read(headers, IF_NONE_MATCH)?;
        Ok(Self { if_none_match, ..Self::of_read(headers)? })
    }

    /// Whether the version with this strong tag is meant.
    pub(super) fn allows(&self, tag: &HeaderValue) -> bool {
        self.if_match.as_ref().is_none_or(|tags| tags.contain(tag))
            && !self.if_none_match.as_ref().is_some_and(|tags| tags.contain_weakly(tag))
    }
}

/// Whether the client has this very body already: `If-None-Match` of a read names its strong tag, or any. One that can't
/// be read says nothing: the whole answer is never wrong.
pub(super) fn is_unchanged(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    matches!(read(headers, IF_NONE_MATCH), Ok(Some(tags)) if tags.contain_weakly(tag))
}

impl Tags {
    /// The strong comparison (RFC 9110 §8.8.3.2) with a strong tag.
    fn contain(&self, strong: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|tag| tag.as_bytes() == strong.as_bytes()),
        }
    }

    /// The weak comparison with a strong tag.
    fn contain_weakly(&self, strong: &HeaderValue) -> bool {
        let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == strong;
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|tag| opaque(tag)),
        }
    }
}

/// What all fields of this name say; `None` if there are none. Several count as one list, and an asterisk is alone in it.
fn read(headers: &HeaderMap, name: HeaderName) -> Result<Option<Tags>, Problem> {
    if !headers.contains_key(&name) {
        return Ok(None);
    }
    let fields = headers.get_all(name).iter();
    let lists: Option<Vec<_>> = fields.map(|field| elements(field.to_str().ok()?)).collect();
    let list = lists.ok_or(Problem::InvalidPrecondition)?.concat();
    match &list[..] {
        ["*"] => Ok(Some(Tags::Any)),
        list if list.contains(&"*") => Err(Problem::InvalidPrecondition),
        list => Ok(Some(Tags::OneOf(list.iter().map(|tag| (*tag).to_owned()).collect()))),
    }
}

/// The elements of a list of entity tags and asterisks; empty ones are ignored (RFC 9110 §5.6.1.2). A tag may contain a
/// comma.
fn elements(mut rest: &str) -> Option<Vec<&str>> {
    const SPACE: [char; 2] = [' ', '\t'];
    let mut elements = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return Some(elements);
        }
        let end = if rest.starts_with('*') {
            1
        } else {
            let quoted = rest.find('"')? + 1;
            quoted + rest[quoted..].find('"')? + 1
        };
        let (element, after) = rest.split_at(end);
        if element != "*" {
            // The parser takes it for granted that there is no space.
            element.bytes().all(|byte| byte.is_ascii_graphic()).then_some(())?;
            element.parse::<ETag>().ok()?;
        }
        elements.push(element);
        rest = after.trim_start_matches(SPACE);
        if !(rest.is_empty() || rest.starts_with(',')) {
            return None;
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
        for field in [
            "a",
            "\"",
            "\"a",
            "a\"",
            "**",
            "*, \"a\"",
            "\"a\" \"b\"",
            "\"a\";",
            "w/\"a\"",
            "\"a b\"",
            "\"a\tb\"",
        ] {
            assert_eq!(read(&[field]), None, "{field}");
            assert_eq!(read(&["\"a\"", field]), None, "{field}");
        }
        assert_eq!(read(&["\"a\"", "*"]), None);
        assert_eq!(read(&["*", "*"]), None);
    }

    #[test]
    fn empty_elements_are_ignored_and_a_list_of_nothing_else_names_no_version() {
        let tag = HeaderValue::from_static(r#""a""#);
        let fields: [&[_]; 4] = [&[r#""x",,"a""#], &[", ", r#""a","#], &["*,"], &["", "*"]];
        for fields in fields {
            assert!(read(fields).unwrap().allows(&tag), "{fields:?}");
        }
        for fields in [[""], [","], [" , ,\t"]] {
            assert!(!read(&fields).unwrap().allows(&tag), "{fields:?}");
        }
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
