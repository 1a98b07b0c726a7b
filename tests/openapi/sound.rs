//! Whether the document is OpenAPI 3.1, and says what readers and generators of clients need.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use support::aside::Aside;

use crate::document::Document;

/// Does something with each object of the document, however deep.
fn each_object<'a>(value: &'a Value, visit: &mut impl FnMut(&'a serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            object.values().for_each(|value| each_object(value, visit));
        }
        Value::Array(values) => values.iter().for_each(|value| each_object(value, visit)),
        _ => {}
    }
}

#[tokio::test]
async fn it_is_openapi_3_1_of_this_version_and_all_of_its_references_lead_somewhere() {
    let document = Document::of(&Aside::start(&[]).await).await;
    assert!(document.json["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document.json["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document.json["info"]["title"], "Aside");
    let servers = serde_json::json!([{ "url": "/" }]);
    assert_eq!(document.json["servers"], servers, "it is wherever it was fetched from");
    let (mut references, mut nullable) = (0, Vec::new());
    each_object(&document.json, &mut |object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            assert!(document.resolve(reference).is_some(), "{reference} leads nowhere");
            references += 1;
        }
        for (name, property) in
            object.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            if property.to_string().contains("\"null\"") {
                nullable.push(name.as_str());
            }
        }
        if let Some(Value::String(text)) = object.get("description") {
            assert!(!text.is_empty() && !text.contains("[`"), "for readers of the code: {text}");
        }
    });
    assert_eq!(nullable, ["held_by"], "what is not there is left out");
    assert!(references > 100, "{references}");
    for (name, schema) in document.json["components"]["schemas"].as_object().unwrap() {
        jsonschema::draft202012::meta::validate(schema)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let itself = format!("\"#/components/schemas/{name}\"");
        assert!(!schema.to_string().contains(&itself), "{name} is made of itself");
    }
}

#[tokio::test]
async fn each_operation_has_a_name_of_its_own_a_summary_a_success_and_described_answers() {
    let document = Document::of(&Aside::start(&[]).await).await;
    let mut ids = BTreeSet::new();
    for (path, method, operation) in document.operations() {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} is there twice");
        assert!(operation["summary"].as_str().unwrap().ends_with('.'), "{id}");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{id}");
        assert!(
            operation["security"].is_array(),
            "{id} says what it needs, or that it needs nothing"
        );
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{id}");
        for (status, answer) in answers {
            assert!(!answer["description"].as_str().unwrap().is_empty(), "{id} {status}");
            assert_ne!(status, "default", "{id} names all that it answers");
            if status.starts_with(['4', '5']) {
                let schema = &answer["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{id} {status}");
            }
        }
        let takes_body = ["post", "put", "patch"].contains(&method);
        assert_eq!(operation["requestBody"]["required"] == true, takes_body, "{method} {path}");
    }
    assert!(!ids.is_empty());
}

#[tokio::test]
async fn the_parameters_of_a_path_are_those_in_its_braces() {
    let document = Document::of(&Aside::start(&[]).await).await;
    for (path, method, operation) in document.operations() {
        let segments =
            path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
        let required: BTreeMap<_, _> = in_path
            .map(|parameter| (parameter["name"].as_str().unwrap(), &parameter["required"]))
            .collect();
        assert!(required.values().all(|required| **required == true), "{method} {path}");
        assert_eq!(
            required.into_keys().collect::<Vec<_>>(),
            segments.collect::<Vec<_>>(),
            "{method} {path}"
        );
    }
    let id = document.json.pointer("/paths/~1users~1{id}/get/parameters/0/schema").unwrap();
    assert_eq!((&id["minimum"], &id["maximum"]), (&1.into(), &i64::MAX.into()));
}

#[tokio::test]
async fn who_has_the_document_is_told_so() {
    let aside = Aside::start(&["--api-token", "secret"]).await;
    let document = Document::of(&aside).await;
    let answer = aside.get("/openapi.json").await;
    let etag = document.check("show_openapi", &answer).header("etag").to_owned();
    let again =
        aside.send(reqwest::Method::GET, "/openapi.json", &[("if-none-match", &etag)]).await;
    assert_eq!(document.check("show_openapi", &again).status, 304);
    assert_eq!(again.header("etag"), etag);
}
