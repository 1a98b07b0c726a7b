//! The document as a test reads it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use serde_json::{Value, json};
use support::{answer::Answer, aside::Aside};

/// Headers that an answer may have only if they are documented.
const HEADERS: [&str; 13] = [
    "accept-patch",
    "age",
    "allow",
    "cache-control",
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

/// The document, each of its shared parameters and answers where it is used, and which answers were held against it.
pub(crate) struct Document {
    pub(crate) json: Value,
    seen: Mutex<BTreeSet<String>>,
}

impl Document {
    /// The one that `aside` serves.
    pub(crate) async fn of(aside: &Aside) -> Self {
        let answer = aside.get("/openapi.json").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        let mut document = Self { json: answer.json(), seen: Mutex::default() };
        let mut paths = document.json["paths"].clone();
        for operation in paths.as_object_mut().unwrap().values_mut().flat_map(parts) {
            let operation = operation.as_object_mut().unwrap().iter_mut();
            let shared =
                operation.filter(|(name, _)| ["parameters", "responses"].contains(&name.as_str()));
            for part in shared.flat_map(|(_, shared)| parts(shared)) {
                if let Some(reference) = part["$ref"].as_str() {
                    *part = document.resolve(reference).unwrap().clone();
                }
            }
        }
        document.json["paths"] = paths;
        document
    }

    /// The operations by path and then by method.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let paths = self.json["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap();
            methods.iter().map(|(method, operation)| (path.as_str(), method.as_str(), operation))
        })
    }

    /// The thing that `reference` names, if there is such a thing.
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
        self.check_headers(documented, answer);
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
                if content_type == "application/problem+json" {
                    self.check_problem(id, content, &answer.json());
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

    /// Asserts that `problem` is one that the operation documents for this status, but for the numbers in its detail.
    #[track_caller]
    fn check_problem(&self, id: &str, content: &Value, problem: &Value) {
        let is_this = |example: &Value| {
            let example = example["$ref"].as_str().map_or(Some(example), |it| self.resolve(it))?;
            let [example, problem] = [&example["value"], problem].map(Value::to_string);
            let without_numbers = |text: String| text.replace(|c: char| c.is_ascii_digit(), "");
            Some(without_numbers(example) == without_numbers(problem))
        };
        let mut examples = content["examples"].as_object().unwrap().iter();
        let known = examples.find(|(_, example)| is_this(example).unwrap());
        let (name, _) = known.unwrap_or_else(|| panic!("{id} does not document {problem}"));
        self.seen.lock().unwrap().insert(format!("{id} {name}"));
    }

    /// The names of all problems, by the operation that documents them.
    pub(crate) fn problems(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let operations = self.operations().map(|(.., operation)| {
            let answers = operation["responses"].as_object().unwrap().values();
            let examples = answers.filter_map(|answer| {
                answer.pointer("/content/application~1problem+json/examples")?.as_object()
            });
            let names = examples.flat_map(|examples| examples.keys().map(String::as_str));
            (operation["operationId"].as_str().unwrap(), names.collect())
        });
        operations.collect()
    }

    /// True if the schema of this name takes `value`.
    pub(crate) fn takes(&self, schema: &str, value: &Value) -> bool {
        let mut root = self.json["components"]["schemas"][schema].clone();
        root["components"] = self.json["components"].clone();
        jsonschema::draft202012::new(&root).unwrap().is_valid(value)
    }

    /// Asserts that each header that tells something is as documented, and that a success has all that are.
    #[track_caller]
    fn check_headers(&self, documented: &Value, answer: &Answer) {
        let headers = documented["headers"].as_object().into_iter().flatten();
        let documented: BTreeMap<_, _> = headers
            .map(|(name, header)| {
                let header = self.resolve(header["$ref"].as_str().unwrap()).unwrap();
                (name.to_lowercase(), &header["schema"])
            })
            .collect();
        for name in HEADERS.iter().filter(|name| answer.headers.contains_key(**name)) {
            let schema = documented.get(*name);
            let schema = schema.unwrap_or_else(|| panic!("{name} is not documented: {answer:?}"));
            let text = answer.header(name);
            let value = match schema["type"].as_str().unwrap() {
                "integer" => text.parse::<u64>().unwrap().into(),
                _ => Value::from(text),
            };
            assert!(jsonschema::is_valid(schema, &value), "{name} is not {schema}: {answer:?}");
        }
        if answer.status < 400 {
            for name in documented.keys() {
                assert!(answer.headers.contains_key(name), "there is no {name}: {answer:?}");
            }
        }
    }

    /// Answers that were held against the document, as `operation status`, and problems, as `operation name`.
    pub(crate) fn seen(&self) -> BTreeSet<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// The values of an object, or the elements of an array.
fn parts(of: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match of {
        Value::Object(object) => Box::new(object.values_mut()),
        Value::Array(array) => Box::new(array.iter_mut()),
        _ => Box::new(std::iter::empty()),
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
