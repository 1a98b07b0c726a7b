//! `If-Match` and `If-None-Match` (RFC 9110 §13.1), read strictly: what can't be read is not taken for a version that does
//! not match.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{IF_MATCH, IF_NONE_MATCH},
};

use super::problem::Problem;

/// The versions that a request is meant for.
#[derive(Debug, PartialEq)]
pub(super) struct Expected {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

/// The elements of all fields of one name: entity tags as they were written, or an asterisk alone. None, if all elements
/// are empty.
#[derive(Debug, PartialEq)]
struct Tags(Vec<String>);

impl Expected {
    /// The versions that a read is meant for: its `If-None-Match` is no condition of ours, but answered with 304.
    ///
    /// # Errors
    /// [`Problem::InvalidPrecondition`] if an `If-Match` is neither `*`, alone, nor a list of entity tags.
    pub(super) fn of_read(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self { if_match: Tags::read(headers, IF_MATCH)?, if_none_match: None })
    }

    /// The versions that a write is meant for.
    ///
    /// # Errors
    /// [`Problem::InvalidPrecondition`] as for a read, and for `If-None-Match` as well.
    pub(super) fn of_write(headers: &HeaderMap) -> Result<Self, Problem> {
        let if_none_match = Tags::read(headers, IF_NONE_MATCH)?;
        Ok(Self { if_none_match, ..Self::of_read(headers)? })
    }

    /// True if the version with this strong tag is meant.
    pub(super) fn allows(&self, tag: &HeaderValue) -> bool {
        self.if_match.as_ref().is_none_or(|tags| tags.contain(tag))
            && !self.if_none_match.as_ref().is_some_and(|tags| tags.contain_weakly(tag))
    }
}

/// True if the client has this very body already: `If-None-Match` of a read names its strong tag, or any. One that can't
/// be read says nothing: the whole answer is never wrong.
pub(super) fn is_unchanged(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    matches!(Tags::read(headers, IF_NONE_MATCH), Ok(Some(tags)) if tags.contain_weakly(tag))
}

impl Tags {
    /// Reads all fields of this name; `None` if there are none. Several count as one list.
    fn read(headers: &HeaderMap, name: HeaderName) -> Result<Option<Self>, Problem> {
        if !headers.contains_key(&name) {
            return Ok(None);
        }
        let mut tags = Vec::new();
        for field in headers.get_all(name) {
            let read = field.to_str().ok().and_then(|field| push_elements(&mut tags, field));
            read.ok_or(Problem::InvalidPrecondition)?;
        }
        let is_sound = tags.len() == 1 || tags.iter().all(|tag| tag != "*");
        if is_sound { Ok(Some(Self(tags))) } else { Err(Problem::InvalidPrecondition) }
    }

    /// The strong comparison (RFC 9110 §8.8.3.2) with a strong tag.
    fn contain(&self, strong: &HeaderValue) -> bool {
        self.0.iter().any(|tag| tag == "*" || tag == strong)
    }

    /// The weak comparison with a strong tag.
    fn contain_weakly(&self, strong: &HeaderValue) -> bool {
        self.0.iter().any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == strong)
    }
}

/// Reads a list of entity tags and asterisks into `elements`; `None` if it is none. Empty elements are ignored (RFC 9110
/// §5.6.1.2). A tag may contain a comma.
fn push_elements(elements: &mut Vec<String>, mut rest: &str) -> Option<()> {
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return Some(());
        }
        let after = match rest.strip_prefix('*') {
            Some(after) => after,
            None => {
                let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
                let (opaque, after) = quoted.split_once('"')?;
                opaque.bytes().all(|byte| byte.is_ascii_graphic()).then_some(after)?
            }
        };
        elements.push(rest[..rest.len() - after.len()].to_owned());
        rest = after.trim_start_matches([' ', '\t']);
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
