//! A resource as it is declared.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{argument::Arguments, signature::Signature};
use crate::cache::Policy;

/// The type of a body that a database makes.
const JSON: &str = "application/json";

/// A resource as it is declared: all that can be said of it without its source.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name in metrics, in `/stats`, in `/cache/{resource}/…` and in warm-ups, such as `users`.
    pub name: Arc<str>,
    /// The first part of every key, such as `user`. No two resources have the same.
    pub space: Arc<str>,
    /// Its path and parameters.
    pub signature: Signature,
    /// The sentence that is said of a thing that does not exist; `None` if there is every thing.
    pub absent: Option<Arc<str>>,
    /// The media type of what is found.
    pub media: Arc<str>,
    /// The schema of a body in the interface's description (JSON Schema).
    pub schema: Value,
    /// The lives of its entries, and the limits of its source.
    pub policy: Policy,
    /// True if only the bearer of the API token may read it.
    pub is_protected: bool,
}

impl Definition {
    /// A resource of things with a number from 1, whose bodies are of the schema of this name.
    pub fn numbered(name: &str, space: &str, path: &str, schema: &str, policy: Policy) -> Self {
        Self {
            name: name.into(),
            space: space.into(),
            signature: Signature::numbered(path),
            absent: None,
            media: JSON.into(),
            schema: json!({ "$ref": format!("#/components/schemas/{schema}") }),
            policy,
            is_protected: false,
        }
    }

    /// A resource of the interface's own making.
    pub fn new(name: &str, signature: Signature, policy: Policy) -> Self {
        Self {
            name: name.into(),
            space: name.into(),
            signature,
            absent: Some(format!("There is no such thing in {name}.").into()),
            media: JSON.into(),
            schema: json!({}),
            policy,
            is_protected: false,
        }
    }

    /// The path where the entry of one thing is explained and forgotten, and that of all of them.
    pub fn cache_path(&self) -> String {
        format!("/cache/{}{}", self.name, self.signature.rest())
    }

    /// True if the cache may have an entry of this resource under the key `text`.
    pub fn has_key(&self, text: &str) -> bool {
        let Some(rest) = text.strip_prefix(&*self.space) else { return false };
        let parameters = self.signature.parameters();
        if parameters.is_empty() || rest.contains('#') {
            // A key that was cut does not say what it was.
            return rest.is_empty() || rest.starts_with(':');
        }
        let Some(rest) = rest.strip_prefix(':') else { return false };
        let mut values = rest.split(':');
        let decode = |text| percent_encoding::percent_decode_str(text).decode_utf8().ok();
        let mut value = |kind: super::Kind| kind.of_text(&decode(values.next()?)?);
        let read = parameters.iter().map(|it| value(it.kind)).collect::<Option<Arguments>>();
        read.is_some_and(|arguments| arguments.key(&self.space).as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{Kind, Parameter, Place};

    #[test]
    fn only_a_canonical_key_is_its_own() {
        let users = Definition::numbered("users", "user", "/users/{id}", "User", Policy::default());
        assert!(users.has_key("user:42"));
        for text in ["user:042", "user:+1", "user:", "users:1", "user:1:2", "user", "user:%31"] {
            assert!(!users.has_key(text), "{text}");
        }
        let parameters = ["a", "b"].map(|name| Parameter::new(name, Kind::Text, Place::Path));
        let signature = Signature::new("/p/{a}/{b}", parameters.into());
        let product = Definition::new("product", signature, Policy::default());
        assert!(product.has_key("product:%C3%BC:x"));
        for text in ["product:x", "product:a b:c", "product:%c3%bc:x", "product:a:b:c", "product"] {
            assert!(!product.has_key(text), "{text}");
        }
        let read =
            product.signature.read(&format!("/p/{}/{}", "x".repeat(200), "y".repeat(200)), None);
        let key = read.unwrap().key("product");
        assert!(key.as_str().contains('#') && product.has_key(key.as_str()));
    }
}
