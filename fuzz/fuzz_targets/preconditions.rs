//! Holds the parser of preconditions to strictness, and to one reading of a list in one field or in several.
//!
//! The source is compiled as it is, without the service: nothing of it becomes public for this.
#![no_main]

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{IF_MATCH, IF_NONE_MATCH},
};
use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the service asks more of it")]
#[path = "../../src/http/preconditions.rs"]
mod preconditions;

mod problem {
    #[derive(Debug)]
    pub(super) enum Problem {
        InvalidPrecondition,
    }
}

use preconditions::Expected;

const TAG: HeaderValue = HeaderValue::from_static(r#""a,b""#);

fn written(fields: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Option<Expected> {
    Expected::of_write(&HeaderMap::from_iter(fields)).ok()
}

/// The field without its empty elements, if those are all but one.
fn elements(value: &HeaderValue) -> &[u8] {
    let is_empty = |byte: &&u8| matches!(byte, b',' | b' ' | b'\t');
    let bytes = value.as_bytes();
    let start = bytes.iter().take_while(is_empty).count();
    let end = bytes.len() - bytes[start..].iter().rev().take_while(is_empty).count();
    &bytes[start..end]
}

fn is_any(value: &HeaderValue) -> bool {
    elements(value) == b"*"
}

fuzz_target!(|input: (&[u8], &[u8])| {
    let Ok(one) = HeaderValue::from_bytes(input.0) else { return };
    let Ok(other) = HeaderValue::from_bytes(input.1) else { return };
    for name in [IF_MATCH, IF_NONE_MATCH] {
        let field = |value: &HeaderValue| (name.clone(), value.clone());
        let alone = [written([field(&one)]), written([field(&other)])];
        let apart = written([field(&one), field(&other)]);
        for (value, expected) in [&one, &other].into_iter().zip(&alone) {
            // Nothing is read but quoted tags, an asterisk and an empty list, and a read is no stricter than a write.
            let is_read =
                elements(value).is_empty() || is_any(value) || value.as_bytes().contains(&b'"');
            assert!(expected.is_none() || is_read, "{value:?}");
            let read = Expected::of_read(&HeaderMap::from_iter([field(value)]));
            assert!(read.is_ok() || expected.is_none(), "{value:?}");
        }
        let [one_alone, other_alone] = alone;
        match &apart {
            // Two fields are read if each of them is, and neither is the asterisk.
            None => {
                let readable = one_alone.is_some() && other_alone.is_some();
                assert!(!readable || is_any(&one) || is_any(&other), "{one:?} {other:?}");
            }
            Some(apart) => {
                let one_allows = one_alone.expect("a part that is refused alone").allows(&TAG);
                let other_allows = other_alone.expect("a part that is refused alone").allows(&TAG);
                let expected = if name == IF_MATCH {
                    one_allows || other_allows
                } else {
                    one_allows && other_allows
                };
                assert_eq!(apart.allows(&TAG), expected, "{one:?} {other:?}");
                // In one field they are the same list.
                let list = [one.as_bytes(), b",", other.as_bytes()].concat();
                let list = HeaderValue::from_bytes(&list).expect("two values and a comma");
                assert_eq!(written([field(&list)]).as_ref(), Some(apart), "{list:?}");
            }
        }
    }
});
