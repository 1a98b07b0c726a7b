//! The document as a test reads it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use serde_json::{Value, json};

use crate::support::{answer::Answer, aside::Aside};

/// Headers that an answer may have only if they are documented.
const HEADERS: [&str; 11] = [
    "age",
    "allow",
    "cache-status",
    "etag",
    "location",
    "retry-after",
    "server-timing",
    "set-cookie",
    "www-authenticate",
    "x-cache",
    "x-response-time",
];

/// The document, and which of its answers were held against it.
pub(crate) struct Document {
    pub(crate) json: Value,
    seen: Mutex<BTreeSet<String>>,
}

impl Document {
    /// What `aside` serves.
    pub(crate) async fn of(aside: &Aside) -> Self {
        let answer = aside.get("/openapi.json").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        Self { json: answer.json(), seen: Mutex::default() }
    }

    /// The operations by path and then by method.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let paths = self.json["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap();
            methods.iter().map(|(method, operation)| (path.as_str(), method.as_str(), operation))
        })
    }

    /// What `reference` names, if there is such a thing.
    pub(crate) fn resolve(&self, reference: &str) -> Option<&Value> {
        self.json.pointer(reference.strip_prefix('#')?)
    }

    /// Asserts that `answer` is one that the operation documents: its status, type, headers and body.
    #[track_caller]
    pub(crate) fn check<'a>(&self, id: &str, answer: &'a Answer) -> &'a Answer {
        let operation = self.operations().find(|(.., operation)| operation["operationId"] == id);
        let (.., operation) = operation.unwrap_or_else(|| panic!("no operation {id}"));
        let status = answer.status.to_string();
        let documented = &operation["responses"][&status];
        assert!(documented.is_object(), "{id} does not document {answer:?}");
        check_headers(documented, answer);
        match documented["content"].as_object() {
            None => assert!(answer.body.is_empty(), "{id} documents no body: {answer:?}"),
            Some(content) => {
                let content_type = answer.header("content-type");
                // axum's text says its charset, which makes it no other type.
                let content_type =
                    content_type.strip_suffix("; charset=utf-8").unwrap_or(content_type);
                let known: BTreeMap<_, _> = content
                    .iter()
                    .map(|(name, content)| {
                        (name.strip_suffix("; charset=utf-8").unwrap_or(name), content)
                    })
                    .collect();
                let content = known.get(content_type);
                let content = content.unwrap_or_else(|| panic!("{id}: {answer:?}"));
                if content_type.ends_with("json") {
                    self.check_body(&content["schema"], &answer.json());
                }
            }
        }
        self.seen.lock().unwrap().insert(format!("{id} {status}"));
        answer
    }

    /// Asserts that `body` has all that `schema` requires and nothing that it does not know.
    #[track_caller]
    fn check_body(&self, schema: &Value, body: &Value) {
        let mut root = schema.clone();
        root["components"] = json!({ "schemas": self.json["components"]["schemas"] });
        close(&mut root["components"]);
        root["unevaluatedProperties"] = (schema == &json!({ "type": "object" })).into();
        let validator = jsonschema::draft202012::new(&root).unwrap();
        let errors: Vec<_> = validator.iter_errors(body).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?} in {body:#} by {schema}");
    }

    /// Answers that were held against the document, as `operation status`.
    pub(crate) fn seen(&self) -> BTreeSet<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Asserts that each header that tells something is documented, and that a success has all that are.
#[track_caller]
fn check_headers(documented: &Value, answer: &Answer) {
    let documented = documented["headers"].as_object();
    let documented = documented.into_iter().flat_map(|headers| headers.keys());
    let documented: BTreeSet<_> = documented.map(|name| name.to_lowercase()).collect();
    for name in HEADERS.iter().filter(|name| answer.headers.contains_key(**name)) {
        assert!(documented.contains(*name), "{name} is not documented: {answer:?}");
    }
    if answer.status < 400 {
        for name in documented {
            assert!(answer.headers.contains_key(&name), "there is no {name}: {answer:?}");
        }
    }
}

/// Lets no object have a property that its schema does not name, wherever a schema is used and not a part of another.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            for (keyword, part) in object {
                match (keyword.as_str(), &mut *part) {
                    ("properties", Value::Object(properties)) => {
                        properties.values_mut().for_each(shut);
                    }
                    ("items" | "additionalProperties", Value::Object(_)) => shut(part),
                    _ => {}
                }
                close(part);
            }
        }
        Value::Array(parts) => parts.iter_mut().for_each(close),
        _ => {}
    }
}

fn shut(schema: &mut Value) {
    schema["unevaluatedProperties"] = false.into();
}
