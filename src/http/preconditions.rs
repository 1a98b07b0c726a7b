//! `If-Match`, read strictly: what can't be read is not taken for a version that does not match.

use axum::http::{HeaderMap, header::IF_MATCH};
use headers::{ETag, IfMatch};

use super::problem::Problem;

/// What a request says of the version that it means to change.
#[derive(Debug, PartialEq)]
pub(super) struct Expected(Vec<IfMatch>);

impl Expected {
    /// Reads all `If-Match` fields of `headers`; without one, any version is expected.
    ///
    /// # Errors
    /// If one of them is neither `*` nor a list of entity tags.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let fields = headers.get_all(IF_MATCH).iter().map(|field| {
            let field = field.to_str().ok()?.trim();
            if field == "*" { Some(vec![IfMatch::any()]) } else { tags(field) }
        });
        let fields: Option<Vec<_>> = fields.collect();
        fields.map(|fields| Self(fields.concat())).ok_or(Problem::InvalidIfMatch)
    }

    /// Whether the version with this strong tag may be changed.
    pub(super) fn allows(&self, tag: &ETag) -> bool {
        self.0.is_empty() || self.0.iter().any(|expected| expected.precondition_passes(tag))
    }
}

/// The members of a list of entity tags, of which there must be one. A tag may contain a comma.
fn tags(mut list: &str) -> Option<Vec<IfMatch>> {
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
    use axum::http::HeaderValue;

    use super::*;

    fn read(fields: &[&'static str]) -> Option<Expected> {
        let fields = fields.iter().map(|field| (IF_MATCH, HeaderValue::from_static(field)));
        Expected::read(&fields.collect()).ok()
    }

    #[test]
    fn a_version_is_allowed_by_no_field_by_an_asterisk_or_by_its_strong_tag() {
        let tag = r#""a,b""#.parse().unwrap();
        let fields: [&[_]; 6] = [
            &[],
            &["*"],
            &[r#""a,b""#],
            &[r#""x" ,W/"y","a,b""#],
            &[r#""x""#, r#""a,b""#],
            &[r#""x""#, "*"],
        ];
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
    }
}
